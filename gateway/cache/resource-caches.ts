import { BoundedMap, systemClock, type Clock, type Log } from '../../base/index.ts';
import { knownType, qualifiedName, type HeldObject, type ResourceType } from '../../resources/index.ts';
import type { DropReason, KindFollower, KindName } from './cached-kind.ts';
import { EdgeCache, type EdgeCacheHost } from './edge-cache.ts';
import { fedType } from './fed-type.ts';
import type { KindCopy } from './kind-copy.ts';
import { Snapshots } from './snapshots.ts';

export interface ResourceCachesOptions {
  readonly log: Log;
  readonly clock?: Clock;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly wallClock?: () => number;
  /** Memory for all copies together. Default 4 GiB. Whole kinds of an edge are evicted, those used least recently first. */
  readonly maxBytes?: number;
  /** Where copies are kept over a restart. Default: nowhere. */
  readonly snapshotFolder?: string | undefined;
  /** Between snapshots of an edge that changes. Default 300,000. */
  readonly snapshotEveryMs?: number;
  /** What is known of kinds that every Kubernetes has: columns and fields, which an edge does not tell. Default `knownType` of `resources/`. */
  readonly knownType?: (group: string, version: string, resource: string) => ResourceType | undefined;
}

/** Since the start. */
export interface CacheCounts {
  evictions: number;
  snapshotsLoaded: number;
  snapshotsWritten: number;
  /** Damaged, foreign, or not to be read or written. */
  snapshotFailures: number;
}

const MAX_COPIES = 10_000_000;
/** An evicted kind makes room before what is new may fill it. */
const ROOM = 0.95;

/** The copies that this replica holds of its edges' kinds. */
export class ResourceCaches {
  readonly counts: CacheCounts = {
    evictions: 0,
    snapshotsLoaded: 0,
    snapshotsWritten: 0,
    snapshotFailures: 0,
  };
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #log: Log;
  readonly #host: EdgeCacheHost;
  readonly #snapshots: Snapshots;
  readonly #edges = new Map<string, EdgeCache>();
  readonly #followers = new Map<string, Set<KindFollower>>();
  readonly #kindListeners = new Set<(edge: string) => void>();
  readonly #stateListeners = new Set<(edge: string) => void>();
  /** By use: those that somebody follows go last. */
  readonly #unfollowed = new BoundedMap<KindCopy, KindCopy>(MAX_COPIES);
  readonly #followed = new BoundedMap<KindCopy, KindCopy>(MAX_COPIES);
  readonly #bytesOf = new Map<KindCopy, number>();
  #bytes = 0;
  #isTrimming = false;

