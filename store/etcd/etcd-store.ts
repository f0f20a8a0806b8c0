import { codeOf, systemClock, type Clock } from '../../base/index.ts';
import { storeError } from '../store-error.ts';
import { checkKey, checkPrefix, checkTxn, storeLimits } from '../store-limits.ts';
import type { Entry, EventBatch, Lease, Range, Store, Txn, TxnResult, Watch, WatchOptions } from '../store.ts';
import type { EtcdTls } from './etcd-connection.ts';
import { EtcdKeys } from './etcd-keys.ts';
import { EtcdMembers, type CallOptions, type CallResult, type EtcdUser } from './etcd-members.ts';
import { loadEtcdProtocol, type EtcdProtocol, type Header, type Method } from './etcd-protocol.ts';
import { EtcdTxns } from './etcd-txn.ts';
import { EtcdWatch } from './etcd-watch.ts';

/** Entries of the first page of a range; the next ones are of as many as come to about `pageBytes`. */
const firstPage = 256;
const pageBytes = 1024 * 1024;
const maxPage = 4096;
/** How often a range begins anew because its revision was compacted between two pages. */
const maxRangeTries = 3;

export interface EtcdStoreOptions {
  /** `http://host:port` or `https://host:port` of every member, the nearest first: the first that answers is used. */
  readonly endpoints: readonly string[];
  /** Called for each connection. Default: the system's roots, no certificate of its own. */
  readonly tls?: () => EtcdTls;
  readonly user?: EtcdUser;
  /** All keys in etcd begin with this and `/`: other programs may share the cluster. Default `/causeway`. */
  readonly prefix?: string;
  readonly clock?: Clock;
  /** How long `openEtcdStore` waits for a leader, ms: members may be starting as well. Default 10,000. */
  readonly openWithinMs?: number;
  /** Told of each time that a watch has lost its member and goes on at another. */
  readonly onFault?: (error: Error) => void;
}

