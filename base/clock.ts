/** A timer that has been set; cancelling one that has fired does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Where time comes from. Everything that waits takes one, so that a test or the simulation can move time by hand.
 */
export interface Clock {
  /** Monotonic milliseconds; only differences mean anything. */
  now(): number;
  /** Runs `run` once, not before `delayMs` from now. Does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs `run` after the code that is running now, before any timer or I/O. */
  defer(run: () => void): void;
  /** Runs `run` once the I/O that is at hand has been taken in: what many sockets ask for in one turn is done once. */
  afterInput(run: () => void): void;
}

/** The process's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timeout = setTimeout(run, delayMs);
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
  defer: queueMicrotask,
  afterInput: (run) => void setImmediate(run),
};
