import { randomBytes } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';

import { systemClock, type Clock, type Timer } from '../base/index.ts';
import { EmbeddedWatch, type History } from './embedded-watch.ts';
import { guard, openDatabase, transact } from './sqlite.ts';
import { storeError } from './store-error.ts';
import { checkKey, checkPrefix, checkTxn, prefixEnd, storeLimits } from './store-limits.ts';
import type {
  Entry,
  EventBatch,
  Lease,
  Op,
  Range,
  Store,
  StoreEvent,
  Txn,
  TxnResult,
  Watch,
  WatchOptions,
} from './store.ts';

export interface EmbeddedStoreOptions {
  /** The database's file; it and its folder are made when they are missing. Default: in memory, gone with the process. */
  readonly file?: string;
  /** Revisions of history that are always kept; up to twice as many are. Default 10,000. */
  readonly keepRevisions?: number;
  readonly clock?: Clock;
}

/** Opens the store of a single replica: one process, durable, no dependency. Throws what `openDatabase` throws. */
export function openEmbeddedStore({
  file,
  keepRevisions = 10_000,
  clock = systemClock,
}: EmbeddedStoreOptions = {}): Store {
  return new EmbeddedStore(openDatabase(file), file, keepRevisions, clock);
}

/** SQLite answers at once, so calls follow each other by themselves; a commit costs one write to the disk. */
class EmbeddedStore implements Store, History {
  readonly #database: DatabaseSync;
  readonly #file: string | undefined;
  readonly #keepRevisions: number;
  readonly #clock: Clock;
  readonly #statements: ReturnType<typeof prepareAll>;
  readonly #watches = new Set<EmbeddedWatch>();
  readonly #leases = new Map<string, { readonly ttlMs: number; timer: Timer }>();
  #revision: number;
  #compacted: number;
  #closed = false;

