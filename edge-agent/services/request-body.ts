import { Readable } from 'node:stream';
import { type KindStream, RecordReader, type RecordSink } from '../../tunnel/index.ts';
import { exchangeFailure } from './service-error.ts';

/**
 * The body of a request as the service's connection reads it. Nothing of the stream is read before the connection asks, so
 * that the stream can still be refused when no connection comes about.
 */
export class RequestBody extends Readable implements RecordSink {
  readonly #stream: KindStream;
  readonly #reader: RecordReader;
  #reading = false;

  constructor(stream: KindStream) {
    super();
    this.#stream = stream;
    this.#reader = new RecordReader('body', this);
  }

  override _read(): void {
    if (this.#reading) {
      this.#stream.resume();
      return;
    }
    this.#reading = true;
    this.#stream.on('data', (chunk: Buffer) => this.#attempt(() => this.#reader.push(chunk)));
    this.#stream.on('end', () => this.#attempt(() => this.#reader.finish()));
  }

  /** Reads no more of what comes. */
  discard(): void {
    this.#reader.stop();
  }

  onData(chunk: Buffer): void {
    if (!this.push(chunk)) this.#stream.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onTrailers(): void {
    // Not announced, so the connection cannot carry them.
  }

  onInfo(): void {
    // Not in this direction: the reader refuses it.
  }

  onHead(): void {
    // Not in this direction: the reader refuses it.
  }

  onRaw(): void {
    // Not without an upgrade: the reader refuses it.
  }

  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#reader.stop();
      this.destroy(exchangeFailure(error));
    }
  }
}
