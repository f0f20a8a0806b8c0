import type { KubeObject } from '../object.ts';

/** An object as an API sent it. */
export interface RawObject {
  /** Empty for what belongs to no namespace. */
  readonly namespace: string;
  readonly name: string;
  /** Its `resourceVersion`, below 2^53. */
  readonly version: number;
  /**
   * The object's JSON as the API wrote it: valid, one line, with `apiVersion` and `kind` (which the items of a list may
   * lack there). Memory of its own: holding it holds nothing else.
   */
  readonly bytes: Buffer;
  /** The same, parsed; of the objects of a list anew at each reading. */
  readonly object: KubeObject;
}

/** One change. `added` is an object that was not there before, whatever the API called it. */
export interface RawEvent extends RawObject {
  /** For `deleted` the object is its last state; its version is that of the deletion where the API says it. */
  readonly type: 'added' | 'modified' | 'deleted';
}

/**
 * Where a reflector's objects go. Calls come one at a time; a promise that is returned is waited for, and reading the
 * API pauses meanwhile. A call must not throw: what it throws ends the reflector with that error.
 */
export interface ReflectorSink {
  /** The whole state as of `version`: what is not in it is gone. Only ever a complete list. */
  replace(objects: readonly RawObject[], version: number, reason: ReplaceReason): void | Promise<void>;
  apply(event: RawEvent): void | Promise<void>;
  /** Nothing that is not known yet has changed up to this version. */
  bookmark?(version: number): void;
}

/**
 * Why everything was listed: in the beginning; the API does not keep what is needed to go on; it sent what cannot be; a
 * comparison differed; somebody asked.
 */
export type ReplaceReason = 'first' | 'expired' | 'rubbish' | 'differs' | 'asked';

export interface ReflectorState {
  /** `waiting`: between two tries. */
  readonly phase: 'listing' | 'watching' | 'waiting' | 'closed';
  /** A complete list has been given to the sink. */
  readonly synced: boolean;
  /** What the sink has is the state as of this version. */
  readonly version: number | undefined;
  readonly objects: number;
  /** Milliseconds since the API last sent something that could be used; undefined: never. */
  readonly contactAgeMs: number | undefined;
  /** The last failure, until the API is well again. */
  readonly lastError: Error | undefined;
  readonly counters: Readonly<ReflectorCounters>;
}

/** Since the start. */
export interface ReflectorCounters {
  /** Complete lists, and those that failed or were cut off. */
  lists: number;
  failedLists: number;
  /** Watches that were opened, and those that failed for another reason than their end. */
  watches: number;
  failedWatches: number;
  /** Events that the sink got. */
  events: number;
  bookmarks: number;
  /** Events that were known already, and dropped. */
  repeated: number;
  /** Events older than what came before them, of objects that are not known. */
  disordered: number;
  /** Deletions of objects that are not known, dropped. */
  strays: number;
  /** Lists and events that cannot be: no JSON, no metadata, another kind, a version that is no number ... */
  rubbish: number;
  /** Times that the API did not keep what was needed to go on (410). */
  expired: number;
  /** Comparisons with a list of the same version, and those that the API could not serve. */
  comparisons: number;
  skippedComparisons: number;
  /** Objects that a comparison found to be different, missing, or too many. */
  differences: number;
}

export function noCounts(): ReflectorCounters {
  return {
    lists: 0,
    failedLists: 0,
    watches: 0,
    failedWatches: 0,
    events: 0,
    bookmarks: 0,
    repeated: 0,
    disordered: 0,
    strays: 0,
    rubbish: 0,
    expired: 0,
    comparisons: 0,
    skippedComparisons: 0,
    differences: 0,
  };
}
