import { STATUS_CODES, ServerResponse, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { statusOf } from '../../api/index.ts';
import { CodedError } from '../../base/index.ts';
import { tunnelError } from '../../tunnel/index.ts';

/** Any thrown value as a coded error: what has no code of ours is a fault of ours. */
export function codedFailure(error: unknown): CodedError {
  return error instanceof CodedError ? error : new CodedError('internal', 'an internal error', { cause: error });
}

/** Ends of a stream that was taken: the other end is gone, and with it the knowledge of what it did. */
const leavesUnknown = new Set(['gone', 'endpoint-closed', 'stream-lost', 'edge-cut']);

/** What the caller is told of a request that got no answer: how the stream ended matters less than what that means for it. */
export function unanswered(error: CodedError): CodedError {
  return leavesUnknown.has(error.code)
    ? tunnelError('outcome-unknown', { detail: error.message, cause: error })
    : error;
}

/**
 * Answers a request with an error: a Kubernetes `Status`, so that kubectl and client-go show it as they show the API's own,
 * and `Causeway-Code` for who decides by code. Does nothing but cut the connection when an answer has begun.
 */
export function sendFailure(response: ServerResponse, error: CodedError): void {
  if (response.headersSent) {
    abortResponse(response);
    return;
  }
  const body = Buffer.from(JSON.stringify(statusOf(error)));
  const headers = [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'Causeway-Code',
    error.code,
  ];
  const retryAfterMs = error.retryAfterMs ?? (error.status === 503 ? 1000 : undefined);
  if (retryAfterMs !== undefined) headers.push('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  if ('stream' in response) response.writeHead(error.status, headers);
  // The text of an answer that was refused may still stand in the response.
  else response.writeHead(error.status, STATUS_CODES[error.status] ?? error.code, headers);
  response.end(body);
}

/** A response on a connection that node has handed over (`upgrade`, `connect`); the connection ends with it. */
export function responseOn(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  // node's types know only sockets here; it needs no more than a Duplex.
  response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
  response.on('finish', () => {
    socket.end();
  });
  return response;
}

/** Cuts an answer short, so that the client sees that it is not whole. */
export function abortResponse(response: ServerResponse): void {
  if ('stream' in response) {
    const INTERNAL_ERROR = 2;
    // HTTP/2: without a code the stream would look ended.
    (response.stream as { close(code: number): void }).close(INTERNAL_ERROR);
  } else {
    response.destroy();
  }
}
