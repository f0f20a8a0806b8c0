import {
  contentLength,
  decodeRequestHead,
  type HttpRequestHead,
  isPlainPath,
  type KindStream,
  tunnelError,
} from '../../tunnel/index.ts';
import { DirectExchange } from './direct-exchange.ts';
import { upstreamHeaders, type HttpService } from './http-service.ts';
import { PooledExchange } from './pooled-exchange.ts';
import { exchangeFailure } from './service-error.ts';

/** One request as the service will get it. */
export interface ServiceRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: string[];
  readonly head: HttpRequestHead;
}

/** Methods that would echo the agent's own credentials, or are no requests. */
const refusedMethods = new Set(['CONNECT', 'TRACE', 'TRACK']);

/**
 * Serves a stream of kind `http`: one request to the service, at most once. Ordinary requests go over kept-alive connections;
 * what those cannot carry (a switch of protocols, `Expect`, announced trailers, a body of unknown length) gets a connection of
 * its own.
 */
export function serveHttp(stream: KindStream, service: HttpService): void {
  let request: ServiceRequest;
  try {
    request = readRequest(stream, service);
  } catch (error) {
    stream.refuse(exchangeFailure(error));
    return;
  }
  if (isOrdinary(request.head)) new PooledExchange(stream, service, request).start();
  else new DirectExchange(stream, service, request).start();
}

/** A body of unknown length may be a conversation: its head has to go out before its first byte, which a pooled request's does not. */
function isOrdinary({ upgrade, expectContinue, trailers, body, headers }: HttpRequestHead): boolean {
  if (upgrade !== undefined || expectContinue === true || trailers === true) return false;
  return body !== true || contentLength(headers) !== undefined;
}

function readRequest(stream: KindStream, service: HttpService): ServiceRequest {
  const { verb: method, path, principal } = stream.target;
  if (refusedMethods.has(method.toUpperCase())) throw tunnelError('denied', { detail: `method ${method}` });
  if (!isPlainPath(path)) throw tunnelError('record-malformed', { detail: 'path' });
  const head = decodeRequestHead(stream.head);
  return { method, path: service.upstream.basePath + path, headers: upstreamHeaders(service, head, principal), head };
}
