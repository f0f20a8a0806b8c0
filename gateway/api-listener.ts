import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Log } from '../base/index.ts';
import { apiServerTls, handshakeFailure, type TlsCredentials } from '../certs/index.ts';
import type { Access } from '../resources/index.ts';
import type { StreamTarget } from '../tunnel/index.ts';
import type { ApiPeers } from './api-peers.ts';
import type { RequestAudit } from './audit/index.ts';
import { codedFailure, createFront, sendFailure, type FrontOptions } from './front/index.ts';
import { gatewayError } from './gateway-error.ts';
import type { EdgeKube } from './kube/index.ts';
import { remoteOf } from './peer-address.ts';
import type { Reviews } from './policy/index.ts';
import { requireAccess } from './stream-access.ts';
import { StrangerLog } from './stranger-log.ts';

/** Answers the paths that are a replica's own; false when there is nothing at a path. */
export type OwnPaths = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

/** As `OwnPaths`, for callers who are known. */
export type KnownPaths = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  access: Access,
) => boolean | Promise<boolean>;

export interface ApiListenerOptions {
  readonly credentials: TlsCredentials;
  /** Who is at the other end of each connection. */
  readonly peers: ApiPeers;
  readonly opener: FrontOptions['opener'];
  readonly onDone: NonNullable<FrontOptions['onDone']>;
  /** Paths that need no identity: health. */
  readonly openPaths: OwnPaths;
  /** Paths for whoever has one. */
  readonly paths: KnownPaths;
  /** What an authenticated caller may do: asked for every request, on every path. */
  readonly accessOf: (principal: string) => Access;
  /** Takes questions about who may do what, on every path. */
  readonly reviews: Pick<Reviews, 'request'>;
  /** Takes requests to edges that need not reach them; what it does not take goes on. */
  readonly kube: Pick<EdgeKube, 'request'>;
  /** Told of each request, so that the audit has it. */
  readonly requests: RequestAudit;
  /** The replica is about to end: clients are to take another connection. */
  readonly isDraining: () => boolean;
  readonly log: Log;
}

/** Request heads of Kubernetes clients fit; longer ones are refused by node with 431. */
const MAX_HEADER_BYTES = 32 * 1024;
const HEADERS_MS = 15_000;
const KEEP_ALIVE_MS = 75_000;

/** The listener for HTTP clients: who is it, then what does it want. */
export function createApiListener(options: ApiListenerOptions): Server {
  const { peers, requests } = options;
  const strangers = new StrangerLog(options.log);
  const principalOf = (request: IncomingMessage): string => peers.principalOf(request);
  const accessOf = (request: IncomingMessage): Access => options.accessOf(principalOf(request));
  const policy = (target: StreamTarget, request: IncomingMessage): void => {
    try {
      requireAccess(options.accessOf(target.principal), target);
    } catch (error) {
      requests.refused(target, request, codedFailure(error));
      throw error;
    }
    requests.allowed(target, request);
  };
  const onDone: ApiListenerOptions['onDone'] = (target, outcome, request) => {
    options.onDone(target, outcome, request);
    requests.ended(target, request, outcome);
  };
  const front = createFront({ opener: options.opener, principalOf, policy, onDone });
  const serverOptions: ServerOptions & { shouldUpgradeCallback: (request: IncomingMessage) => boolean } = {
    ...apiServerTls(options.credentials),
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_MS,
    // An upload may take as long as it takes.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    shouldUpgradeCallback: (request) => front.shouldUpgrade(request),
  };
  const server = createServer(serverOptions);
  server.on('secureConnection', (socket) => {
    const error = peers.add(socket);
    if (error === undefined) return;
    strangers.tell('api-certificate-refused', { remote: remoteOf(socket), error });
    requests.unknown(socket, error);
  });
  server.on('request', (request, response) => {
    if (options.isDraining()) response.shouldKeepAlive = false;
    requests.begin(request, response);
    // Whoever is not known does not stay, nor whose certificate has ended.
    if (!peers.mayStay(request.socket)) response.shouldKeepAlive = false;
    if (!forwardCached(request, response) && !front.request(request, response)) answerOwn(request, response);
  });
  server.on('checkContinue', (request, response) => {
    requests.begin(request, response);
    if (front.checkContinue(request, response)) return;
    response.writeContinue();
    answerOwn(request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    requests.begin(request);
    if (!front.upgrade(request, socket, head))
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  server.on('connect', (request, socket, head) => {
    requests.begin(request);
    front.connect(request, socket, head);
  });
  server.on('tlsClientError', (error, socket) => {
    const failure = handshakeFailure(error, socket);
    strangers.tell('api-handshake-failed', { remote: remoteOf(socket), error: failure });
    requests.unknown(socket, failure);
  });

  function forwardCached(request: IncomingMessage, response: ServerResponse): boolean {
    try {
      if (options.reviews.request(request, response, accessOf)) return true;
      return options.kube.request(request, response, accessOf, (instead) => front.request(request, response, instead));
    } catch (error) {
      sendFailure(response, codedFailure(error));
      return true;
    }
  }

  function answerOwn(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const refuse = (error: unknown): void => sendFailure(response, codedFailure(error));
    const orNotFound = (isAnswered: boolean): void => {
      if (!isAnswered) throw gatewayError('not-found', { detail: path.slice(0, 200) });
    };
    try {
      if (options.openPaths(request, response, path)) return;
      const answered = options.paths(request, response, path, accessOf(request));
      if (typeof answered === 'boolean') orNotFound(answered);
      else answered.then(orNotFound).catch(refuse);
    } catch (error) {
      refuse(error);
    }
  }
  return server;
}
