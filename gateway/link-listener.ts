import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import {
  identifyPeer,
  identityName,
  keyPinOf,
  linkServerTls,
  type Identity,
  type TlsCredentials,
} from '../certs/index.ts';
import { CodedError, codeOf, messageOf, type Clock, type Log } from '../base/index.ts';
import {
  Link,
  LINK_PATH,
  tunnelError,
  WsAcceptor,
  type LinkBody,
  type Ticker,
  type TunnelLimits,
  type Wire,
} from '../tunnel/index.ts';

/** What becomes of a link that was let in. */
export interface LinkGuest {
  readonly welcome: LinkBody;
  /** The handshake is over: takes the link's streams. */
  opened(): void;
  updated(body: LinkBody): void;
  closed(): void;
}

/** Who decides whether a link is let in. */
export interface LinkDoor {
  /** At the upgrade: throws a CodedError when this identity, or this key (`keyPinOf`), may not have a link. */
  admit(identity: Identity, keyPin: string): void;
  /** At HELLO: rejects with a CodedError, or takes the guest in. */
  greet(identity: Identity, hello: LinkBody, link: Link): Promise<LinkGuest>;
}

export interface LinkListenerOptions {
  readonly credentials: TlsCredentials;
  readonly door: LinkDoor;
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly limits: TunnelLimits;
  readonly log: Log;
}

/** Unauthenticated peers get this much and no more. */
const MAX_HEADER_BYTES = 8 * 1024;

/** The listener for links: mTLS, WebSocket, and nothing else. */
export class LinkListener {
  readonly server: Server;
  readonly #options: LinkListenerOptions;
  readonly #acceptor: WsAcceptor;
  readonly #links = new Map<Link, Identity>();
  #count = 0;

  constructor(options: LinkListenerOptions) {
    this.#options = options;
    this.#acceptor = new WsAcceptor(options.limits);
    this.server = createServer({
      ...linkServerTls(options.credentials),
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: options.limits.handshakeMs,
      requestTimeout: options.limits.handshakeMs,
      connectionsCheckingInterval: 1000,
    });
    this.server.on('request', (_request, response) => refuseRequest(response));
    this.server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
    this.server.on('tlsClientError', (error, socket) => {
      options.log.info('link-handshake-failed', {
        remote: socket.remoteAddress,
        code: codeOf(error),
        reason: messageOf(error),
      });
    });
  }

  get links(): ReadonlyMap<Link, Identity> {
    return this.#links;
  }

  /** Closes every link with this reason; the server is its owner's to close. */
  close(reason: CodedError): void {
    for (const link of this.#links.keys()) link.close(reason);
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { door, log } = this.#options;
    let identity: Identity;
    try {
      if (request.url !== LINK_PATH || !(socket instanceof TLSSocket))
        throw tunnelError('link-refused', { detail: 'no such path' });
      identity = identifyPeer(socket, {
        trust: this.#options.credentials.trust,
        kinds: ['edge', 'operator', 'component'],
      });
      door.admit(identity, pinOf(socket));
    } catch (error) {
      log.warn('link-refused', { remote: request.socket.remoteAddress, error });
      refuseUpgrade(socket, error instanceof CodedError ? error : tunnelError('link-refused', { cause: error }));
      return;
    }
    this.#acceptor.accept(request, socket, head, (wire) => this.#onWire(identity, wire));
  }

  #onWire(identity: Identity, wire: Wire): void {
    const { clock, ticker, limits, log } = this.#options;
    const id = `${identityName(identity)}#${++this.#count}`;
    let guest: LinkGuest | undefined;
    const link: Link = new Link({
      id,
      wire,
      role: 'acceptor',
      clock,
      ticker,
      limits,
      user: {
        onHello: (hello) => {
          void this.#greet(identity, hello, link).then((greeted) => {
            guest = greeted;
            if (guest !== undefined) link.welcome(guest.welcome);
          });
        },
        onOpen: () => {
          log.info('link-opened', { link: id, remote: link.remote });
          guest?.opened();
        },
        onUpdate: (body) => guest?.updated(body),
        onGoaway: () => {},
        onClose: (reason) => {
          this.#links.delete(link);
          log.info('link-closed', { link: id, code: reason.code, reason: reason.message });
          guest?.closed();
        },
      },
    });
    this.#links.set(link, identity);
  }

  /** Undefined when the link was turned down, and told why. */
  async #greet(identity: Identity, hello: LinkBody, link: Link): Promise<LinkGuest | undefined> {
    try {
      return await this.#options.door.greet(identity, hello, link);
    } catch (error) {
      this.#options.log.warn('link-refused', { link: link.id, error });
      link.close(error instanceof CodedError ? error : tunnelError('link-refused', { cause: error }));
      return undefined;
    }
  }
}

function pinOf(socket: TLSSocket): string {
  const leaf = socket.getPeerX509Certificate();
  return leaf === undefined ? '' : keyPinOf(leaf);
}

function refuseRequest(response: ServerResponse): void {
  response.writeHead(426, { 'Connection': 'close', 'Upgrade': 'websocket', 'Content-Length': 0 });
  response.end();
}

/** Says why, so that the other side can log it and keep away for a while. */
function refuseUpgrade(socket: Duplex, error: CodedError): void {
  const retrySeconds = Math.ceil((error.retryAfterMs ?? 0) / 1000);
  const lines = [
    `HTTP/1.1 ${error.status} Refused`,
    'Connection: close',
    'Content-Length: 0',
    `Causeway-Code: ${error.code}`,
    `Causeway-Reason: ${error.message.replaceAll(/[^\x20-\x7e]/gu, '?').slice(0, 512)}`,
    ...(retrySeconds > 0 ? [`Retry-After: ${retrySeconds}`] : []),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n`);
  socket.on('error', () => {});
}
