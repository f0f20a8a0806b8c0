import type { Clock } from '../base/index.ts';
import { ByteQueue } from './byte-queue.ts';
import type { TunnelLimits } from './limits.ts';
import { tunnelError } from './tunnel-error.ts';
import { Window, type WindowPool } from './window.ts';

/**
 * The receiving direction of a stream (docs/protocol.md, section 5). Offsets make every frame idempotent: an overlap is
 * trimmed, a gap is an error. Credit is granted when the application takes bytes, never when they arrive.
 */
export class ReceiveHalf {
  readonly #queue = new ByteQueue();
  readonly #window: Window;
  readonly #clock: Clock;
  #received = 0;
  /** The furthest limit that was ever granted. */
  #granted: number;
  /** The last CREDIT that was sent. */
  #ackSent = 0;
  #finAt: number | undefined;

  constructor(limits: TunnelLimits, pool: WindowPool, clock: Clock) {
    this.#clock = clock;
    this.#window = new Window(limits, pool, clock.now());
    this.#granted = this.#window.bytes;
  }

  /** Everything up to here has arrived; one more than the stream's length once FIN has. */
  get received(): number {
    return this.#received;
  }

  get bufferedBytes(): number {
    return this.#queue.length;
  }

  /** FIN has arrived, and with it all that was before it. */
  get finished(): boolean {
    return this.#finAt !== undefined;
  }

  /** FIN has arrived and the application has taken everything. */
  get drained(): boolean {
    return this.#finAt !== undefined && this.#queue.length === 0;
  }

  /** There is something that the peer has not been told. */
  get owesAck(): boolean {
    return this.#ackSent < this.#received;
  }

  /** A quarter of the window has been taken since the last grant: the sender may be waiting. */
  get owesCredit(): boolean {
    return (
      this.#finAt === undefined && this.#queue.start + this.#window.bytes - this.#granted >= this.#window.bytes / 4
    );
  }

  /** Throws `offset-gap`, `flow-violation`. */
  data(offset: number, payload: Buffer, blocked: boolean): void {
    const end = offset + payload.length;
    if (offset > this.#received) throw tunnelError('offset-gap', { detail: `${offset} after ${this.#received}` });
    if (end > this.#granted) throw tunnelError('flow-violation', { detail: `${end} over ${this.#granted}` });
    if (this.#finAt !== undefined && end > this.#finAt) throw tunnelError('offset-gap', { detail: 'data behind FIN' });
    if (end <= this.#received) return;
    this.#queue.push(offset === this.#received ? payload : payload.subarray(this.#received - offset));
    this.#received = end;
    // The sender has more and no credit, and the application keeps up: the window is what limits, not the reader.
    if (blocked && this.#queue.length <= this.#window.bytes / 4 + payload.length) {
      this.#window.grow(end, this.#clock.now());
    }
  }

  /** Throws `offset-gap`. */
  fin(offset: number): void {
    if (this.#finAt !== undefined) {
      if (offset !== this.#finAt) throw tunnelError('offset-gap', { detail: 'a second FIN at another offset' });
      return;
    }
    if (offset !== this.#received) throw tunnelError('offset-gap', { detail: `FIN ${offset} after ${this.#received}` });
    this.#finAt = offset;
    this.#received = offset + 1;
  }

  /** Takes up to `maxBytes` for the application; empty when there is nothing. */
  take(maxBytes: number): Buffer {
    return this.#queue.shift(maxBytes);
  }

  /** The numbers of a CREDIT, ACCEPT, OPEN, RESUME or RESUMED that is being sent now. */
  grant(): { readonly received: number; readonly limit: number } {
    this.#ackSent = this.#received;
    this.#granted = Math.max(this.#granted, this.#queue.start + this.#window.bytes);
    return { received: this.#received, limit: this.#granted };
  }

  /** There is no path: what was granted on it counts no more, and the next one's grant begins small. */
  detach(): void {
    this.#window.shrink();
    this.#granted = Math.max(this.#received, this.#queue.start + this.#window.bytes);
  }

  /** Nothing more will come; what is here can still be taken. */
  complete(): void {
    this.#window.shrink();
  }

  /** Forgets all bytes. */
  close(): void {
    this.#queue.clear();
    this.#window.shrink();
  }
}
