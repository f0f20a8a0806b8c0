import { baseError } from './base-error.ts';
import { systemClock, type Clock } from './clock.ts';

/** The period of a timer that does nothing but keep the process alive. */
const awakeMs = 60_000;

/** A step of the shutdown; `reason` is the one that `close` was called with. */
type CloseStep = (reason: string) => void | Promise<void>;

interface Step {
  readonly name: string;
  readonly run: CloseStep;
  readonly deadlineMs: number;
}

export interface CloseStepOptions {
  /** After this the step is given up and the next one runs. Default 10,000. */
  readonly deadlineMs?: number;
}

export interface LifecycleOptions {
  readonly clock?: Clock;
  /** Told of each step as it begins and of each that fails, for the log. */
  readonly onStep?: (step: string, reason: string, failure?: unknown) => void;
}

/**
 * An ordered shutdown. What was opened last is closed first, one step after the other, so that a step may use everything
 * that was opened before its own part.
 */
export class Lifecycle {
  readonly #clock: Clock;
  readonly #onStep: (step: string, reason: string, failure?: unknown) => void;
  readonly #steps: Step[] = [];
  #ended = false;
  #closing: { readonly reason: string; readonly done: Promise<void> } | undefined;

  constructor({ clock = systemClock, onStep = () => undefined }: LifecycleOptions = {}) {
    this.#clock = clock;
    this.#onStep = onStep;
  }

  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Adds a step. One that is added during the shutdown (something was opened while the rest was closing) is run by it;
   * one that is added after it throws, since nobody would run it.
   */
  onClose(name: string, run: CloseStep, { deadlineMs = 10_000 }: CloseStepOptions = {}): void {
    if (this.#ended) throw new Error(`${name} was added to a lifecycle that has ended`);
    this.#steps.push({ name, run, deadlineMs });
  }

  /**
   * Runs every step, whatever fails; then throws the first failure, `shutdown-timeout` for a step that took too long.
   * The first call decides the reason; later ones get the same promise.
   */
  close(reason: string): Promise<void> {
    if (this.#closing === undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#closing = { reason, done: promise };
      this.#runAll(reason).then(resolve, reject);
    }
    return this.#closing.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close('disposed');
  }

  async #runAll(reason: string): Promise<void> {
    // A clock's timers do not keep the process alive, and a process that ends here would skip the steps that are left.
    const awake = setInterval(() => undefined, awakeMs);
    let failure: { readonly error: unknown } | undefined;
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      this.#onStep(step.name, reason);
      try {
        await this.#runStep(step, reason);
      } catch (error) {
        failure ??= { error };
        this.#onStep(step.name, reason, error);
      }
    }
    this.#ended = true;
    clearInterval(awake);
    if (failure !== undefined) throw failure.error;
  }

  async #runStep(step: Step, reason: string): Promise<void> {
    const deadline = Promise.withResolvers<never>();
    const timer = this.#clock.after(step.deadlineMs, () => {
      deadline.reject(baseError('shutdown-timeout', { detail: `${step.name}, ${step.deadlineMs} ms` }));
    });
    try {
      await Promise.race([step.run(reason), deadline.promise]);
    } finally {
      timer.cancel();
    }
  }
}

/**
 * Resolves with the first of these signals. After that they act as they do by default, so that a second Ctrl-C ends a
 * process whose shutdown hangs. It keeps the process alive. With `abort` it can be given up: it then rejects with the
 * abort's reason.
 */
export function untilSignal(
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'],
  { abort }: { readonly abort?: AbortSignal } = {},
): Promise<NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    if (abort?.aborted === true) return reject(reasonOf(abort));
    // Signal handlers do not keep the process alive; who waits for one wants it to live until then.
    const awake = setInterval(() => undefined, awakeMs);
    const end = (): void => {
      clearInterval(awake);
      for (const signal of signals) process.off(signal, onSignal);
      abort?.removeEventListener('abort', onAbort);
    };
    const onSignal = (signal: NodeJS.Signals): void => {
      end();
      resolve(signal);
    };
    const onAbort = (): void => {
      end();
      reject(reasonOf(abort));
    };
    for (const signal of signals) process.on(signal, onSignal);
    abort?.addEventListener('abort', onAbort);
  });
}

function reasonOf(abort: AbortSignal | undefined): Error {
  const reason: unknown = abort?.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
