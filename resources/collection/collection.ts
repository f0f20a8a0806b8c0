import type { KubeObject } from '../object.ts';
import type { ResourceType } from '../types/resource-type.ts';
import type { Selector } from './selector.ts';

/**
 * The objects of one resource at one place: in the store, in the cache of an edge, of all edges. What an API serves is a
 * collection, wherever its objects come from.
 *
 * **Versions** are positive integers below 2^53, one counter for all objects of a collection, in the order in which they
 * changed; on the wire a decimal string. An object's version is the one of its last change; a list's is the newest that it
 * has seen. **A watch from a list's version misses nothing and repeats nothing.**
 *
 * Every call throws a `CodedError` of `resources/`; what stands at the call.
 */
export interface Collection {
  readonly type: ResourceType;

  get(namespace: string, name: string, at?: VersionWish): Promise<HeldObject | undefined>;

  /** Sorted by namespace, then name, in the order of bytes; all of it as of one version. Throws `version-expired`, `version-too-new`. */
  list(query: ListQuery): Promise<ListPage>;

  /**
   * Changes behind a version. `wake` is called, never before `watch` has returned, when there is something to read after a
   * `read` that had nothing. Throws `version-expired` when what follows the version is not kept, `version-too-new`.
   */
  watch(query: WatchQuery, wake: () => void): Promise<ObjectWatch>;
}

/** An object as it is held, and as it goes out: nothing on the way to a reader parses it. */
export interface HeldObject {
  /** Empty for what belongs to no namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
  /** The whole object, `metadata.resourceVersion` included. Not to be changed: others hold the same. */
  readonly json: Buffer;
  readonly labels: Readonly<Record<string, string>>;
  /** What field selectors of its type see; without the name and the namespace. */
  readonly fields: Readonly<Record<string, string>>;
  /** Bytes that cannot be freed while it is held. Missing: those of `json`; for what makes its `json` only when it goes out. */
  readonly heldBytes?: number;
}

/** What an object counts against limits of memory. */
export function heldBytes(object: HeldObject): number {
  return object.heldBytes ?? object.json.length;
}

/** Kubernetes' `resourceVersion` with `resourceVersionMatch`. */
export type VersionWish =
  /** The newest there is. */
  | { readonly match: 'newest' }
  /** What there is now: `resourceVersion=0`. */
  | { readonly match: 'any' }
  | { readonly match: 'not-older-than'; readonly version: number }
  | { readonly match: 'exact'; readonly version: number };

export interface ListQuery {
  /** Default: all namespaces. */
  readonly namespace?: string;
  readonly selector: Selector;
  readonly at: VersionWish;
  /** At most so many objects; 0 or missing: all. */
  readonly limit?: number;
  /** Where an earlier page ended: its `next`. The version is that page's. */
  readonly from?: PagePosition;
  /** What the caller may see; missing: everything. */
  readonly visible?: (object: HeldObject) => boolean;
}

export interface ListPage {
  readonly version: number;
  readonly objects: readonly HeldObject[];
  /** Missing when nothing is left. */
  readonly next?: PagePosition;
  /** How many are left behind `next`, where that is known. */
  readonly remaining?: number;
}

export interface PagePosition {
  readonly version: number;
  /** The last object of the page. */
  readonly namespace: string;
  readonly name: string;
}

export interface WatchQuery {
  readonly namespace?: string;
  readonly selector: Selector;
  /** Changes behind this version; `any` and `newest` begin with an ADDED for each object that there is. */
  readonly from: number | 'any' | 'newest';
  readonly visible?: (object: HeldObject) => boolean;
}

/** An open watch. It is read, not fed: what a slow reader has not read costs nothing, and when it is not kept any more the watch ends. */
export interface ObjectWatch {
  /** The next events, at most `limit`; none when there is none for now. Throws `version-expired` when the reader fell behind what is kept. */
  read(limit: number): readonly WatchEvent[];
  /** All changes up to this version have been read: for bookmarks. */
  readonly version: number;
  /** Objects that there were in the beginning have all been read. */
  readonly isInitialDone: boolean;
  /** After this `wake` is not called any more. May be called twice. */
  close(): void;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** For DELETED the last state, with the version of the deletion. */
  readonly object: HeldObject;
  /** The line that goes out, made once for all who read this event. */
  readonly line: Buffer;
}

/** A collection that can be written, one object at a time, by compare and set. */
export interface WritableCollection extends Collection {
  /** Throws `object-exists`. */
  create(object: KubeObject): Promise<HeldObject>;

  /**
   * Reads, changes, writes, and begins again when another was faster. `change` may be called several times and throws what the
   * caller shall see; what it returns unchanged (the same reference) is not written; `undefined` deletes. Throws
   * `object-not-found`. Returns the object as it is now, or was before its deletion.
   */
  update(namespace: string, name: string, change: (current: KubeObject) => KubeObject | undefined): Promise<HeldObject>;
}
