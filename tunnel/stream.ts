import { Duplex } from 'node:stream';
import { CodedError, messageOf } from '../base/index.ts';
import { AcceptorCore } from './acceptor-core.ts';
import type { StreamTarget } from './frame.ts';
import type { OpenerCore } from './opener-core.ts';
import type { StreamUser } from './stream-core.ts';
import { tunnelError } from './tunnel-error.ts';

const READ_BYTES = 64 * 1024;
const HIGH_WATER_BYTES = 16 * 1024;
/**
 * What waits in the Writable waits as it was written, some 300 bytes a write: so little waits there, and the rest with the
 * writer. What the core has taken is put together.
 */
const WRITE_HIGH_WATER_BYTES = 256;

/**
 * A stream as Node knows it: everything that pipes into a socket pipes into this. It continues over the loss of links;
 * `end()` closes one direction, `destroy(error)` resets both and tells the other end the error's code; destroyed without an
 * error after both directions have ended it resets nothing. A buffer that was written is the stream's: it may be sent again.
 *
 * Events beside a Duplex's own: `open` when the other end took it. It is destroyed with a `CodedError` of
 * `tunnel-error.ts` when it fails; `close` comes when both ends know that both directions are complete.
 */
export class Stream extends Duplex implements StreamUser {
  readonly #core: OpenerCore | AcceptorCore;
  #wanted = false;
  #ended = false;
  #pendingWrite: ((error?: Error | null) => void) | undefined;
  #over = false;

  constructor(core: OpenerCore | AcceptorCore) {
    super({
      allowHalfOpen: true,
      // The stream is over when the other end has acknowledged, not when both directions have ended here.
      autoDestroy: false,
      readableHighWaterMark: HIGH_WATER_BYTES,
      writableHighWaterMark: WRITE_HIGH_WATER_BYTES,
    });
    this.#core = core;
    core.user = this;
  }

  get target(): StreamTarget {
    return this.#core.target;
  }

  /** The kind's head as the opener gave it; empty on the opener's side. */
  get head(): Buffer {
    return this.#core instanceof AcceptorCore ? this.#core.head : NO_HEAD;
  }

  /** Says that the stream is taken. The first write or read says so too, and then needs no frame of its own. */
  accept(): void {
    if (this.#core instanceof AcceptorCore) this.#core.accept();
  }

  /** Turns the stream down: the opener is told that nothing was executed, and why. */
  refuse(error: CodedError): void {
    // Who turns a stream down need not be told that it failed.
    this.#over = true;
    if (this.#core instanceof AcceptorCore) this.#core.refuse(error);
    this.destroy();
  }

  onAccepted(): void {
    this.emit('open');
  }

  onReadable(): void {
    if (this.#wanted) this.#deliver();
  }

  onWritable(): void {
    const done = this.#pendingWrite;
    if (done === undefined) return;
    this.#pendingWrite = undefined;
    done();
  }

  onClosed(error: CodedError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    // Where both directions have ended here, nobody waits for an error any more.
    if (error !== undefined && !(this.readableEnded && this.writableFinished)) {
      this.destroy(error);
    } else if (this.readableEnded) {
      this.destroy();
    } else {
      this.once('end', () => this.destroy());
    }
  }

  override _read(): void {
    this.#wanted = true;
    this.#deliver();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#core.write(chunk);
    this.#written(done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    for (const { chunk } of chunks) this.#core.write(chunk);
    this.#written(done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#core.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#over) {
      this.#over = true;
      // Both directions have ended here: what is not acknowledged yet still goes its way, as a closed socket's bytes do.
      if (error !== null || !this.#ended || !this.writableFinished) this.#core.abort(abortReason(error));
    }
    const pending = this.#pendingWrite;
    this.#pendingWrite = undefined;
    pending?.(error ?? tunnelError('canceled'));
    done(error);
  }

  #deliver(): void {
    while (this.#wanted) {
      const bytes = this.#core.read(READ_BYTES);
      if (bytes.length > 0) {
        this.#wanted = this.push(bytes);
      } else {
        if (this.#core.atEnd && !this.#ended) {
          this.#ended = true;
          this.#wanted = false;
          this.push(null);
        }
        return;
      }
    }
  }

  #written(done: (error?: Error | null) => void): void {
    if (this.#core.full) this.#pendingWrite = done;
    else done();
  }
}

const NO_HEAD = Buffer.alloc(0);

function abortReason(error: Error | null): CodedError {
  if (error instanceof CodedError) return error;
  return error === null ? tunnelError('canceled') : tunnelError('canceled', { detail: messageOf(error), cause: error });
}
