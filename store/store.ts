/**
 * The store that decides: what replicas have to agree on is a compare-and-set transaction in it. The interface is what
 * etcd can promise, no more, so that the embedded store and etcd are exchangeable. `test/store/store-contract.ts` is its
 * meaning, in tests.
 *
 * **Revisions.** One counter for the whole store, risen by one by every transaction that changes something. A state of the
 * store is its revision; all changes of one transaction have the same.
 *
 * **Linearizable.** A read sees every transaction that was answered before the read began.
 *
 * Every call throws a `CodedError`: `store-closed`, `store-failed`, and what stands at the call.
 */
export interface Store {
  /** The key's entry; undefined when there is none. */
  get(key: string): Promise<Entry | undefined>;

  /** All entries whose key begins with `prefix`, in the order of their keys' bytes, as of one revision. */
  range(prefix: string): Promise<Range>;

  /**
   * Applies all operations if all comparisons hold, else none. A transaction that changes nothing (deletes of keys that
   * are not there) leaves the revision as it is. Throws `store-invalid` beyond the limits and when a key is written twice,
   * `lease-unknown` for a put under a lease that has ended.
   */
  txn(txn: Txn): Promise<TxnResult>;

  /**
   * Hears of every change of keys that begin with `prefix`: each once, in the order of revisions, all changes of one
   * revision in one batch, none left out. `onEvents` is never called before `watch` has returned, and must not throw.
   * `onEnd` is called once if the watch ends for another reason than its `close`: `compacted` when `fromRevision` is not
   * kept any more (or the watch has fallen behind what is kept), `store-closed`.
   */
  watch(options: WatchOptions, onEvents: (batch: EventBatch) => void, onEnd: (error: Error) => void): Watch;

  /** Gives up the history up to this revision, and including it: watches from `revision` + 1 on still work. */
  compact(revision: number): Promise<void>;

  /**
   * Makes a lease: keys that are put under it are deleted, in one revision, when it is not kept alive for its time to live.
   * A store may round that up to whole seconds, and grants it in full again after its own restart.
   */
  grantLease(ttlMs: number): Promise<Lease>;

  /** Makes the lease last its whole time again. Throws `lease-unknown` when it has ended. */
  keepAlive(lease: string): Promise<void>;

  /** Ends the lease and deletes its keys, in one revision. Ending one that has ended does nothing. */
  revokeLease(lease: string): Promise<void>;

  /** Ends all watches and gives the store back. May be called twice. */
  close(): Promise<void>;
}

/** One key of the store. */
export interface Entry {
  readonly key: string;
  /** Not to be changed: others may hold the same. */
  readonly value: Buffer;
  /** The revision that made the key, since it was last absent. */
  readonly createRevision: number;
  /** The revision that last wrote it. */
  readonly modRevision: number;
  readonly lease: string | undefined;
}

export interface Range {
  /** The revision that this is the state of: a watch from `revision` + 1 misses nothing. */
  readonly revision: number;
  readonly entries: readonly Entry[];
}

export interface Txn {
  /** Default: none, always applied. */
  readonly if?: readonly Compare[];
  readonly then: readonly Op[];
}

/** Holds when the key was last written by this revision; 0 when there is no such key. */
export interface Compare {
  readonly key: string;
  readonly modRevision: number;
}

export type Op =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer; readonly lease?: string | undefined }
  | { readonly type: 'delete'; readonly key: string };

export type TxnResult =
  | { readonly applied: true; readonly revision: number }
  /** `found`: what the compared keys hold, in the order of the comparisons. */
  | { readonly applied: false; readonly revision: number; readonly found: readonly (Entry | undefined)[] };

export interface WatchOptions {
  readonly prefix: string;
  /** The first revision to hear of; may lie in the future. Default: the next one. */
  readonly fromRevision?: number;
}

export interface EventBatch {
  readonly revision: number;
  readonly events: readonly StoreEvent[];
}

export type StoreEvent =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number };

export interface Watch {
  /** After this nothing is called any more. May be called twice. */
  close(): void;
}

export interface Lease {
  readonly id: string;
  readonly ttlMs: number;
}
