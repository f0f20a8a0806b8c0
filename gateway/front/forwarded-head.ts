import { validateHeaderName, validateHeaderValue, type IncomingMessage } from 'node:http';
import {
  contentLength,
  endToEndHeaders,
  type HttpRequestHead,
  type HttpResponseHead,
  isIdentityHeader,
  plainHeaderName,
  type RawHeaders,
} from '../../tunnel/index.ts';
import type { ServiceRoute } from './route.ts';

/** How we name ourselves in `Via` (RFC 9110, 7.6.3). */
const VIA = 'causeway';

/** Request fields that say how a request came here. Only we write them. */
const originNames = new Set([
  'host',
  'expect',
  'forwarded',
  'x-real-ip',
  'true-client-ip',
  'x-original-url',
  'x-rewrite-url',
]);

/** Answer fields that speak for a whole origin: ours, which edges share by path. */
const originWide = new Set([
  'alt-svc',
  'clear-site-data',
  'public-key-pins',
  'service-worker-allowed',
  'strict-transport-security',
]);

/** What an incoming request asks of its connection, as node parsed it. */
export interface RequestTraits {
  readonly expectContinue: boolean;
  /** The value of `Upgrade`, when the connection is to switch. */
  readonly upgrade?: string;
}

/** Whether a request has a body: HTTP/1 says so by its framing, HTTP/2 by not having ended with its head. */
export function hasBody(request: IncomingMessage): boolean {
  if ('stream' in request) return !(request.stream as { endAfterHeaders: boolean }).endAfterHeaders;
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}

/** The head of the stream that a request becomes. `ownHeaders` are those that authenticated the caller to us, in lower case. */
export function forwardedRequest(
  request: IncomingMessage,
  route: ServiceRoute,
  { expectContinue, upgrade }: RequestTraits,
  ownHeaders: readonly string[],
): HttpRequestHead {
  const body = upgrade === undefined && hasBody(request);
  const headers = endToEndHeaders(
    request.rawHeaders,
    (name) => isOrigin(name) || isIdentityHeader(name) || ownHeaders.includes(name),
  );
  const { socket } = request;
  headers.push('Via', `${request.httpVersion} ${VIA}`, 'X-Forwarded-Proto', 'encrypted' in socket ? 'https' : 'http');
  if (socket.remoteAddress !== undefined) headers.push('X-Forwarded-For', socket.remoteAddress);
  const host = route.authority ?? request.headers[':authority'] ?? request.headers.host;
  if (typeof host === 'string') headers.push('X-Forwarded-Host', host);
  if (route.prefix !== '') headers.push('X-Forwarded-Prefix', route.prefix);
  return {
    headers,
    ...(body ? { body } : {}),
    ...(expectContinue && body ? { expectContinue } : {}),
    ...(body && request.headers.trailer !== undefined ? { trailers: true } : {}),
    ...(upgrade === undefined ? {} : { upgrade }),
  };
}

/** An answer's head as the client gets it. */
export interface ForwardedResponse {
  readonly headers: string[];
  /** Bytes of body that have to come; undefined when the answer's end decides, 0 when the answer has no body. */
  readonly bodyBytes: number | undefined;
}

/**
 * Makes an answer's head fit for the client's connection. The declared length is kept to afterwards: a body that is longer
 * would be read as the next answer on the client's connection. Throws `record-malformed`, or node's TypeError where a name or a
 * value is none.
 */
export function forwardedResponse(head: HttpResponseHead, request: IncomingMessage): ForwardedResponse {
  const headers = endToEndHeaders(head.headers, (name) => originWide.has(name));
  checkHead(head.statusText, headers);
  const length = contentLength(headers);
  const empty = request.method === 'HEAD' || head.status === 204 || head.status === 304;
  if (empty || length !== undefined || request.httpVersion === '1.0') removeHeader(headers, 'trailer');
  headers.push('Via', `1.1 ${VIA}`);
  return { headers, bodyBytes: empty ? 0 : length };
}

/** The fields of a 101, with the two that make it one. Throws as `forwardedResponse` does. */
export function switchedResponse(head: HttpResponseHead, upgrade: string): string[] {
  const headers = endToEndHeaders(head.headers, (name) => name === 'content-length' || originWide.has(name));
  checkHead(head.statusText, headers);
  const protocol = lastValue(head.headers, 'upgrade') ?? upgrade;
  validateHeaderValue('Upgrade', protocol);
  headers.push('Connection', 'Upgrade', 'Upgrade', protocol);
  return headers;
}

/** Raw fields as an object, for the interfaces of node that take no list. */
export function headersByName(headers: RawHeaders): Record<string, string[]> {
  const byName: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    (byName[(headers[index] ?? '').toLowerCase()] ??= []).push(headers[index + 1] ?? '');
  }
  return byName;
}

/** Node checks too, but only after it has begun to change the response, which then cannot carry the failure. */
function checkHead(statusText: string, headers: RawHeaders): void {
  validateHeaderValue('status', statusText);
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? '';
    validateHeaderName(name);
    validateHeaderValue(name, headers[index + 1] ?? '');
  }
}

function isOrigin(name: string): boolean {
  const plain = plainHeaderName(name);
  return originNames.has(plain) || plain.startsWith('x-forwarded-');
}

function removeHeader(headers: string[], name: string): void {
  for (let index = headers.length - 2; index >= 0; index -= 2) {
    if (headers[index]?.toLowerCase() === name) headers.splice(index, 2);
  }
}

function lastValue(headers: RawHeaders, name: string): string | undefined {
  const index = headers.findLastIndex((text, at) => at % 2 === 0 && text.toLowerCase() === name);
  return index === -1 ? undefined : headers[index + 1];
}
