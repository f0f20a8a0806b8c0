import type { X509Certificate } from 'node:crypto';
import { repeat, type Clock, type CodedError, type Timer } from '../base/index.ts';
import { tunnelError } from '../tunnel/index.ts';
import type { Peer } from './peer.ts';

export interface PeerExpiryOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Issuers that a trusted root vouches for, as far as they are known here. */
  readonly issuers: () => readonly X509Certificate[];
  /** A handshake that began before a root left is over by then. */
  readonly handshakeMs: number;
  readonly onFault: (error: unknown) => void;
}

/** A connection that stands on its peer's certificate. */
export interface HeldConnection {
  readonly peer: Peer;
  /** Its time is nearly over: whoever has a better certificate may come again meanwhile, new before old. */
  leave(windowMs: number): void;
  end(reason: CodedError): void;
}

interface Held {
  readonly connection: HeldConnection;
  /** It was opened while a root was trusted that has left since. */
  isDoubtful: boolean;
  ending: { readonly at: number; readonly reason: CodedError } | undefined;
}

/** How often it is looked; one timer for all connections. */
const LOOK_MS = 1000;
/** From the end of a certificate to the end of what stands on it. */
const EXPIRED_GRACE_MS = 10_000;
/** The same where nobody here knows whether another root vouches for the peer: that is found out by a new handshake. */
const DOUBTFUL_GRACE_MS = 60_000;
/** A signature takes some 0.2 ms to verify, and whoever is doubtful comes again: not all at once. */
const DOUBTFUL_AT_ONCE = 200;

/**
 * Ends connections whose handshake would not be accepted any more: the certificate has expired, or the root that vouched for it is
 * trusted no more. TLS looks at that once only.
 */
export class PeerExpiry {
  readonly #options: PeerExpiryOptions;
  readonly #held = new Set<Held>();
  readonly #timer: Timer;
  #doubtUntil = -Infinity;

  constructor(options: PeerExpiryOptions) {
    this.#options = options;
    this.#timer = repeat(options.clock, LOOK_MS, () => this.look(), options.onFault);
  }

  /** Returns what takes it out again, once it has ended. */
  add(connection: HeldConnection): () => void {
    const isDoubtful = this.#options.clock.now() < this.#doubtUntil;
    const held: Held = { connection, isDoubtful, ending: undefined };
    this.#held.add(held);
    return () => void this.#held.delete(held);
  }

  /** A root has left those that are trusted: who is connected may be vouched for by no other. */
  rootLeft(): void {
    const { clock, handshakeMs } = this.#options;
    this.#doubtUntil = clock.now() + handshakeMs;
    for (const held of this.#held) held.isDoubtful = true;
  }

  /** For the timer, and for tests. */
  look(): void {
    const { clock, wallClock, issuers } = this.#options;
    const now = clock.now();
    const wallNow = wallClock();
    let known: readonly X509Certificate[] | undefined;
    let checks = DOUBTFUL_AT_ONCE;
    for (const held of this.#held) {
      const { connection, ending } = held;
      if (ending !== undefined) {
        if (now < ending.at) continue;
        this.#held.delete(held);
        connection.end(ending.reason);
      } else if (connection.peer.notAfter <= wallNow) {
        this.#leave(held, EXPIRED_GRACE_MS, `the certificate of ${connection.peer.principal} has expired`);
      } else if (held.isDoubtful && checks > 0) {
        checks -= 1;
        known ??= issuers();
        held.isDoubtful = false;
        if (!known.some((issuer) => connection.peer.isIssuedBy(issuer)))
          this.#leave(
            held,
            DOUBTFUL_GRACE_MS,
            `a root is trusted no more: ${connection.peer.principal} has to come again`,
          );
      }
    }
  }

  close(): void {
    this.#timer.cancel();
    this.#held.clear();
  }

  #leave(held: Held, graceMs: number, detail: string): void {
    held.ending = { at: this.#options.clock.now() + graceMs, reason: tunnelError('link-closed', { detail }) };
    held.connection.leave(graceMs);
  }
}
