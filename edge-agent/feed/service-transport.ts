import type { Transport, TransportAnswer } from '../../resources/index.ts';
import { plainHeaderName } from '../../tunnel/index.ts';
import type { HttpService } from '../services/http-service.ts';
import { exchangeFailure } from '../services/service-error.ts';
import { rawList, type UpstreamControl, type UpstreamHandler } from '../services/upstream-pool.ts';

/** Bytes that wait for a reader before the connection is paused. */
const HIGH_WATER_BYTES = 64 * 1024;

/** Requests of the agent itself to a declared service, with the credentials that the service's requests have. */
export function serviceTransport(service: HttpService): Transport {
  return (request) => {
    const exchange = new ServiceExchange();
    const { authority, basePath, injected, pool } = service.upstream;
    const headers = ['host', authority];
    for (const [name, value] of Object.entries(request.headers))
      if (!service.ownNames.has(plainHeaderName(name.toLowerCase()))) headers.push(name, value);
    for (const [name, value] of Object.entries(injected)) headers.push(name, value);
    request.signal.throwIfAborted();
    const onAbort = (): void => exchange.abort(request.signal.reason);
    request.signal.addEventListener('abort', onAbort, { once: true });
    exchange.onEnd = () => request.signal.removeEventListener('abort', onAbort);
    const body = request.body === undefined ? null : Buffer.from(request.body);
    pool.dispatch({ method: request.method, path: basePath + request.path, headers, body }, exchange);
    return exchange.answer;
  };
}

class ServiceExchange implements UpstreamHandler {
  readonly answer: Promise<TransportAnswer>;
  onEnd: () => void = () => undefined;
  readonly #answered: (answer: TransportAnswer) => void;
  readonly #failed: (error: Error) => void;
  readonly #queue: Buffer[] = [];
  #queuedBytes = 0;
  #control: UpstreamControl | undefined;
  #end: { readonly error: Error | undefined } | undefined;
  #wake: () => void = () => undefined;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<TransportAnswer>();
    this.answer = promise;
    this.#answered = resolve;
    this.#failed = reject;
  }

  abort(reason: unknown): void {
    const error = reason instanceof Error ? reason : new Error('aborted');
    this.#finish(error);
    this.#control?.abort(error);
  }

  onRequestStart(control: UpstreamControl): void {
    this.#control = control;
    if (this.#end !== undefined) control.abort(new Error('aborted'));
  }

  onResponseStart(control: UpstreamControl, status: number): void {
    if (status < 200) return;
    const headers: Record<string, string> = {};
    const raw = rawList(control.rawHeaders);
    for (let at = 0; at + 1 < raw.length; at += 2) headers[(raw[at] ?? '').toLowerCase()] = raw[at + 1] ?? '';
    this.#answered({ status, headers, body: this.#body() });
  }

  onResponseData(control: UpstreamControl, chunk: Buffer): void {
    // undici reads the next piece into the same memory.
    this.#queue.push(Buffer.from(chunk));
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes >= HIGH_WATER_BYTES) control.pause();
    this.#wake();
  }

  onResponseEnd(): void {
    this.#finish(undefined);
  }

  onResponseError(_control: UpstreamControl | null, error: Error): void {
    this.#finish(exchangeFailure(error));
  }

  #finish(error: Error | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.onEnd();
    if (error !== undefined) this.#failed(error);
    this.#wake();
  }

  async *#body(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
          this.#queuedBytes -= next.length;
          if (this.#queuedBytes < HIGH_WATER_BYTES) this.#control?.resume();
          yield next;
        }
        if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      if (this.#end === undefined) this.abort(undefined);
    }
  }
}
