import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { handshakeFailure, linkServerTls, type IdentityKind, type TlsCredentials } from '../certs/index.ts';
import { CodedError, type Clock, type Log } from '../base/index.ts';
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

import { LinkAudit, noAudit, type Audit } from './audit/index.ts';
import { Newcomers } from './newcomers.ts';
import { remoteOf } from './peer-address.ts';
import type { PeerExpiry } from './peer-expiry.ts';
import { peerOf, type Peer } from './peer.ts';
import { requireProxyHeaders } from './proxy-protocol.ts';
import { StrangerLog } from './stranger-log.ts';

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
  /** At the upgrade, and whenever something changes: throws a CodedError when this peer may not have a link. */
  admit(peer: Peer): void;
  /** At HELLO: rejects with a CodedError, or takes the guest in. */
  greet(peer: Peer, hello: LinkBody, link: Link): Promise<LinkGuest>;
  /** `admit` allows this link no more: ends it, with all its streams. */
  expel(peer: Peer, link: Link, reason: CodedError): void;
}

export interface LinkListenerOptions {
  readonly credentials: TlsCredentials;
  readonly door: LinkDoor;
  /** Who may have links here. Default all. */
  readonly kinds?: readonly IdentityKind[];
  /** A load balancer before this listener says where connections come from. Default `off`. */
  readonly proxyProtocol?: 'off' | 'v1v2';
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly limits: TunnelLimits;
  /** Ends links whose certificate would not be accepted any more. */
  readonly expiry?: Pick<PeerExpiry, 'add'>;
  readonly audit?: Audit;
  readonly log: Log;
}

const ALL: readonly IdentityKind[] = ['edge', 'operator', 'component', 'replica'];

/** Unauthenticated peers get this much and no more. */
const MAX_HEADER_BYTES = 8 * 1024;

/** Who comes while the replica drains is to try another one first. */
const DRAINING_RETRY_MS = 1000;

