import type { Clock } from '../../base/index.ts';
import type { Store } from '../../store/index.ts';
import { StoreMirror } from '../store-mirror.ts';
import {
  EDGE_LINKS,
  edgeLinkOf,
  parseEdgeLinkRecord,
  parseReplicaRecord,
  REPLICAS,
  type EdgeLinkRecord,
  type ReplicaRecord,
} from './presence.ts';

export interface PresenceMapOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Told of an edge whose links to any replica have changed. */
  readonly onEdge: (edge: string) => void;
  /** Told when replicas come, go or change. */
  readonly onReplicas: () => void;
  /** Told of a key that was there and is not any more. */
  readonly onGone?: (key: string) => void;
  readonly onFault: (error: unknown) => void;
}

/** A replica's record, and the revision that wrote it. */
export type KnownReplica = ReplicaRecord & { readonly revision: number };

/** All replicas, and the links of all edges to them, in memory: what the store says, kept while it is silent. */
export class PresenceMap {
  readonly #replicas = new Map<string, KnownReplica>();
  /** That of an empty store is 1. */
  #revision = 1;
  readonly #edges = new Map<string, Map<string, EdgeLinkRecord>>();
  #mirrors: readonly { close(): void }[] = [];

  static async open(options: PresenceMapOptions): Promise<PresenceMap> {
    const map = new PresenceMap();
    const { store, clock, onFault, onEdge, onReplicas, onGone = () => {} } = options;
    map.#mirrors = await Promise.all([
      StoreMirror.open({
        store,
        clock,
        onFault,
        prefix: REPLICAS,
        parse: parseReplicaRecord,
        onChange: (replica, record, revision) => {
          map.#revision = Math.max(map.#revision, revision);
          if (record === undefined) map.#replicas.delete(replica);
          else map.#replicas.set(replica, { ...record, revision });
          if (record === undefined) onGone(REPLICAS + replica);
          onReplicas();
        },
      }),
      StoreMirror.open({
        store,
        clock,
        onFault,
        prefix: EDGE_LINKS,
        parse: parseEdgeLinkRecord,
        onChange: (key, record) => {
          const { edge, replica } = edgeLinkOf(key);
          map.#setLink(edge, replica, record);
          if (record === undefined) onGone(EDGE_LINKS + key);
          onEdge(edge);
        },
      }),
    ]);
    return map;
  }

  private constructor() {}

  /** By `site/name`. */
  get replicas(): ReadonlyMap<string, KnownReplica> {
    return this.#replicas;
  }

  /** Of the last change of a replica. */
  get revision(): number {
    return this.#revision;
  }

  /** The replicas that an edge's newest instance has links to, the one with the active link first. */
  holders(edge: string): readonly (EdgeLinkRecord & { readonly replica: string })[] {
    const links = [...(this.#edges.get(edge) ?? [])].map(([replica, record]) => ({ ...record, replica }));
    const newest = Math.max(...links.map(({ epoch }) => epoch));
    return links.filter(({ epoch }) => epoch === newest).toSorted((one, other) => other.turn - one.turn);
  }

  close(): void {
    for (const mirror of this.#mirrors) mirror.close();
  }

  #setLink(edge: string, replica: string, record: EdgeLinkRecord | undefined): void {
    const links = this.#edges.get(edge) ?? new Map<string, EdgeLinkRecord>();
    if (record === undefined) links.delete(replica);
    else links.set(replica, record);
    if (links.size === 0) this.#edges.delete(edge);
    else this.#edges.set(edge, links);
  }
}
