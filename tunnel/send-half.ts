import type { Clock } from '../base/index.ts';
import { ByteQueue } from './byte-queue.ts';
import type { TunnelLimits } from './limits.ts';
import { tunnelError } from './tunnel-error.ts';
import { Window, type WindowPool } from './window.ts';

/** What goes out next, before it has a channel. */
export type Outgoing =
  | { readonly kind: 'data'; readonly offset: number; readonly payload: Buffer; readonly blocked: boolean }
  | { readonly kind: 'fin'; readonly offset: number };

/** Enough to send until the writer has had its turn. */
const UNSENT_BYTES = 64 * 1024;

/**
 * The sending direction of a stream (docs/protocol.md, section 5). All numbers are offsets from the stream's first byte:
 * `acked ≤ sent ≤ written`, and what lies between `acked` and `written` is kept for replay.
 */
export class SendHalf {
  readonly #queue = new ByteQueue();
  readonly #window: Window;
  readonly #clock: Clock;
  readonly #maxDataBytes: number;
  #sent = 0;
  /** The furthest that was ever sent, on any path: an acknowledgement beyond it is a lie. */
  #everSent = 0;
  /** What the peer grants on the present path. */
  #limit: number;
  #fin: 'open' | 'queued' | 'sent' | 'acked' = 'open';

  constructor(limits: TunnelLimits, pool: WindowPool, clock: Clock, firstLimit: number) {
    this.#clock = clock;
    this.#window = new Window(limits, pool, clock.now());
    this.#maxDataBytes = limits.maxDataBytes;
    this.#limit = firstLimit;
  }

  /** Bytes kept for replay. */
  get retainedBytes(): number {
    return this.#queue.length;
  }

  get acked(): number {
    return this.#queue.start;
  }

  get written(): number {
    return this.#queue.end;
  }

  /** The peer has everything, FIN included. */
  get done(): boolean {
    return this.#fin === 'acked';
  }

  get ended(): boolean {
    return this.#fin !== 'open';
  }

  /**
   * The writer is to wait: what is written already fills the credit, or the sender's own window, or there is enough of it
   * that has not gone out. So on a link that is busy a stream keeps what is under way and little more, not a whole window.
   */
  get full(): boolean {
    return this.#queue.end >= this.#allowed() || this.#queue.end - this.#sent >= UNSENT_BYTES;
  }

  write(bytes: Buffer): void {
    this.#queue.push(bytes);
  }

  end(): void {
    if (this.#fin === 'open') this.#fin = 'queued';
  }

  /** What is left to send is less than a frame, and may become more. */
  get hasTail(): boolean {
    return this.#fin === 'open' && this.#queue.end - this.#sent < this.#maxDataBytes;
  }

  /** Whether `next` has something. */
  get ready(): boolean {
    return this.#sent < this.#queue.end ? this.#room(this.#maxDataBytes) > 0 : this.#fin === 'queued';
  }

  /** The next frame's content, at most `maxBytes` of it; undefined when there is nothing to send or no credit. */
  next(maxBytes: number): Outgoing | undefined {
    const offset = this.#sent;
    if (offset < this.#queue.end) {
      const room = this.#room(maxBytes);
      if (room <= 0) return undefined;
      const payload = this.#queue.slice(offset, room);
      this.#sent += payload.length;
      this.#everSent = Math.max(this.#everSent, this.#sent);
      return {
        kind: 'data',
        offset,
        payload,
        blocked: this.#limit - this.#sent < this.#maxDataBytes && this.#queue.end >= this.#limit,
      };
    }
    if (this.#fin !== 'queued') return undefined;
    // FIN needs no credit, and occupies one offset so that it is acknowledged like a byte.
    this.#fin = 'sent';
    this.#everSent = Math.max(this.#everSent, offset + 1);
    return { kind: 'fin', offset };
  }

  /** CREDIT on the present path. Throws `flow-violation` when the peer acknowledges what was never sent. */
  credit(received: number, limit: number): void {
    this.#acknowledge(received);
    if (limit > this.#limit) this.#limit = limit;
  }

  /** A new path: what the peer has not received is sent again, under the new path's limit. */
  rewind(received: number, limit: number): void {
    this.#acknowledge(received);
    this.#limit = limit;
    this.#sent = this.#queue.start;
    if (this.#fin === 'sent') this.#fin = 'queued';
  }

  /** There is no path: nothing more is kept for one than what is there. */
  detach(): void {
    this.#window.shrink();
  }

  /** Forgets all bytes: nothing more is sent. */
  close(): void {
    this.#queue.clear();
    this.#window.shrink();
  }

  /** Bytes of the next frame. A short one, only because credit ends there, is not worth sending while more credit is sure to come. */
  #room(maxBytes: number): number {
    const whole = Math.min(maxBytes, this.#maxDataBytes, this.#queue.end - this.#sent);
    const room = this.#allowed() - this.#sent;
    if (room >= whole) return whole;
    return this.#sent - this.#queue.start >= 2 * this.#maxDataBytes ? 0 : room;
  }

  #allowed(): number {
    return Math.min(this.#limit, this.#queue.start + this.#window.bytes);
  }

  #acknowledge(received: number): void {
    if (received > this.#everSent) {
      throw tunnelError('flow-violation', { detail: `acknowledged ${received} of ${this.#everSent} sent bytes` });
    }
    // The peer keeps up and grants more than this side keeps: keep more.
    const ownWindow = this.#queue.start + this.#window.bytes;
    if (received > this.#queue.start && this.#sent + this.#maxDataBytes > ownWindow && this.#limit > ownWindow) {
      this.#window.grow(received, this.#clock.now());
    }
    if (received > this.#queue.end) this.#fin = 'acked';
    this.#queue.release(received);
    this.#sent = Math.max(this.#sent, this.#queue.start);
  }
}
