import { type Duplex } from 'node:stream';

const endOfHead = Buffer.from('\r\n\r\n');
const maxHeadBytes = 16 * 1024;

/**
 * The least that a load generator can be: HTTP/1.1 GETs one after the other on one connection, bodies counted and thrown
 * away. It understands `content-length` only, which is what the origin sends.
 */
export class HttpClient {
  readonly #connection: Duplex;
  readonly #requests = new Map<string, Buffer>();
  #head: Buffer | undefined;
  /** Of the body, once the head has been read. */
  #left: number | undefined;
  #length = 0;
  #firstAt: number | undefined;
  #pending: { resolve: (bytes: number) => void; reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;

  constructor(connection: Duplex) {
    this.#connection = connection;
    connection.on('data', (chunk: Buffer) => this.#onData(chunk));
    connection.on('error', (error) => this.#fail(error));
    connection.on('close', () => this.#fail(new Error('the connection closed')));
  }

  /** When the first byte of the last answer came, by `performance.now()`. */
  get firstByteAt(): number | undefined {
    return this.#firstAt;
  }

  /** Resolves with the length of the body when all of it is here; rejects on any status but 200. */
  get(path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#pending = { resolve, reject };
      this.#firstAt = undefined;
      this.#connection.write(this.#request(path));
    });
  }

  close(): void {
    this.#connection.destroy();
  }

  #request(path: string): Buffer {
    let request = this.#requests.get(path);
    if (request === undefined) {
      request = Buffer.from(`GET ${path} HTTP/1.1\r\nhost: bench\r\n\r\n`);
      this.#requests.set(path, request);
    }
    return request;
  }

  #onData(chunk: Buffer): void {
    this.#firstAt ??= performance.now();
    if (this.#left === undefined) {
      const bytes = this.#head === undefined ? chunk : Buffer.concat([this.#head, chunk]);
      const end = bytes.indexOf(endOfHead);
      if (end < 0) {
        this.#head = bytes;
        if (bytes.length > maxHeadBytes) this.#fail(new Error('an answer with an endless head'));
        return;
      }
      this.#head = undefined;
      const head = bytes.toString('latin1', 0, end);
      const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
      if (!head.startsWith('HTTP/1.1 200') || length === undefined) return this.#fail(new Error(`answered ${head}`));
      this.#length = Number(length);
      this.#left = this.#length - (bytes.length - end - endOfHead.length);
    } else {
      this.#left -= chunk.length;
    }
    if (this.#left > 0) return;
    this.#left = undefined;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve(this.#length);
  }

  /** The first failure is the reason. */
  #fail(error: Error): void {
    this.#failure ??= error;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(this.#failure);
    this.#connection.destroy();
  }
}
