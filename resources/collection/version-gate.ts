import type { Clock, Timer } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';

/** Where reads wait until a version has been reached, for a bounded time. */
export class VersionGate {
  readonly #clock: Clock;
  readonly #maxWaitMs: number;
  readonly #waiting = new Set<Waiting>();
  /** -1: closed for all. */
  #version = -1;

  constructor(clock: Clock, maxWaitMs: number) {
    this.#clock = clock;
    this.#maxWaitMs = maxWaitMs;
  }

  /** Resolves once the version has been reached. Throws `version-too-new` after the longest wait. */
  until(version: number): Promise<void> | undefined {
    if (version <= this.#version) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = {
      version,
      resolve,
      reject,
      timer: this.#clock.after(this.#maxWaitMs, () => this.#refuse(waiting)),
    };
    this.#waiting.add(waiting);
    return promise;
  }

  reach(version: number): void {
    this.#version = version;
    for (const waiting of this.#waiting) {
      if (waiting.version > version) continue;
      this.#waiting.delete(waiting);
      waiting.timer.cancel();
      waiting.resolve();
    }
  }

  /** Nobody waits any longer. */
  refuseAll(): void {
    for (const waiting of this.#waiting) this.#refuse(waiting);
  }

  #refuse(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    waiting.timer.cancel();
    const seen = this.#version < 0 ? 'nothing has been loaded yet' : `the newest is ${this.#version}`;
    waiting.reject(resourceError('version-too-new', { detail: `${waiting.version}, ${seen}`, retryAfterMs: 1000 }));
  }
}

interface Waiting {
  readonly version: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}
