import type { Clock, CodedError } from '../../base/index.ts';
import {
  Uplink,
  type Link,
  type LinkBody,
  type Ticker,
  type TunnelLimits,
  type UplinkEvent,
  type UplinkOptions,
  type Wire,
} from '../../tunnel/index.ts';
import type { PeerExpiry } from '../peer-expiry.ts';
import type { Peer } from '../peer.ts';
import { replicaId, type ReplicaRecord } from './presence.ts';

export interface PeerLinksOptions {
  /** `site/name` of this replica. */
  readonly self: string;
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly limits: TunnelLimits;
  /** Dials a replica; rejects where another one answers, or one that is not accepted. Tells who answered. */
  readonly dial: (replica: string, target: string) => Promise<{ readonly wire: Wire; readonly peer: Peer }>;
  /** Why a replica that has answered is not accepted any more; undefined when it is. */
  readonly refusal: (peer: Peer) => CodedError | undefined;
  /** Ends links that were dialed from here, too. */
  readonly expiry: Pick<PeerExpiry, 'add'>;
  readonly hello: () => LinkBody;
  /** Takes the streams of a peer's link. */
  readonly attach: (replica: string, link: Link) => ReturnType<UplinkOptions['endpoint']['attach']>;
  /** Ends a link and, for good, what passes over it. */
  readonly cut: (link: Link, reason: CodedError) => void;
  /** A link to this replica came or went. */
  readonly onChange: (replica: string) => void;
  readonly onEvent: (replica: string, event: UplinkEvent) => void;
}

interface Dialed {
  readonly instance: string;
  readonly address: string;
  readonly uplink: Uplink;
  /** Who answered, for each link that is open. */
  readonly links: Map<Link, Peer>;
}

/** One link to every other replica. Of two the one whose name comes first dials. */
export class PeerLinks {
  readonly #options: PeerLinksOptions;
  readonly #dialed = new Map<string, Dialed>();
  readonly #accepted = new Map<string, Set<Link>>();

  constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  /** These are the replicas now; links to those that are gone are closed by whoever notices first. */
  update(replicas: Iterable<ReplicaRecord>, reason: CodedError): void {
    const gone = new Set(this.#dialed.keys());
    for (const record of replicas) {
      const replica = replicaId(record);
      gone.delete(replica);
      if (replica > this.#options.self) this.#keep(replica, record, reason);
    }
    for (const replica of gone) this.#drop(replica, reason);
  }

  /** A peer has dialed. */
  accepted(replica: string, link: Link): void {
    const links = this.#accepted.get(replica) ?? new Set();
    links.add(link);
    this.#accepted.set(replica, links);
    this.#options.onChange(replica);
  }

  left(replica: string, link: Link): void {
    this.#accepted.get(replica)?.delete(link);
    this.#options.onChange(replica);
  }

  /** The link to a replica; undefined when there is none at the moment. */
  find(replica: string): Link | undefined {
    const dialed = this.#dialed.get(replica)?.uplink.activeLink;
    if (dialed !== undefined && dialed.open) return dialed;
    return [...(this.#accepted.get(replica) ?? [])].findLast((link) => !link.closed);
  }

  /** Replicas with a link now. */
  get size(): number {
    return [...new Set([...this.#dialed.keys(), ...this.#accepted.keys()])].filter(
      (replica) => this.find(replica) !== undefined,
    ).length;
  }

  /** Something was revoked, or is not any more: links that were dialed from here are asked about; whose links came in asks the link listener. */
  review(): void {
    for (const { links, uplink } of this.#dialed.values()) {
      // Before what is cut now: that stays away for a while, and for who is revoked no more this was long enough.
      uplink.hurry();
      for (const [link, peer] of links) this.#reviewLink(link, peer);
    }
  }

  close(reason: CodedError): void {
    for (const replica of [...this.#dialed.keys()]) this.#drop(replica, reason);
    for (const links of this.#accepted.values()) for (const link of links) link.close(reason);
  }

  #keep(replica: string, { instance, address }: ReplicaRecord, reason: CodedError): void {
    const known = this.#dialed.get(replica);
    if (known?.instance === instance && known.address === address) return;
    this.#drop(replica, reason);
    const { clock, ticker, limits, dial, hello, onChange, onEvent } = this.#options;
    const links = new Map<Link, Peer>();
    // One link is dialed after the other: the next that opens is his.
    let answered: Peer | undefined;
    const uplink: Uplink = new Uplink({
      clock,
      ticker,
      limits,
      links: 1,
      targets: () => [{ address }],
      dial: async (target) => {
        const { wire, peer } = await dial(replica, target);
        answered = peer;
        return wire;
      },
      hello,
      // Streams pass through: nobody here waits for a path.
      endpoint: {
        attach: (link) => this.#attach(replica, link, answered, links, () => uplink.renew()),
        prefer() {},
        detachedStreams: 0,
      },
      onEvent: (event) => {
        onEvent(replica, event);
        onChange(replica);
      },
    });
    this.#dialed.set(replica, { instance, address, uplink, links });
    uplink.start();
  }

  #attach(
    replica: string,
    link: Link,
    peer: Peer | undefined,
    links: Map<Link, Peer>,
    renew: () => void,
  ): ReturnType<PeerLinksOptions['attach']> {
    const user = this.#options.attach(replica, link);
    if (peer === undefined) return user;
    links.set(link, peer);
    const forgotten = this.#options.expiry.add({ peer, leave: renew, end: (reason) => link.close(reason) });
    this.#reviewLink(link, peer);
    return {
      onFrame: (frame) => user.onFrame(frame),
      onClose: (reason) => {
        links.delete(link);
        forgotten();
        user.onClose(reason);
      },
    };
  }

  #reviewLink(link: Link, peer: Peer): void {
    const reason = this.#options.refusal(peer);
    if (reason !== undefined && !link.closed) this.#options.cut(link, reason);
  }

  #drop(replica: string, reason: CodedError): void {
    this.#dialed.get(replica)?.uplink.close(reason);
    if (this.#dialed.delete(replica)) this.#options.onChange(replica);
  }
}
