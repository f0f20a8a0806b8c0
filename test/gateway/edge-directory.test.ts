import t from 'tap';
import { systemClock } from '../../base/index.ts';
import { EdgeDirectory } from '../../gateway/edge-directory.ts';
import { edgeNodeType } from '../../gateway/fleet/edge-node-type.ts';
import { WatchCache } from '../../resources/index.ts';
import { openEmbeddedStore, storeError, type Store } from '../../store/index.ts';
import { waitFor } from '../support/wait-for.ts';

/** A store that others use too, and that falls silent for one of them as etcd does without a majority. */
class SilentStore {
  readonly store: Store;
  isSilent = false;
  refused = 0;
  readonly #ends = new Set<(error: Error) => void>();

  constructor(inner: Store) {
    const asked = <T>(answer: () => Promise<T>): Promise<T> => {
      if (!this.isSilent) return answer();
      this.refused += 1;
      return Promise.reject(storeError('store-unavailable'));
    };
    this.store = {
      get: (key) => asked(() => inner.get(key)),
      range: (prefix) => asked(() => inner.range(prefix)),
      txn: (txn) => asked(() => inner.txn(txn)),
      compact: (revision) => inner.compact(revision),
      grantLease: (ttlMs) => asked(() => inner.grantLease(ttlMs)),
      keepAlive: (lease) => asked(() => inner.keepAlive(lease)),
      revokeLease: (lease) => asked(() => inner.revokeLease(lease)),
      close: () => inner.close(),
      watch: (options, onEvents, onEnd) => {
        const watch = inner.watch(options, (batch) => void (this.isSilent || onEvents(batch)), onEnd);
        this.#ends.add(onEnd);
        const close = (): void => {
          this.#ends.delete(onEnd);
          watch.close();
        };
        return { close };
      },
    };
  }

  fallSilent(): void {
    this.isSilent = true;
    const ends = [...this.#ends];
    this.#ends.clear();
    for (const end of ends) end(storeError('compacted'));
  }
}

t.test('while the store is silent nothing ends, what is known stays, and what was missed comes later', async (t) => {
  const inner = openEmbeddedStore();
  const silent = new SilentStore(inner);
  const nodes = new WatchCache(edgeNodeType, { clock: systemClock, version: 1 });
  const faults: unknown[] = [];
  const options = { nodes, clock: systemClock, onFault: (error: unknown) => void faults.push(error) };
  const directory = await EdgeDirectory.open({ ...options, store: silent.store });
  const other = await EdgeDirectory.open({ ...options, store: inner });
  t.teardown(async () => {
    directory.close();
    other.close();
    nodes.close();
    await inner.close();
  });
  t.equal(await directory.claimEpoch('edge-1', 'aa', 0), 1);
  silent.fallSilent();
  await waitFor('it to have asked in vain', () => silent.refused > 0 && faults.length > 0);
  t.equal(await directory.claimEpoch('edge-1', 'aa', 1), 1, 'who is known is known');
  await t.rejects(directory.claimEpoch('edge-1', 'bb', 0), { code: 'store-unavailable', status: 503 });
  t.equal(await other.claimEpoch('edge-1', 'cc', 0), 2);
  t.equal(await directory.claimEpoch('edge-1', 'aa', 1), 1, 'it has not heard of it');
  silent.isSilent = false;
  await waitFor('it to hear of the newer one', () =>
    directory.claimEpoch('edge-1', 'aa', 1).then(
      () => false,
      ({ code }: { readonly code?: string }) => code === 'instance-superseded',
    ),
  );
  t.equal(await directory.claimEpoch('edge-1', 'bb', 0), 3);
});

t.test('an epoch that cannot be read counts as the one before', async (t) => {
  const store = openEmbeddedStore();
  const nodes = new WatchCache(edgeNodeType, { clock: systemClock, version: 1 });
  const faults: unknown[] = [];
  const options = { store, nodes, clock: systemClock, onFault: (error: unknown) => void faults.push(error) };
  const directory = await EdgeDirectory.open(options);
  t.teardown(async () => {
    directory.close();
    nodes.close();
    await store.close();
  });
  t.equal(await directory.claimEpoch('edge-1', 'aa', 0), 1);
  await store.txn({ then: [{ type: 'put', key: '/causeway/epochs/edge-1', value: Buffer.from('{"epoch":"x') }] });
  await waitFor('the fault', () => faults.length === 1);
  t.equal(await directory.claimEpoch('edge-1', 'aa', 1), 1);
  t.equal(await directory.claimEpoch('edge-1', 'bb', 0), 2, 'and is written anew');
});