  constructor(options: ResourceCachesOptions) {
    const { clock = systemClock, wallClock = Date.now, maxBytes = 4 * 1024 ** 3, log } = options;
    const known = options.knownType ?? knownType;
    this.#clock = clock;
    this.#maxBytes = maxBytes;
    this.#log = log;
    this.#host = {
      clock,
      wallClock,
      typeOf: (kind) => fedType(kind, known(kind.group, kind.version, kind.resource)),
      hasRoom: () => this.#bytes < this.#maxBytes * ROOM,
      onHeld: (copy) => this.#onHeld(copy),
      onUsed: (copy) => this.#touch(copy),
      onDropped: (copy, reason) => this.#onDropped(copy, reason),
      onKindsChanged: (edge) => this.#kindListeners.forEach((listener) => listener(edge)),
      onPut: (copy, object) => this.#onPut(copy, object),
      onRemove: (copy, object) => this.#onRemove(copy, object),
      onState: (copy) => {
        this.#followersOf(copy).forEach((follower) => follower.state(copy.edge, copy));
        this.#stateListeners.forEach((listener) => listener(copy.edge));
      },
    };
    this.#snapshots = new Snapshots({
      folder: options.snapshotFolder,
      everyMs: options.snapshotEveryMs ?? 300_000,
      caches: this,
      clock,
      log,
    });
  }

  /**
   * Reads what was held of these edges before a restart, before anything is fed. What is damaged or foreign is left out, with a
   * log event; what is of other edges is deleted. Snapshots are written from then on.
   */
  async load(isKnown: (edge: string) => boolean = () => true): Promise<void> {
    await this.#snapshots.load(isKnown);
  }

  /** Writes what is held to disk. Nothing is fed any more by then. May be called twice. */
  async close(): Promise<void> {
    await this.#snapshots.close();
  }

  get edges(): readonly EdgeCache[] {
    return [...this.#edges.values()];
  }

  /** Memory that all copies take, about. */
  get bytes(): number {
    return this.#bytes;
  }

  find(edge: string): EdgeCache | undefined {
    return this.#edges.get(edge);
  }

  /** The cache of an edge, empty when it is new. */
  edge(name: string): EdgeCache {
    let cache = this.#edges.get(name);
    if (cache === undefined) {
      cache = new EdgeCache(name, this.#host);
      this.#edges.set(name, cache);
    }
    return cache;
  }

  /**
   * Follows a resource at all edges: within this call comes what is held now, for each edge its `state` and a `put` for each object, and
   * from then on every change.
   */
  follow(kind: KindName, follower: KindFollower): { close(): void } {
    const name = qualifiedName(kind);
    const followers = this.#followers.get(name) ?? new Set();
    this.#followers.set(name, followers);
    for (const { edge, copies } of this.#edges.values())
      for (const copy of copies) {
        if (qualifiedName(copy.description) !== name) continue;
        follower.state(edge, copy);
        for (const object of copy.objects) follower.put(edge, object);
        this.#touch(copy);
      }
    followers.add(follower);
    return {
      close: () => {
        followers.delete(follower);
      },
    };
  }

  /** Calls with the edge whenever a kind of it comes, is described anew, or goes. */
  onKindsChanged(listener: (edge: string) => void): { close(): void } {
    this.#kindListeners.add(listener);
    return { close: () => void this.#kindListeners.delete(listener) };
  }

  /** Calls with the edge whenever a kind of it stands otherwise than before: complete, connected, with a problem. */
  onStateChanged(listener: (edge: string) => void): { close(): void } {
    this.#stateListeners.add(listener);
    return { close: () => void this.#stateListeners.delete(listener) };
  }

  /** The edge was deleted: so is what is held of it, its snapshot too. */
  async forget(edge: string): Promise<void> {
    // The cache itself stays: whoever feeds it may not have noticed yet.
    this.#edges.get(edge)?.clear();
    await this.#snapshots.forget(edge);
  }

  /** What a copy takes may have changed; called now and then, and after each batch. */
  weigh(copies: Iterable<KindCopy>): void {
    for (const copy of copies) {
      const known = this.#bytesOf.get(copy);
      if (known === undefined) continue;
      const { bytes } = copy;
      this.#bytes += bytes - known;
      this.#bytesOf.set(copy, bytes);
    }
    if (this.#bytes > this.#maxBytes) this.#trimSoon();
  }

  #onHeld(copy: KindCopy): void {
    this.#bytesOf.set(copy, 0);
    this.#touch(copy);
    for (const follower of this.#followersOf(copy)) follower.state(copy.edge, copy);
  }

  #onDropped(copy: KindCopy, reason: DropReason): void {
    this.#bytes -= this.#bytesOf.get(copy) ?? 0;
    this.#bytesOf.delete(copy);
    this.#followed.delete(copy);
    this.#unfollowed.delete(copy);
    for (const follower of this.#followersOf(copy)) follower.dropped(copy.edge, reason);
  }

  #onPut(copy: KindCopy, object: HeldObject): void {
    for (const follower of this.#followersOf(copy)) follower.put(copy.edge, object);
  }

  #onRemove(copy: KindCopy, object: HeldObject): void {
    for (const follower of this.#followersOf(copy)) follower.remove(copy.edge, object);
  }

  #followersOf(copy: KindCopy): ReadonlySet<KindFollower> {
    return this.#followers.get(copy.name) ?? NOBODY;
  }

  #touch(copy: KindCopy): void {
    if (!this.#bytesOf.has(copy)) return;
    const isFollowed = this.#followersOf(copy).size > 0;
    (isFollowed ? this.#unfollowed : this.#followed).delete(copy);
    (isFollowed ? this.#followed : this.#unfollowed).set(copy, copy);
  }

  /** Not while a batch is applied: its records mean copies that are held. */
  #trimSoon(): void {
    if (this.#isTrimming) return;
    this.#isTrimming = true;
    this.#clock.afterInput(() => {
      this.#isTrimming = false;
      this.#trim();
    });
  }

  #trim(): void {
    while (this.#bytes > this.#maxBytes) {
      const copy = this.#unfollowed.pop() ?? this.#followed.pop();
      if (copy === undefined) return;
      this.counts.evictions++;
      this.#log.warn('cache-evicted', { edge: copy.edge, resource: copy.name, bytes: copy.bytes });
      this.#edges.get(copy.edge)?.drop(copy, 'evicted');
    }
  }
}

const NOBODY: ReadonlySet<KindFollower> = new Set();
