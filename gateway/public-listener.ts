import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { TLSSocket } from 'node:tls';
import { maxControlBytes } from '../api/index.ts';
import { CodedError, codeOf, messageOf, type Clock, type Log } from '../base/index.ts';
import { apiServerTls, secureContextOf, type TlsCredentials } from '../certs/index.ts';
import { parseJsonBody, readBody } from '../resources/index.ts';
import type { OwnPaths } from './api-listener.ts';
import { AttemptLimits, enrolmentError, type PublicPath, type PublicPaths } from './enrolment/index.ts';
import { codedFailure, sendFailure } from './front/index.ts';
import { gatewayError } from './gateway-error.ts';
import { answerJson } from './health.ts';
import { remoteOf } from './peer-address.ts';

export interface PublicListenerOptions {
  readonly credentials: TlsCredentials & Partial<{ onChange(listener: () => void): () => void }>;
  /** Health. */
  readonly openPaths: OwnPaths;
  /** Everything else: one table. */
  readonly paths: PublicPaths;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: AttemptLimits;
}

const MAX_HEADER_BYTES = 4 * 1024;
const REQUEST_MS = 8_000;
/** A connection is for one errand. */
const KEEP_ALIVE_MS = 5_000;
const MAX_REQUESTS = 16;
const MAX_CONNECTIONS = 1000;
/** Whoever reads an answer more slowly than that between two looks is cut. */
const SILENCE_MS = 30_000;

/**
 * The listener for whoever has no certificate: enrolment, renewal of an expired certificate, what an edge needs before it, and
 * health. Its limits are tiny.
 */
export function createPublicListener(options: PublicListenerOptions): Server {
  const { credentials, openPaths, paths, clock, log, limits = new AttemptLimits(clock) } = options;
  const server = createServer({
    ...apiServerTls(withRoots(credentials)),
    requestCert: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  server.maxRequestsPerSocket = MAX_REQUESTS;
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(SILENCE_MS);
  const stop = credentials.onChange?.(() => server.setSecureContext(secureContextOf(withRoots(credentials))));
  server.once('close', () => stop?.());
  server.on('tlsClientError', (error, socket) => {
    log.debug('public-handshake-failed', { remote: remoteOf(socket), code: codeOf(error), reason: messageOf(error) });
  });
  server.on('request', (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (openPaths(request, response, path)) return;
    const found = Object.hasOwn(paths, path) ? paths[path] : undefined;
    if (found === undefined || !isMethod(request, found.method)) sendFailure(response, gatewayError('not-found'));
    else if (found.method === 'GET') void give(path, found.answer, response);
    else void take(path, found, request, response);
  });
  return server;

  async function give(path: string, answer: (response: ServerResponse) => unknown, response: ServerResponse) {
    try {
      await answer(response);
    } catch (error) {
      if (codedFailure(error).code === 'internal') log.error('public-failed', { path, error });
      sendFailure(response, codedFailure(error));
    }
  }

  async function take(
    path: string,
    { answer, told = [] }: PublicPath & { readonly method: 'POST' },
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    const remote = remoteOf(request.socket) ?? '';
    let isGood = false;
    let attempt: ReturnType<AttemptLimits['begin']> | undefined;
    try {
      attempt = limits.begin(remote);
      const body = parseJsonBody(await readBody(request, { maxBytes: maxControlBytes, timeoutMs: REQUEST_MS, clock }));
      if (!(request.socket instanceof TLSSocket)) throw new TypeError('a listener without TLS');
      const said = await answer(body, remote, request.socket);
      isGood = true;
      answerJson(response, 200, said);
    } catch (error) {
      // Too many of them would be as many lines.
      const level = attempt === undefined ? 'debug' : codedFailure(error).code === 'internal' ? 'error' : 'warn';
      log[level]('public-refused', { path, remote, code: codeOf(error), reason: messageOf(error) });
      // What is left of a body is not read.
      response.shouldKeepAlive = request.complete;
      sendFailure(response, told.includes(codeOf(error)) ? codedFailure(error) : bareFailure(error));
    } finally {
      attempt?.end(isGood);
    }
  }
}

/**
 * What is told to who has no certificate: to come back, or a refusal that is the same for all reasons. A failure of ours is told
 * as one.
 */
function bareFailure(error: unknown): CodedError {
  const { code, status, retryAfterMs } = codedFailure(error);
  const later = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (code === 'internal') return new CodedError('internal', 'an internal error');
  if (status === 429) return enrolmentError('too-many-attempts', later);
  if (status >= 500) return enrolmentError('enrolment-unavailable', later);
  return enrolmentError('refused');
}

/** HEAD asks for what GET has. */
function isMethod({ method }: IncomingMessage, wanted: string): boolean {
  return method === wanted || (method === 'HEAD' && wanted === 'GET');
}

/**
 * With the roots behind its own chain: an edge that knows a root by its pin only finds it there. TLS has no use for them, and
 * trusts no root for having been sent.
 */
function withRoots(credentials: TlsCredentials): TlsCredentials {
  const { chainPem, keyPem, trust } = credentials;
  return { chainPem: `${chainPem.trimEnd()}\n${trust.pem}`, keyPem, trust };
}
