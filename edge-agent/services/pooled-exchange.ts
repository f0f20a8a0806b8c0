import { type KindStream, RecordWriter, tunnelError } from '../../tunnel/index.ts';
import type { HttpService } from './http-service.ts';
import { RequestBody } from './request-body.ts';
import type { ServiceRequest } from './serve-http.ts';
import { connectFailure, exchangeFailure, isConnectionLoss } from './service-error.ts';
import { rawList, type UpstreamControl, type UpstreamHandler } from './upstream-pool.ts';

/**
 * One request over the service's kept-alive connections. The server may close an idle connection in the moment in which a request is
 * written to it, and nobody can tell that from a server that died over the request; so it is tried again, once, when the
 * method is safe, there is no body and no answer has begun, and otherwise never.
 */
export class PooledExchange implements UpstreamHandler {
  readonly #stream: KindStream;
  readonly #service: HttpService;
  readonly #request: ServiceRequest;
  readonly #writer: RecordWriter;
  readonly #body: RequestBody | null;
  #control: UpstreamControl | undefined;
  /** The request may have been written, so it may have been executed. */
  #sent = false;
  #answered = false;
  #retried = false;
  #complete = false;

  constructor(stream: KindStream, service: HttpService, request: ServiceRequest) {
    this.#stream = stream;
    this.#service = service;
    this.#request = request;
    this.#writer = new RecordWriter(stream);
    this.#body = request.head.body === true ? new RequestBody(stream) : null;
  }

  start(): void {
    this.#stream.on('error', ignore);
    this.#stream.on('close', () => this.#openerGone());
    this.#stream.on('drain', () => this.#control?.resume());
    this.#dispatch();
  }

  onRequestStart(control: UpstreamControl): void {
    this.#control = control;
    this.#sent = true;
    if (this.#stream.destroyed) control.abort(tunnelError('canceled'));
  }

  onResponseStart(control: UpstreamControl, status: number, _headers: unknown, statusText = ''): void {
    this.#answered = true;
    const head = { status, statusText, headers: rawList(control.rawHeaders) };
    if (status < 200) this.#writer.info(head);
    else this.#writer.head(head);
  }

  onResponseData(control: UpstreamControl, chunk: Buffer): void {
    if (!this.#writer.data(chunk)) control.pause();
  }

  onResponseEnd(control: UpstreamControl): void {
    this.#complete = true;
    const trailers = rawList(control.rawTrailers);
    if (trailers.length > 0) this.#writer.trailers(trailers);
    this.#writer.end();
    // FIN has to be read; and the rest of a body that the service did not wait for is thrown away.
    this.#body?.discard();
    this.#stream.resume();
  }

  onResponseError(_control: UpstreamControl | null, error: Error): void {
    if (this.#stream.destroyed || this.#complete) return;
    if (this.#canRetry && isConnectionLoss(error)) {
      this.#retried = true;
      this.#dispatch();
    } else if (this.#sent) {
      this.#stream.destroy(exchangeFailure(error));
    } else {
      this.#stream.refuse(connectFailure(error));
    }
  }

  get #canRetry(): boolean {
    const { method } = this.#request;
    const isSafe = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
    return isSafe && this.#sent && this.#body === null && !this.#answered && !this.#retried;
  }

  #dispatch(): void {
    const { method, path, headers } = this.#request;
    this.#service.upstream.pool.dispatch({ method, path, headers, body: this.#body }, this);
  }

  #openerGone(): void {
    if (this.#complete) return;
    this.#body?.destroy();
    this.#control?.abort(tunnelError('canceled'));
  }
}

function ignore(): void {
  // `close` follows and is what counts.
}
