import type { Clock, CodedError, Log, Timer } from '../../base/index.ts';
import type { Store } from '../../store/index.ts';
import {
  tunnelError,
  type Link,
  type Port,
  type Ticker,
  type TunnelLimits,
  type UplinkEvent,
} from '../../tunnel/index.ts';
import { PeerLinks, type PeerLinksOptions } from './peer-links.ts';
import { PresenceLease } from './presence-lease.ts';
import { PresenceMap, type KnownReplica } from './presence-map.ts';
import { edgeLinkKey, replicaId, replicaKey, type ReplicaRecord } from './presence.ts';
import { waysTo } from './reach.ts';

export interface PeeringOptions {
  readonly store: Store;
  readonly self: { readonly site: string; readonly name: string };
  /** Random, one a process. */
  readonly instance: string;
  readonly dial: PeerLinksOptions['dial'];
  readonly refusal: PeerLinksOptions['refusal'];
  readonly expiry: PeerLinksOptions['expiry'];
  /** Takes the streams of a peer's link that was dialed from here. */
  readonly attach: PeerLinksOptions['attach'];
  readonly cut: PeerLinksOptions['cut'];
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly limits: TunnelLimits;
  readonly log: Log;
  /** There may be another way to this edge now. */
  readonly onEdge: (edge: string) => void;
  /** Replicas, or links to them, have come or gone. */
  readonly onPeers: () => void;
  readonly onFault: (error: unknown) => void;
}

/** What a replica says of itself. */
export type OwnRecord = Omit<ReplicaRecord, 'instance' | 'site' | 'name' | 'startedAt'>;

/** What happens within this time is one change of a replica's record. */
const GATHER_MS = 1000;

/** An edge's link to this replica, as the others are told. */
export interface OwnLink {
  readonly epoch: number;
  readonly turn: number;
}

/**
 * This replica among the others: what it tells them of itself and of the edges that have links to it, what they tell, and the links
 * between them. All of it is in memory, kept fresh by the store's watch: while the store is silent it stays as it was.
 */
export class Peering {
  readonly self: string;
  readonly #options: PeeringOptions;
  readonly #lease: PresenceLease;
  readonly #links: PeerLinks;
  readonly #startedAt = new Date().toISOString();
  #map: PresenceMap | undefined;
  #gathering: Timer | undefined;
  /** Edges that this replica has told the others of. */
  readonly #told = new Set<string>();

  constructor(options: PeeringOptions) {
    this.#options = options;
    this.self = replicaId(options.self);
    const { store, clock, ticker, limits, dial, refusal, expiry, attach, cut, onPeers, onFault, instance } = options;
    this.#lease = new PresenceLease({ store, clock, onFault });
    this.#links = new PeerLinks({
      self: this.self,
      clock,
      ticker,
      limits,
      dial,
      refusal,
      expiry,
      attach,
      cut,
      hello: () => ({ role: 'replica', version: 1, instance }),
      onChange: onPeers,
      onEvent: (replica, event) => this.#logLink(replica, event),
    });
  }

  /** Begins to follow the others; resolves when all that there are is known. */
  async open(): Promise<void> {
    const { store, clock, onFault, onEdge } = this.#options;
    this.#map = await PresenceMap.open({
      store,
      clock,
      onFault,
      onEdge,
      onReplicas: () => this.#replicasChanged(),
      onGone: (key) => this.#lease.gone(key),
    });
    this.#replicasChanged();
  }

  /** All replicas that the store knows, this one too, by `site/name`. */
  get replicas(): ReadonlyMap<string, KnownReplica> {
    return this.#map?.replicas ?? new Map();
  }

  /** Of the store, at the last change of a replica. */
  get revision(): number {
    return this.#map?.revision ?? 0;
  }

  /** Replicas that have a link to this one. */
  get linked(): number {
    return this.#links.size;
  }

  /** Tells the others of this replica; resolves when the store has it, or cannot take it now. */
  async show(record: OwnRecord): Promise<void> {
    const { self, instance } = this.#options;
    const shown: ReplicaRecord = { ...record, ...self, instance, startedAt: this.#startedAt };
    this.#lease.set(replicaKey(this.self), shown);
    await this.#lease.settled();
  }

  /** What it says of itself has changed; what changes soon after that is told with it. */
  showSoon(record: () => OwnRecord): void {
    this.#gathering ??= this.#options.clock.after(GATHER_MS, () => {
      this.#gathering = undefined;
      void this.show(record());
    });
  }

  /** Tells the others of an edge's link to this replica; undefined: it has none. */
  showEdge(edge: string, own: OwnLink | undefined): void {
    if (own === undefined && !this.#told.has(edge)) return;
    if (own === undefined) this.#told.delete(edge);
    else this.#told.add(edge);
    this.#lease.set(edgeLinkKey(edge, this.self), own);
  }

  /** The newest epoch of an edge that any replica has told of. */
  epochOf(edge: string): number {
    return this.#map?.holders(edge)[0]?.epoch ?? 0;
  }

  /** Whether the edge's active link is at another replica, by what is known of the own one. */
  isElsewhere(edge: string, own: OwnLink | undefined): boolean {
    const [first] = this.#ways(edge, own);
    return first !== undefined && first !== this.self;
  }

  /** The port that reaches an edge: its own link, or that of a replica that has one, the one with the active link first. */
  portTo(edge: string, own: (OwnLink & { readonly link: Port }) | undefined): Port | undefined {
    for (const replica of this.#ways(edge, own)) {
      const port = replica === this.self ? own?.link : this.#links.find(replica);
      if (port !== undefined && !port.closed) return port;
    }
    return undefined;
  }

  /** A peer has dialed, and was let in. */
  accepted(replica: string, link: Link): void {
    this.#links.accepted(replica, link);
  }

  left(replica: string, link: Link): void {
    this.#links.left(replica, link);
  }

  /** Something was revoked: links to replicas that were dialed from here are asked about again. */
  review(): void {
    this.#links.review();
  }

  /** Leaves the others; the store forgets this replica at once if it answers. May be called twice. */
  async close(): Promise<void> {
    this.#gathering?.cancel();
    await this.#lease.close();
    this.#map?.close();
    this.#links.close(tunnelError('draining'));
  }

  #ways(edge: string, own: OwnLink | undefined): readonly string[] {
    return waysTo(own, this.#map?.holders(edge) ?? [], this.self);
  }

  #replicasChanged(): void {
    if (this.#map === undefined) return;
    this.#links.update(this.#map.replicas.values(), goneError());
    this.#options.onPeers();
  }

  #logLink(replica: string, event: UplinkEvent): void {
    const { log } = this.#options;
    if (event.kind === 'opened') log.info('peer-link-opened', { replica, target: event.target });
    else if (event.kind !== 'active')
      log[event.kind === 'closed' && event.isReplaced ? 'info' : 'warn'](`peer-link-${event.kind}`, {
        replica,
        target: event.target,
        code: event.reason.code,
        reason: event.reason.message,
      });
  }
}

function goneError(): CodedError {
  return tunnelError('link-closed', { detail: 'the replica is gone' });
}