  constructor(database: DatabaseSync, file: string | undefined, keepRevisions: number, clock: Clock) {
    this.#database = database;
    this.#file = file;
    this.#keepRevisions = keepRevisions;
    this.#clock = clock;
    this.#statements = prepareAll(database);
    const state = this.#statements.state.get();
    this.#revision = Number(state?.['revision']);
    this.#compacted = Number(state?.['compacted']);
    for (const row of this.#statements.leases.all()) this.#holdLease(String(row['id']), Number(row['ttl_ms']));
  }

  get revision(): number {
    return this.#revision;
  }

  get compacted(): number {
    return this.#compacted;
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    return this.#run(() => this.#entry(key));
  }

  async range(prefix: string): Promise<Range> {
    checkPrefix(prefix);
    return this.#run(() => ({
      revision: this.#revision,
      entries: this.#statements.range.all(prefix, prefixEnd(prefix)).map(entryOf),
    }));
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkTxn(txn);
    return this.#run(() => {
      const found = (txn.if ?? []).map(({ key }) => this.#entry(key));
      const holds = (txn.if ?? []).every(({ modRevision }, index) => (found[index]?.modRevision ?? 0) === modRevision);
      if (!holds) return { applied: false, revision: this.#revision, found };
      for (const op of txn.then) {
        if (op.type === 'put' && op.lease !== undefined && !this.#leases.has(op.lease))
          throw storeError('lease-unknown', op.lease);
      }
      this.#apply(txn.then);
      return { applied: true, revision: this.#revision };
    });
  }

  watch(
    { prefix, fromRevision }: WatchOptions,
    onEvents: (batch: EventBatch) => void,
    onEnd: (error: Error) => void,
  ): Watch {
    checkPrefix(prefix);
    if (this.#closed) throw storeError('store-closed');
    const watch = new EmbeddedWatch({
      history: this,
      prefix,
      fromRevision: fromRevision ?? this.#revision + 1,
      clock: this.#clock,
      onEvents,
      onEnd,
      onClose: (closed) => this.#watches.delete(closed),
    });
    this.#watches.add(watch);
    watch.wake();
    return watch;
  }

  read(prefix: string, from: number, to: number): readonly EventBatch[] {
    return this.#run(() => {
      const batches: { revision: number; events: StoreEvent[] }[] = [];
      for (const row of this.#statements.history.all(from, to, prefix, prefixEnd(prefix))) {
        const revision = Number(row['modified']);
        const event: StoreEvent =
          row['value'] === null
            ? { type: 'delete', key: String(row['key']), modRevision: revision }
            : { type: 'put', entry: entryOf(row) };
        const last = batches.at(-1);
        if (last?.revision === revision) last.events.push(event);
        else batches.push({ revision, events: [event] });
      }
      return batches;
    });
  }

  async compact(revision: number): Promise<void> {
    if (!Number.isSafeInteger(revision) || revision > this.#revision)
      throw storeError('store-invalid', `compaction at ${revision}, the revision is ${this.#revision}`);
    this.#run(() => {
      if (revision > this.#compacted) this.#compacted = transact(this.#database, () => this.#forget(revision));
    });
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    if (!Number.isSafeInteger(ttlMs) || ttlMs < 1 || ttlMs > storeLimits.maxLeaseMs)
      throw storeError('store-invalid', `a lease of ${ttlMs} ms`);
    return this.#run(() => {
      // A positive 64-bit number, as etcd's ids are.
      const id = String(randomBytes(8).readBigUInt64BE() >> 1n);
      this.#statements.addLease.run(id, ttlMs);
      this.#holdLease(id, ttlMs);
      return { id, ttlMs };
    });
  }

  async keepAlive(id: string): Promise<void> {
    this.#run(() => {
      const lease = this.#leases.get(id);
      if (lease === undefined) throw storeError('lease-unknown', id);
      lease.timer.cancel();
      this.#holdLease(id, lease.ttlMs);
    });
  }

  async revokeLease(id: string): Promise<void> {
    this.#run(() => this.#endLease(id));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const lease of this.#leases.values()) lease.timer.cancel();
    for (const watch of [...this.#watches]) watch.end(storeError('store-closed'));
    guard(this.#file, () => this.#database.close());
  }

  #run<T>(work: () => T): T {
    if (this.#closed) throw storeError('store-closed');
    return guard(this.#file, work);
  }

  #entry(key: string): Entry | undefined {
    const row = this.#statements.get.get(key);
    return row === undefined ? undefined : entryOf(row);
  }

  /** Writes operations as one revision, with what else `also` does in the same transaction, and tells the watches. */
  #apply(ops: readonly Op[], also: () => void = () => undefined): void {
    const revision = this.#revision + 1;
    const { changed, compacted } = transact(this.#database, () => {
      const changes = ops.filter((op) => this.#write(op, revision)).length;
      also();
      if (changes === 0) return { changed: false, compacted: this.#compacted };
      this.#statements.setRevision.run(revision);
      // In pieces of the size of what is kept, so that it is rare and still bounded.
      const isLong = revision - this.#compacted > 2 * this.#keepRevisions;
      return { changed: true, compacted: isLong ? this.#forget(revision - this.#keepRevisions) : this.#compacted };
    });
    if (!changed) return;
    this.#revision = revision;
    this.#compacted = compacted;
    for (const watch of this.#watches) watch.wake();
  }

  #write(op: Op, revision: number): boolean {
    if (op.type === 'delete') {
      if (this.#statements.delete.run(op.key).changes === 0) return false;
      this.#statements.log.run(revision, op.key, null, null, null);
      return true;
    }
    const created = Number(this.#statements.created.get(op.key)?.['created'] ?? revision);
    const lease = op.lease ?? null;
    this.#statements.put.run(op.key, op.value, created, revision, lease);
    this.#statements.log.run(revision, op.key, op.value, created, lease);
    return true;
  }

  #forget(revision: number): number {
    this.#statements.forget.run(revision);
    this.#statements.setCompacted.run(revision);
    return revision;
  }

  #holdLease(id: string, ttlMs: number): void {
    const timer = this.#clock.after(ttlMs, () => {
      // The disk may fail here, with nobody to tell: the lease then stays until the next try.
      try {
        this.#run(() => this.#endLease(id));
      } catch {
        if (!this.#closed) this.#holdLease(id, ttlMs);
      }
    });
    this.#leases.set(id, { ttlMs, timer });
  }

  #endLease(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    const keys = this.#statements.leased.all(id).map((row): Op => ({ type: 'delete', key: String(row['key']) }));
    this.#apply(keys, () => this.#statements.endLease.run(id));
    lease.timer.cancel();
    this.#leases.delete(id);
  }
}

function prepareAll(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    state: prepare('SELECT revision, compacted FROM state'),
    setRevision: prepare('UPDATE state SET revision = ?'),
    setCompacted: prepare('UPDATE state SET compacted = ?'),
    get: prepare('SELECT * FROM entries WHERE key = ?'),
    range: prepare('SELECT * FROM entries WHERE key >= ? AND key < ? ORDER BY key'),
    created: prepare('SELECT created FROM entries WHERE key = ?'),
    put: prepare('INSERT OR REPLACE INTO entries (key, value, created, modified, lease) VALUES (?, ?, ?, ?, ?)'),
    delete: prepare('DELETE FROM entries WHERE key = ?'),
    log: prepare('INSERT INTO history (revision, key, value, created, lease) VALUES (?, ?, ?, ?, ?)'),
    history: prepare(
      'SELECT key, value, created, revision AS modified, lease FROM history WHERE revision BETWEEN ? AND ? AND key >= ? AND key < ? ORDER BY revision, key',
    ),
    forget: prepare('DELETE FROM history WHERE revision <= ?'),
    leases: prepare('SELECT id, ttl_ms FROM leases'),
    addLease: prepare('INSERT INTO leases (id, ttl_ms) VALUES (?, ?)'),
    endLease: prepare('DELETE FROM leases WHERE id = ?'),
    leased: prepare('SELECT key FROM entries WHERE lease = ? ORDER BY key'),
  };
}

function entryOf(row: Record<string, unknown>): Entry {
  const { key, value, created, modified, lease } = row;
  if (!(value instanceof Uint8Array)) throw storeError('store-corrupt', `the value of ${String(key)}`);
  return {
    key: String(key),
    value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
    createRevision: Number(created),
    modRevision: Number(modified),
    lease: typeof lease === 'string' ? lease : undefined,
  };
}
