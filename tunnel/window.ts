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

/** One flow-control window: how far ahead of what was consumed (or acknowledged, or drained) the other side may be. */
export class Window {
  readonly #first: number;
  readonly #max: number;
  readonly #pool: WindowPool;
  #bytes: number;

  constructor(limits: TunnelLimits, pool: WindowPool) {
    this.#first = limits.windowBytes;
    this.#max = limits.maxWindowBytes;
    this.#pool = pool;
    this.#bytes = limits.windowBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Doubles, as far as the pool and the maximum allow. */
  grow(): void {
    const more = Math.min(this.#bytes, this.#max - this.#bytes);
    if (more > 0 && this.#pool.reserve(more)) this.#bytes += more;
  }

  /** Gives back what it grew by. */
  close(): void {
    this.#pool.release(this.#bytes - this.#first);
    this.#bytes = this.#first;
  }
}
