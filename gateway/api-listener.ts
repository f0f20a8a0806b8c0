import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { CodedError, type Log } from '../base/index.ts';
import { apiServerTls, certError, identifyPeer, identityName, type TlsCredentials } from '../certs/index.ts';
import type { Access } from '../resources/index.ts';
import type { StreamTarget } from '../tunnel/index.ts';
import { codedFailure, createFront, sendFailure, type FrontOptions } from './front/index.ts';
import { gatewayError } from './gateway-error.ts';
import type { EdgeKube } from './kube/index.ts';
import { requireAccess } from './stream-access.ts';

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
  readonly opener: FrontOptions['opener'];
  readonly onDone: NonNullable<FrontOptions['onDone']>;
  /** Paths that need no identity: health. */
  readonly openPaths: OwnPaths;
  /** Paths for whoever has one. */
  readonly paths: KnownPaths;
  /** What an authenticated caller may do: asked for every request, on every path. */
  readonly accessOf: (principal: string) => Access;
  /** Takes requests to edges that need not reach them; what it does not take goes on. */
  readonly kube: Pick<EdgeKube, 'request'>;
  readonly log: Log;
}

/** Request heads of Kubernetes clients fit; longer ones are refused by node with 431. */
const MAX_HEADER_BYTES = 32 * 1024;
const HEADERS_MS = 15_000;
const KEEP_ALIVE_MS = 75_000;

/** The listener for HTTP clients: who is it, then what does it want. */
export function createApiListener(options: ApiListenerOptions): Server {
  const principals = new WeakMap<object, string | CodedError>();
  const principalOf = (request: IncomingMessage): string => {
    const found = principals.get(request.socket) ?? gatewayError('unauthenticated');
    if (typeof found !== 'string') throw found;
    return found;
  };
  const accessOf = (request: IncomingMessage): Access => options.accessOf(principalOf(request));
  const policy = (target: StreamTarget): void => requireAccess(options.accessOf(target.principal), target);
  const front = createFront({ opener: options.opener, principalOf, policy, onDone: options.onDone });
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
  // Who a connection is does not change: found once, not for each request.
  server.on('secureConnection', (socket) => principals.set(socket, identify(socket, options.credentials)));
  server.on('request', (request, response) => {
    if (!forwardCached(request, response) && !front.request(request, response)) answerOwn(request, response);
  });
  server.on('checkContinue', (request, response) => {
    if (front.checkContinue(request, response)) return;
    response.writeContinue();
    answerOwn(request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    if (!front.upgrade(request, socket, head))
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  server.on('connect', (request, socket, head) => front.connect(request, socket, head));
  server.on('tlsClientError', (error, socket) => {
    options.log.debug('api-handshake-failed', { remote: socket.remoteAddress, error });
  });

  function forwardCached(request: IncomingMessage, response: ServerResponse): boolean {
    try {
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

function identify(socket: TLSSocket, { trust }: TlsCredentials): string | CodedError {
  try {
    return identityName(identifyPeer(socket, { trust, kinds: ['operator', 'component'] }));
  } catch (error) {
    return gatewayError('unauthenticated', {
      cause: error instanceof CodedError ? error : certError('cert-malformed', undefined, error),
    });
  }
}