/**
 * Opens the store that several replicas share: an etcd cluster, 3.4 or newer. Every call ends within 2 s. A watch outlives
 * members and the loss of their majority.
 * Throws `store-unavailable`, `store-refused`, and what OpenSSL says of the certificates.
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const { clock = systemClock, openWithinMs = 10_000 } = options;
  const store = new EtcdStore(options);
  const until = clock.now() + openWithinMs;
  for (;;) {
    try {
      // Of the store's own keys, so that a role that does not reach them is found out here.
      await store.get('-');
      return store;
    } catch (error) {
      if (codeOf(error) === 'store-unavailable' && clock.now() < until) continue;
      await store.close();
      throw error;
    }
  }
}

class EtcdStore implements Store {
  readonly #clock: Clock;
  readonly #protocol: EtcdProtocol;
  readonly #keys: EtcdKeys;
  readonly #members: EtcdMembers;
  readonly #txns: EtcdTxns;
  readonly #onFault: (error: Error) => void;
  readonly #watches = new Set<EtcdWatch>();
  /** The newest state of the cluster that an answer was of. */
  #clusterId = '';
  #revision = 0;
  /** Watches from now on that do not know yet what now is: what is written behind them waits. */
  #starting: Promise<unknown> | undefined;
  #closed = false;

  constructor({ endpoints, tls = () => ({}), user, prefix = '/causeway', clock, onFault }: EtcdStoreOptions) {
    checkKey(prefix);
    this.#clock = clock ?? systemClock;
    this.#onFault = onFault ?? (() => undefined);
    this.#protocol = loadEtcdProtocol();
    this.#keys = new EtcdKeys(prefix);
    this.#members = new EtcdMembers({ protocol: this.#protocol, endpoints, tls, user, clock: this.#clock });
    this.#txns = new EtcdTxns(this.#keys, (request, callOptions) =>
      this.#read(this.#protocol.txn, request, callOptions),
    );
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    const { response } = await this.#read(this.#protocol.range, { key: this.#keys.data(key) });
    const [found] = response.kvs;
    return found === undefined ? undefined : this.#keys.entry(found);
  }

  async range(prefix: string): Promise<Range> {
    checkPrefix(prefix);
    for (let tries = 1; ; tries++) {
      try {
        return await this.#pages(prefix);
      } catch (error) {
        if (codeOf(error) !== 'compacted' || tries === maxRangeTries) throw error;
      }
    }
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkTxn(txn);
    if (this.#starting !== undefined) await this.#starting;
    return this.#txns.run(txn, this.#members.deadline());
  }

  watch(
    { prefix, fromRevision }: WatchOptions,
    onEvents: (batch: EventBatch) => void,
    onEnd: (error: Error) => void,
  ): Watch {
    checkPrefix(prefix);
    if (this.#closed) throw storeError('store-closed');
    const watch = new EtcdWatch({
      members: this.#members,
      protocol: this.#protocol,
      keys: this.#keys,
      clock: this.#clock,
      prefix,
      from: fromRevision ?? this.#nextRevision(),
      prove: () => this.#newestRevision(),
      onEvents,
      onEnd,
      onFault: this.#onFault,
      onClose: (closed) => this.#watches.delete(closed),
    });
    this.#watches.add(watch);
    void watch.run();
    return watch;
  }

  async compact(revision: number): Promise<void> {
    try {
      await this.#members.call(this.#protocol.compact, { revision });
    } catch (error) {
      // By somebody else, or by an earlier try.
      if (codeOf(error) !== 'compacted') throw error;
    }
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    if (!Number.isSafeInteger(ttlMs) || ttlMs < 1 || ttlMs > storeLimits.maxLeaseMs)
      throw storeError('store-invalid', `a lease of ${ttlMs} ms`);
    // An id of our own would make a second try an error; a lease that nobody knows ends by itself.
    const { response } = await this.#members.call(this.#protocol.grantLease, { id: '0', ttl: Math.ceil(ttlMs / 1000) });
    return { id: response.id, ttlMs: Number(response.ttl) * 1000 };
  }

  async keepAlive(lease: string): Promise<void> {
    const until = this.#members.deadline();
    const renew = async (): Promise<boolean> => {
      const { response } = await this.#members.call(
        this.#protocol.keepAlive,
        { id: lease },
        { until, isExchange: true },
      );
      return Number(response.ttl) > 0;
    };
    if (await renew()) return;
    // A leader that is new may not have heard yet of a lease that there is. What it writes under the lease goes through the
    // log, as the lease did, so that is the word of the cluster: it throws `lease-unknown` if the lease has ended.
    await this.#members.call(
      this.#protocol.txn,
      { compare: [], success: [{ put: { key: this.#keys.lease(lease), value: Buffer.alloc(0), lease } }], failure: [] },
      { until },
    );
    if (!(await renew())) throw storeError('lease-unknown', lease);
  }

  async revokeLease(lease: string): Promise<void> {
    if (this.#starting !== undefined) await this.#starting;
    try {
      await this.#members.call(this.#protocol.revokeLease, { id: lease });
    } catch (error) {
      if (codeOf(error) !== 'lease-unknown') throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const watch of [...this.#watches]) watch.end(storeError('store-closed'));
    this.#members.close();
  }

  /** All pages of one revision: that of the first. */
  async #pages(prefix: string): Promise<Range> {
    const rangeEnd = this.#keys.dataEnd(prefix);
    const entries: Entry[] = [];
    let key = this.#keys.data(prefix);
    let limit = firstPage;
    let revision = 0;
    for (;;) {
      const { response } = await this.#read(this.#protocol.range, { key, rangeEnd, limit, revision });
      revision ||= Number(response.header.revision);
      let bytes = 0;
      for (const kv of response.kvs) {
        entries.push(this.#keys.entry(kv));
        bytes += kv.key.length + kv.value.length;
      }
      const last = response.kvs.at(-1);
      if (!response.more || last === undefined) return { revision, entries };
      key = Buffer.concat([last.key, Buffer.alloc(1)]);
      limit = Math.max(1, Math.min(maxPage, Math.floor((pageBytes * response.kvs.length) / bytes)));
    }
  }

  #nextRevision(): Promise<number> {
    const known = this.#revision;
    const next = this.#newestRevision().then(
      (revision) => revision + 1,
      () => known + 1,
    );
    const starting = Promise.all([this.#starting, next]).finally(() => {
      if (this.#starting === starting) this.#starting = undefined;
    });
    this.#starting = starting;
    return next;
  }

  async #newestRevision(): Promise<number> {
    const { response } = await this.#read(this.#protocol.range, { key: this.#keys.lease('-') });
    return Number(response.header.revision);
  }

  /** A call whose answer is of the newest state, as those of ranges and transactions are. */
  async #read<Request, Response extends { readonly header: Header }>(
    method: Method<Request, Response>,
    request: Request,
    options?: CallOptions,
  ): Promise<CallResult<Response>> {
    const known = this.#revision;
    const result = await this.#members.call(method, request, options);
    this.#note(result.response.header, known);
    return result;
  }

  /** `known`: what was known when the call began. Nothing may be older than that. */
  #note({ clusterId, revision: text }: Header, known: number): void {
    const revision = Number(text);
    const isOther = this.#clusterId !== '' && this.#clusterId !== clusterId;
    this.#clusterId = clusterId;
    if (revision >= known && !isOther) {
      this.#revision = Math.max(this.#revision, revision);
      return;
    }
    this.#revision = revision;
    for (const watch of [...this.#watches]) watch.end(storeError('store-went-back', `from ${known} to ${revision}`));
  }
}
