import type { TunnelLimits } from './limits.ts';

/** What the windows of one process may grow by, together, beyond the size that each begins with. */
export class WindowPool {
  #free: number;

  constructor(limits: TunnelLimits) {
    this.#free = limits.windowGrowthBytes;
  }

  get freeBytes(): number {
    return this.#free;
  }

  reserve(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  release(bytes: number): void {
    this.#free += bytes;
  }
}

/** Windows' worth of bytes after which a size has shown what it brings. */
const TRIAL_WINDOWS = 1;
/** A doubling has paid when the rate behind it is so much better. */
const WORTH = 1.25;
/** Up to here a window grows without having to prove it: whoever is slow for want of so little waits for the turns of processes. */
const PLAIN_BYTES = 1024 * 1024;

/**
 * One flow-control window: how far ahead of what was consumed (or acknowledged, or drained) the other side may be. It
 * doubles while that makes the stream faster: over a long path it soon covers the path, over a short one, where it is
 * the machine that limits, it stays small, and memory with it.
 */
export class Window {
  readonly #first: number;
  readonly #max: number;
  readonly #pool: WindowPool;
  #bytes: number;
  /** The rate, bytes a millisecond, that the present size was grown for. */
  #rate = 0;
  /** Where and when the present trial began. */
  #trialFrom = 0;
  #trialAt: number;

  constructor(limits: TunnelLimits, pool: WindowPool, now: number) {
    this.#first = limits.windowBytes;
    this.#max = limits.maxWindowBytes;
    this.#pool = pool;
    this.#bytes = limits.windowBytes;
    this.#trialAt = now;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The window is what holds the stream up, `moved` bytes into it: doubles, if the last doubling has paid, and pool and maximum allow. */
  grow(moved: number, now: number): void {
    const trial = moved - this.#trialFrom;
    if (trial < TRIAL_WINDOWS * this.#bytes) return;
    const rate = trial / Math.max(1, now - this.#trialAt);
    this.#trialFrom = moved;
    this.#trialAt = now;
    const more = Math.min(this.#bytes, this.#max - this.#bytes);
    const isWorth = this.#bytes < PLAIN_BYTES || rate >= this.#rate * WORTH;
    if (!isWorth || more <= 0 || !this.#pool.reserve(more)) return;
    this.#rate = rate;
    this.#bytes += more;
  }

  /** Gives back what it grew by: the stream is over, or has no path and so no use for it. It may grow again. */
  shrink(): void {
    this.#pool.release(this.#bytes - this.#first);
    this.#bytes = this.#first;
    this.#rate = 0;
  }
}
