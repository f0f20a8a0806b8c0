import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { CodedError, codeOf } from '../base/index.ts';
import { certError, type TlsCredentials } from '../certs/index.ts';
import { gatewayError } from './gateway-error.ts';
import type { PeerExpiry } from './peer-expiry.ts';
import { peerOf, type Peer } from './peer.ts';
import type { Revocations } from './revocation/index.ts';

export interface ApiPeersOptions {
  readonly credentials: TlsCredentials;
  readonly revocations: Pick<Revocations, 'refusal'>;
  /** Ends connections whose certificate would not be accepted any more. */
  readonly expiry: Pick<PeerExpiry, 'add'>;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

/**
 * Who is at the other end of each connection of the API: found once a connection, since that does not change. Whether he is
 * still accepted does, and is asked for each request.
 */
export class ApiPeers {
  readonly #options: ApiPeersOptions;
  /** In place of a peer: why there is none. */
  readonly #found = new Map<Socket, Peer | CodedError>();
  /** Whose next request is the last on this connection. */
  readonly #leaving = new WeakSet<Socket>();

  constructor(options: ApiPeersOptions) {
    this.#options = options;
  }

  /** A handshake is over. Returns why the certificate that was shown is not accepted, if one was. */
  add(socket: TLSSocket): unknown {
    const found = this.#identify(socket);
    this.#found.set(socket, found);
    const forgotten =
      found instanceof CodedError
        ? undefined
        : this.#options.expiry.add({
            peer: found,
            leave: () => void this.#leaving.add(socket),
            end: () => void socket.destroy(),
          });
    socket.once('close', () => {
      this.#found.delete(socket);
      forgotten?.();
    });
    return found instanceof CodedError && codeOf(found.cause) !== 'cert-missing' ? found.cause : undefined;
  }

  /** Whether the handshake proved who is there, and still counts: else the connection is not kept. */
  mayStay(socket: Socket): boolean {
    const found = this.#found.get(socket);
    const isKnown = found !== undefined && !(found instanceof CodedError);
    return isKnown && !this.#leaving.has(socket) && !this.#hasExpired(found);
  }

  /** Who the handshake proved to be there, still accepted or not; empty when nobody. */
  nameAt(socket: Socket): string {
    const found = this.#found.get(socket);
    return found === undefined || found instanceof CodedError ? '' : found.principal;
  }

  /** Throws `unauthenticated`, `revoked`. */
  principalOf({ socket }: Pick<IncomingMessage, 'socket'>): string {
    const found = this.#found.get(socket) ?? gatewayError('unauthenticated');
    if (found instanceof CodedError) throw found;
    if (this.#hasExpired(found)) throw gatewayError('unauthenticated', { cause: certError('cert-expired') });
    const revoked = this.#options.revocations.refusal(found.identity, found);
    if (revoked !== undefined) throw revoked;
    return found.principal;
  }

  /** Something was revoked: connections that it hits are cut, with what is asked and watched on them. */
  review(): void {
    for (const [socket, found] of this.#found) {
      const isRevoked =
        !(found instanceof CodedError) && this.#options.revocations.refusal(found.identity, found) !== undefined;
      if (isRevoked) socket.destroy();
    }
  }

  #hasExpired({ notAfter }: Peer): boolean {
    return notAfter <= this.#options.wallClock();
  }

  #identify(socket: TLSSocket): Peer | CodedError {
    try {
      return peerOf(socket, { trust: this.#options.credentials.trust, kinds: ['operator', 'component'] });
    } catch (error) {
      return gatewayError('unauthenticated', {
        cause: error instanceof CodedError ? error : certError('cert-malformed', undefined, error),
      });
    }
  }
}
