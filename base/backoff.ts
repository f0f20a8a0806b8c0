/** How long to wait between tries. All times in milliseconds. */
export interface BackoffOptions {
  /** Tries that follow each other at `quickMs` before the delays grow. Default 3. */
  readonly quickTries?: number;
  /** The delay between quick tries. Default 100. */
  readonly quickMs?: number;
  /** The first ceiling after the quick tries; doubles with each failure. Default 500. */
  readonly baseMs?: number;
  /** No delay is longer. Default 60,000. */
  readonly maxMs?: number;
  /** Success has to last this long before the count of failures is forgotten. Default 10,000. */
  readonly stableMs?: number;
  /** 0 ≤ x < 1. Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Exponential back-off with full jitter: after the quick tries the delay is uniform between 0 and a ceiling that doubles,
 * which spreads a crowd better than any fixed ladder (Brooker, "Exponential Backoff and Jitter", AWS 2015).
 * A success forgets the failures only after it has lasted, so that a link that dies at once again is still backed off.
 */
export class Backoff {
  readonly #quickTries: number;
  readonly #quickMs: number;
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #stableMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: BackoffOptions = {}) {
    this.#quickTries = options.quickTries ?? 3;
    this.#quickMs = options.quickMs ?? 100;
    this.#baseMs = options.baseMs ?? 500;
    this.#maxMs = options.maxMs ?? 60_000;
    this.#stableMs = options.stableMs ?? 10_000;
    this.#random = options.random ?? Math.random;
  }

  /** Failures in a row, as the delays count them. */
  get failures(): number {
    return this.#failures;
  }

  /** The delay before the next try. `atMostMs` lowers the ceiling while someone waits. */
  next(atMostMs = this.#maxMs): number {
    const failure = this.#failures++;
    if (failure < this.#quickTries) return Math.min(atMostMs, this.#quickMs * (0.5 + this.#random()));
    const ceiling = Math.min(this.#maxMs, atMostMs, this.#baseMs * 2 ** Math.min(30, failure - this.#quickTries));
    return ceiling * this.#random();
  }

  /** Tells how long a success lasted. */
  lasted(ms: number): void {
    if (ms >= this.#stableMs) this.#failures = 0;
  }
}
