/** How one direction of a link behaves. */
export interface Shape {
  /** One way. Default 0. */
  readonly delayMs: number;
  /** Added to the delay, anew for each segment, uniform from 0; order is kept. Default 0. */
  readonly jitterMs: number;
  /** Shared by all connections of the link. Default: no limit. */
  readonly bitsPerSecond: number;
  /** What the router's queue in front of the link holds before reading stops. Default 64 KiB. */
  readonly queueBytes: number;
}

export const plainShape: Shape = { delayMs: 0, jitterMs: 0, bitsPerSecond: Infinity, queueBytes: 64 * 1024 };

/** Without a rate there is no bandwidth-delay product; this bounds what a delay alone may hold. */
const MAX_DELAYED_BYTES = 32 * 1024 * 1024;
/** A segment on the wire: an Ethernet frame's worth on a thin link, more on a fast one, where nobody can tell. */
const MIN_SEGMENT_BYTES = 1448;
const MAX_SEGMENT_BYTES = 64 * 1024;

/**
 * One direction of a link, shared by the connections on it: bytes go onto it one after the other, each for as long as
 * the rate says. It computes times only, so the rate is exact however late the timers are.
 */
export class Wire {
  readonly #random: () => number;
  #shape: Shape;
  /** When the last byte accepted so far is on its way. */
  #freeAt = 0;

  constructor(shape: Shape, random: () => number) {
    this.#shape = shape;
    this.#random = random;
  }

  get shape(): Shape {
    return this.#shape;
  }

  /** Changes the shape; what is under way keeps its times. */
  set shape(shape: Shape) {
    this.#shape = shape;
    this.#freeAt = Math.min(this.#freeAt, performance.now());
  }

  get isPlain(): boolean {
    return this.#shape.delayMs === 0 && this.#shape.jitterMs === 0 && this.#shape.bitsPerSecond === Infinity;
  }

  get segmentBytes(): number {
    const fiveMs = this.#shape.bitsPerSecond / 8 / 200;
    return Math.floor(Math.min(MAX_SEGMENT_BYTES, Math.max(MIN_SEGMENT_BYTES, fiveMs)));
  }

  /** Puts bytes onto the wire; returns when they arrive. */
  send(bytes: number, now: number): number {
    const { bitsPerSecond, delayMs, jitterMs } = this.#shape;
    this.#freeAt = Math.max(this.#freeAt, now) + (bytes * 8_000) / bitsPerSecond;
    return this.#freeAt + delayMs + jitterMs * this.#random();
  }

  /** How long until the queue in front of the wire has room again; 0 when it has. */
  roomAfterMs(now: number): number {
    const { bitsPerSecond, queueBytes } = this.#shape;
    return Math.max(0, this.#freeAt - now - (queueBytes * 8_000) / bitsPerSecond);
  }

  /** What one connection may have on the wire and in front of it. */
  get maxHeldBytes(): number {
    const { bitsPerSecond, delayMs, jitterMs, queueBytes } = this.#shape;
    const delayed = delayMs + jitterMs === 0 ? 0 : (bitsPerSecond / 8_000) * (delayMs + jitterMs);
    return Math.min(MAX_DELAYED_BYTES, delayed) + queueBytes;
  }
}
