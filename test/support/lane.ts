import { type Socket } from 'node:net';
import { type Wire } from './wire.ts';

/** What a lane does with what comes in: pass it, keep it back, or read it and throw it away. */
export type LaneMode = 'pass' | 'hold' | 'swallow';

interface Segment {
  readonly dueAt: number;
  /** Nothing: the sender's FIN. */
  readonly bytes: Buffer | undefined;
}

/**
 * One direction of one connection: reads a socket and writes the other, through a wire. Holding back stops reading too,
 * so TCP's own window stops the sender as on a dead path, and nothing is lost when the path returns.
 */
export class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #wire: Wire;
  readonly #queue: Segment[] = [];
  #heldBytes = 0;
  #lastDueAt = 0;
  #mode: LaneMode = 'pass';
  #blocked = false;
  #timer: NodeJS.Timeout | undefined;
  /** Bytes written to the far socket. */
  bytes = 0;

  constructor(from: Socket, to: Socket, wire: Wire) {
    this.#from = from;
    this.#to = to;
    this.#wire = wire;
    from.on('data', (chunk: Buffer) => this.#onData(chunk));
    from.on('end', () => this.#onEnd());
    to.on('drain', () => {
      this.#blocked = false;
      this.#pump();
    });
  }

  get mode(): LaneMode {
    return this.#mode;
  }

  set mode(mode: LaneMode) {
    this.#mode = mode;
    if (mode === 'swallow') this.#drop();
    this.#pump();
  }

  /** Stops for good. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drop();
  }

  #onData(chunk: Buffer): void {
    if (this.#mode === 'swallow') return;
    if (this.#mode === 'pass' && this.#queue.length === 0 && this.#wire.isPlain) {
      this.#write(chunk);
    } else {
      const now = performance.now();
      const step = this.#wire.segmentBytes;
      for (let at = 0; at < chunk.length; at += step) this.#push(chunk.subarray(at, at + step), now);
    }
    this.#pump();
  }

  #onEnd(): void {
    if (this.#mode === 'swallow') return;
    this.#push(undefined, performance.now());
    this.#pump();
  }

  #push(bytes: Buffer | undefined, now: number): void {
    const length = bytes?.length ?? 0;
    this.#lastDueAt = Math.max(this.#lastDueAt, this.#wire.send(length, now));
    this.#queue.push({ dueAt: this.#lastDueAt, bytes });
    this.#heldBytes += length;
  }

  /** Delivers what is due, then reads on, stops reading, or sets the timer for the next moment when something changes. */
  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#to.destroyed) return;
    const now = performance.now();
    while (this.#mode === 'pass' && !this.#blocked) {
      const next = this.#queue[0];
      if (next === undefined || next.dueAt > now) break;
      this.#queue.shift();
      this.#deliver(next);
    }
    const roomAfterMs = this.#wire.roomAfterMs(now);
    if (this.#mayRead(roomAfterMs)) this.#from.resume();
    else this.#from.pause();
    if (this.#mode !== 'pass' || this.#blocked) return;
    const dueInMs = this.#queue[0] === undefined ? Infinity : this.#queue[0].dueAt - now;
    const nextMs = Math.min(dueInMs, roomAfterMs > 0 ? roomAfterMs : Infinity);
    if (nextMs < Infinity) this.#timer = setTimeout(() => this.#pump(), Math.max(1, nextMs));
  }

  #mayRead(roomAfterMs: number): boolean {
    if (this.#mode !== 'pass') return this.#mode === 'swallow';
    return !this.#blocked && roomAfterMs === 0 && this.#heldBytes <= this.#wire.maxHeldBytes;
  }

  #deliver({ bytes }: Segment): void {
    if (bytes === undefined) {
      this.#to.end();
      return;
    }
    this.#heldBytes -= bytes.length;
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    this.bytes += bytes.length;
    this.#blocked = !this.#to.write(bytes);
  }

  #drop(): void {
    this.#queue.length = 0;
    this.#heldBytes = 0;
  }
}
