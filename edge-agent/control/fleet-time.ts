import type { X509Certificate } from 'node:crypto';
import type { Clock } from '../../base/index.ts';
import { lifeOf } from '../../certs/index.ts';

/**
 * The time, as well as an edge can know it: what the machine says, and never earlier than what its own certificate proves to have
 * been, since the fleet's issuer wrote into it when it was issued. A machine without a clock battery begins in 1970.
 */
export class FleetTime {
  readonly #clock: Clock;
  readonly #wallClock: () => number;
  #known: { readonly time: number; readonly at: number } | undefined;

  constructor(clock: Clock, wallClock: () => number) {
    this.#clock = clock;
    this.#wallClock = wallClock;
  }

  /** Takes what this machine's own certificate tells; an older one tells nothing new. */
  learn(leaf: X509Certificate): void {
    const time = lifeOf(leaf).issuedAt;
    if (time > this.#earliest) this.#known = { time, at: this.#clock.now() };
  }

  /** Milliseconds since 1970. */
  get now(): number {
    return Math.max(this.#wallClock(), this.#earliest);
  }

  /**
   * Whether the machine's clock is proved to be behind so far that certificates look as if they were not valid yet; then `now` is
   * only the earliest that it can be. A few minutes do not count: issuers backdate.
   */
  isBehind(leaf: X509Certificate): boolean {
    return this.#wallClock() < leaf.validFromDate.getTime() || this.#earliest - this.#wallClock() > BEHIND_MS;
  }

  get #earliest(): number {
    return this.#known === undefined ? 0 : this.#known.time + (this.#clock.now() - this.#known.at);
  }
}

const BEHIND_MS = 10 * 60_000;
