import { Duplex } from 'node:stream';
import { CodedError } from '../../base/index.ts';
import { type StreamTarget, tunnelErrorFromWire } from '../../tunnel/index.ts';
import type { KindStream, KindStreamOpener, OpenStreamOptions } from '../../tunnel/kind-stream.ts';

const HIGH_WATER_BYTES = 16 * 1024;

/** One end of a stream in memory, with the rules of the tunnel's: back-pressure, half-close, coded resets, late accept. */
export class PairedStream extends Duplex implements KindStream {
  readonly target: StreamTarget;
  readonly head: Buffer;
  peer: PairedStream | undefined;
  accepted = false;
  /** Writes that reached this end, as they came. */
  readonly writes: number[] = [];
  readonly #acceptor: boolean;
  #wanted = false;
  #arrived: { readonly chunk: Buffer; readonly done: () => void } | undefined;
  #ended = false;
  #over = false;

  constructor(target: StreamTarget, head: Buffer, acceptor: boolean) {
    super({
      allowHalfOpen: true,
      autoDestroy: false,
      readableHighWaterMark: HIGH_WATER_BYTES,
      writableHighWaterMark: HIGH_WATER_BYTES,
    });
    this.target = target;
    this.head = head;
    this.#acceptor = acceptor;
    this.on('end', () => this.#closeWhenDone());
  }

  accept(): void {
    if (!this.#acceptor || this.accepted || this.#over) return;
    this.accepted = true;
    setImmediate(() => this.peer?.emit('open'));
  }

  refuse(error: CodedError): void {
    if (this.accepted) throw new Error('refused after accept');
    this.destroy(error);
  }

  /** Nothing is pushed before it is asked for: node would otherwise read ahead by itself, and so accept. */
  override _read(): void {
    this.accept();
    this.#wanted = true;
    this.#deliver();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.accept();
    const { peer } = this;
    if (peer === undefined || peer.destroyed) return;
    peer.writes.push(chunk.length);
    peer.#arrived = { chunk: Buffer.from(chunk), done };
    peer.#deliver();
  }

  override _final(done: () => void): void {
    const { peer } = this;
    if (peer !== undefined) {
      peer.#ended = true;
      peer.#deliver();
    }
    done();
    this.#closeWhenDone();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#over) {
      this.#over = true;
      const { peer } = this;
      const code = error instanceof CodedError ? error.code : 'canceled';
      const message = error?.message ?? '';
      if (peer !== undefined) setImmediate(() => peer.#lost(tunnelErrorFromWire(code, message)));
    }
    done(error);
  }

  #deliver(): void {
    if (!this.#wanted || this.destroyed) return;
    this.#wanted = false;
    const arrived = this.#arrived;
    this.#arrived = undefined;
    if (arrived !== undefined) {
      setImmediate(arrived.done);
      this.#wanted = this.push(arrived.chunk);
    } else if (this.#ended) {
      this.push(null);
    } else {
      this.#wanted = true;
    }
  }

  #lost(error: CodedError): void {
    if (this.#over) return;
    this.#over = true;
    this.destroy(error);
  }

  /** Both directions are read to their ends: the streams are over, as if both FINs had been acknowledged. */
  #closeWhenDone(): void {
    const { peer } = this;
    if (peer === undefined || !this.readableEnded || !peer.readableEnded) return;
    for (const end of [this, peer]) {
      end.#over = true;
      setImmediate(() => end.destroy());
    }
  }
}

/** Opens streams in memory; `onStream` gets the other ends. Keeps count of what is still open. */
export class MemoryOpener implements KindStreamOpener {
  readonly streams = new Set<PairedStream>();
  /** For a test that looks at openers' ends. */
  onOpen: (stream: PairedStream) => void = () => {};
  readonly #onStream: (stream: PairedStream) => void;

  constructor(onStream: (stream: PairedStream) => void) {
    this.#onStream = onStream;
  }

  open(target: StreamTarget, { head = Buffer.alloc(0) }: OpenStreamOptions = {}): PairedStream {
    const opener = new PairedStream(target, Buffer.alloc(0), false);
    const acceptor = new PairedStream(target, head, true);
    opener.peer = acceptor;
    acceptor.peer = opener;
    for (const end of [opener, acceptor]) {
      this.streams.add(end);
      end.on('close', () => this.streams.delete(end));
    }
    acceptor.on('error', () => undefined);
    this.onOpen(opener);
    setImmediate(() => {
      if (!acceptor.destroyed) this.#onStream(acceptor);
    });
    return opener;
  }
}
