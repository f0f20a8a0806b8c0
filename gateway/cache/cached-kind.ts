import type { HeldObject, ResourceType, WatchCache } from '../../resources/index.ts';

/** A kind by its names: `{ group: '', resource: 'pods' }`. The version is the one that the edge prefers. */
export interface KindName {
  readonly group: string;
  readonly resource: string;
}

/** How far a kind of an edge can be trusted at this moment. */
export interface Freshness {
  /** Milliseconds since 1970 at which the copy was last proven to be what the edge's API had. Undefined: never yet. */
  readonly syncedAt: number | undefined;
  /** Whole milliseconds since `syncedAt`, up to some 5,000 on a quiet feed that is well; Infinity: never yet. */
  readonly ageMs: number;
  /** Everything is held: a list may be made of it. Once true it stays so without the feed, and ages. */
  readonly isComplete: boolean;
  /** The feed is open, and was heard of in time. */
  readonly isConnected: boolean;
  /** What is wrong with this kind at the edge's API, as the agent says; `since` is in milliseconds since 1970. */
  readonly problem?: { readonly reason: string; readonly message: string; readonly since: number };
}

/** One kind of one edge, held in memory. */
export interface CachedKind extends KindName {
  readonly edge: string;
  readonly type: ResourceType;
  /** Gets, lists and watches with the edge's own versions. */
  readonly collection: WatchCache;
  readonly freshness: Freshness;
  /** Memory that it takes, about. */
  readonly bytes: number;
}

/** What happens to one resource at all edges, in order for each edge. Called while a batch is applied: be quick, never throw. */
export interface KindFollower {
  /** The kind of this edge is held from now on, or stands otherwise than before: complete, connected, with a problem or without. */
  state(edge: string, kind: CachedKind): void;
  put(edge: string, object: HeldObject): void;
  /** `object` is its last state. */
  remove(edge: string, object: HeldObject): void;
  /**
   * Not held any more, and nothing is known to be deleted: `evicted` (fed again when there is room, or a reader uses it), `not-fed`
   * (the edge feeds another version of it, or it begins anew), `deleted` (the edge was).
   */
  dropped(edge: string, reason: DropReason): void;
}

export type DropReason = 'evicted' | 'not-fed' | 'deleted';
