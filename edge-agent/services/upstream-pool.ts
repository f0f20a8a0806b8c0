import { Pool, type Dispatcher } from 'undici';
import { readAhead } from './service-config.ts';

/** The one file that knows undici: keep-alive connections to one HTTP/1.1 server, and its low-level request interface. */

/** Takes what happens to one request, in this order; any of it may be missing, and `onResponseError` may come at any point. */
export interface UpstreamHandler {
  /** The request is about to be written to a connection; not called when none came about. */
  onRequestStart(control: UpstreamControl): void;
  /** 1xx answers come here too, before the answer itself. */
  onResponseStart(control: UpstreamControl, status: number, headers: unknown, statusText?: string): void;
  onResponseData(control: UpstreamControl, chunk: Buffer): void;
  onResponseEnd(control: UpstreamControl): void;
  onResponseError(control: UpstreamControl | null, error: Error): void;
}

export type UpstreamControl = Dispatcher.DispatchController;
export type UpstreamRequest = Pick<Dispatcher.DispatchOptions, 'method' | 'path' | 'body'> & {
  readonly headers: string[];
};

export interface UpstreamPoolOptions {
  /** `http:` or `https:`, host and port. */
  readonly origin: string;
  readonly socketPath?: string | undefined;
  readonly tls: Readonly<Record<string, string>>;
  readonly connectTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly silenceTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxHeadBytes: number;
}

export class UpstreamPool {
  readonly #pool: Pool;
  #closed = false;

  constructor(options: UpstreamPoolOptions) {
    this.#pool = new Pool(options.origin, {
      connections: options.maxConnections,
      // Answers come back in their own order, so that none waits for a watch.
      pipelining: 1,
      // Raw heads and trailers pass as they are; HTTP/2 has neither.
      allowH2: false,
      maxHeaderSize: options.maxHeadBytes,
      headersTimeout: options.headTimeoutMs,
      bodyTimeout: options.silenceTimeoutMs,
      connect: {
        timeout: options.connectTimeoutMs,
        ...readAhead,
        rejectUnauthorized: true,
        ...options.tls,
        ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
      },
    });
  }

  dispatch(request: UpstreamRequest, handler: UpstreamHandler): void {
    // undici closes the connection after a HEAD unless told not to.
    this.#pool.dispatch(request.method === 'HEAD' ? { ...request, reset: false } : request, handler);
  }

  /** Resolves when what runs has ended; new requests fail. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pool.close();
  }

  /** Cuts what runs. */
  async destroy(error: Error): Promise<void> {
    this.#closed = true;
    await this.#pool.destroy(error);
  }
}

/** The fields of an answer's head, or its trailers, as they came: undici keeps them as buffers, name after value after name. */
export function rawList(raw: UpstreamControl['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  const list: string[] = [];
  for (const item of raw) list.push(typeof item === 'string' ? item : item.toString('latin1'));
  return list;
}