/** The listener for links: mTLS, WebSocket, and nothing else. */
export class LinkListener {
  readonly server: Server;
  readonly #options: LinkListenerOptions;
  readonly #acceptor: WsAcceptor;
  readonly #newcomers: Newcomers;
  readonly #audit: LinkAudit;
  readonly #strangers: StrangerLog;
  readonly #links = new Map<Link, Peer>();
  /** The same, by principal. */
  readonly #linksOf = new Map<string, Set<Link>>();
  #count = 0;
  #isDraining = false;
  /** Of `handOver`: the last edge or client has gone. */
  readonly #left = Promise.withResolvers<void>();

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
      const [remote, failure] = [remoteOf(socket), handshakeFailure(error, socket)];
      this.#strangers.tell('link-handshake-failed', { remote, error: failure });
      this.#audit.refused(undefined, remote, failure);
    });
    const { clock, limits, log } = options;
    this.#strangers = new StrangerLog(log, clock);
    this.#audit = new LinkAudit(options.audit ?? noAudit, clock);
    this.#newcomers = new Newcomers(this.server, { clock, handshakeMs: limits.handshakeMs });
    if (options.proxyProtocol === 'v1v2') requireProxyHeaders(this.server, log);
  }

  /** Connections that have not said who they are, or what they want. */
  get newcomers(): Pick<Newcomers, 'waiting' | 'cut'> {
    return this.#newcomers;
  }

  get links(): ReadonlyMap<Link, Peer> {
    return this.#links;
  }

  /**
   * Takes no new link, and asks the edges and clients that have one to go to another replica. Resolves when all have gone, or the
   * time is over; streams notice nothing of it.
   */
  async handOver(windowMs: number): Promise<void> {
    this.#isDraining = true;
    for (const [link, { identity }] of this.#links)
      if (identity.kind !== 'replica' && link.open) link.goaway({ code: 'draining', windowMs });
    const timer = this.#options.clock.after(windowMs, () => this.#left.resolve());
    this.#tellIfLeft();
    await this.#left.promise;
    timer.cancel();
  }

  /** Closes every link with this reason; the server is its owner's to close. */
  close(reason: CodedError): void {
    for (const link of this.#links.keys()) link.close(reason);
  }

  /**
   * Asks the door again, for the links of one principal or for all, also for those whose handshake is not over: who may not have
   * one any more is cut off before this returns.
   */
  review(principal?: string): void {
    const { door } = this.#options;
    const links = principal === undefined ? this.#links.keys() : (this.#linksOf.get(principal) ?? []);
    for (const link of [...links]) {
      const peer = this.#links.get(link);
      if (peer === undefined || link.closed) continue;
      try {
        door.admit(peer);
      } catch (error) {
        door.expel(peer, link, refusalOf(error));
      }
    }
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { door } = this.#options;
    let peer: Peer | undefined;
    try {
      if (request.url !== LINK_PATH || !(socket instanceof TLSSocket))
        throw tunnelError('link-refused', { detail: 'no such path' });
      peer = peerOf(socket, {
        trust: this.#options.credentials.trust,
        kinds: this.#options.kinds ?? ALL,
      });
      door.admit(peer);
      if (this.#isDraining) throw tunnelError('draining', { retryAfterMs: DRAINING_RETRY_MS });
    } catch (error) {
      const remote = remoteOf(request.socket);
      const principal = peer?.principal;
      this.#strangers.tell('link-refused', { remote, principal, error }, peer === undefined ? 'unknown' : 'known');
      this.#audit.refused(peer, remote, error);
      // Whose certificate is not accepted is told nothing.
      if (peer === undefined) refuseUnknown(socket);
      else refuseUpgrade(socket, refusalOf(error));
      return;
    }
    this.#acceptor.accept(request, socket, head, (wire) => this.#onWire(peer, wire, socket));
  }

  #onWire(peer: Peer, wire: Wire, socket: TLSSocket): void {
    const { clock, ticker, limits, log } = this.#options;
    const id = `${peer.principal}#${++this.#count}`;
    let guest: LinkGuest | undefined;
    let ended: ((reason: CodedError) => void) | undefined;
    const link: Link = new Link({
      id,
      wire,
      role: 'acceptor',
      clock,
      ticker,
      limits,
      user: {
        onHello: (hello) => {
          this.#newcomers.welcome(socket);
          void this.#greet(peer, hello, link).then((greeted) => {
            guest = greeted;
            if (guest !== undefined) link.welcome(guest.welcome);
          });
        },
        onOpen: () => {
          log.info('link-opened', { link: id, remote: link.remote });
          ended = this.#audit.opened(peer, remoteOf(socket));
          guest?.opened();
        },
        onUpdate: (body) => guest?.updated(body),
        onGoaway: () => {},
        onClose: (reason) => {
          forgotten?.();
          this.#forget(peer, link);
          log.info('link-closed', { link: id, code: reason.code, reason: reason.message });
          ended?.(reason);
          guest?.closed();
        },
      },
    });
    const forgotten = this.#options.expiry?.add({
      peer,
      leave: (windowMs) => link.goaway({ reason: 'the certificate of this link ends', windowMs }),
      end: (reason) => link.close(reason),
    });
    this.#links.set(link, peer);
    const links = this.#linksOf.get(peer.principal) ?? new Set();
    this.#linksOf.set(peer.principal, links.add(link));
  }

  #forget({ principal }: Peer, link: Link): void {
    this.#links.delete(link);
    const links = this.#linksOf.get(principal);
    links?.delete(link);
    if (links?.size === 0) this.#linksOf.delete(principal);
    if (this.#isDraining) this.#tellIfLeft();
  }

  #tellIfLeft(): void {
    if ([...this.#links.values()].every(({ identity }) => identity.kind === 'replica')) this.#left.resolve();
  }

  /** Undefined when the link was turned down, and told why. */
  async #greet(peer: Peer, hello: LinkBody, link: Link): Promise<LinkGuest | undefined> {
    try {
      return await this.#options.door.greet(peer, hello, link);
    } catch (error) {
      this.#strangers.tell('link-refused', { link: link.id, remote: link.remote, error }, 'known');
      this.#audit.refused(peer, link.remote, error);
      link.close(refusalOf(error));
      return undefined;
    }
  }
}

function refusalOf(error: unknown): CodedError {
  return error instanceof CodedError ? error : tunnelError('link-refused', { cause: error });
}

function refuseRequest(response: ServerResponse): void {
  response.writeHead(426, { 'Connection': 'close', 'Upgrade': 'websocket', 'Content-Length': 0 });
  response.end();
}

function refuseUnknown(socket: Duplex): void {
  socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  socket.on('error', () => {});
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
