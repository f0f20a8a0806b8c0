import t, { type Test } from 'tap';

import type { Store } from '../../store/index.ts';
import { WatchLog } from './watch-log.ts';

/** What every store promises. `open` gives an empty one; the suite closes it. */
export function storeContract(name: string, open: (t: Test) => Promise<Store>): void {
  const contract = (title: string, run: (t: Test, store: Store) => Promise<void>): void => {
    t.test(`${name}: ${title}`, async (t) => {
      const store = await open(t);
      try {
        await run(t, store);
      } finally {
        await store.close();
      }
    });
  };

  contract('what was put is read back, byte by byte', async (t, store) => {
    t.equal(await store.get('a'), undefined);
    const value = Buffer.from([0, 255, 10, 13, 39]);
    const first = await put(store, 'a', value);
    t.match(await store.get('a'), { key: 'a', value, createRevision: first, modRevision: first, lease: undefined });
    const second = await put(store, 'a', Buffer.alloc(0));
    t.equal(second, first + 1);
    t.match(await store.get('a'), { value: Buffer.alloc(0), createRevision: first, modRevision: second });
  });

  contract('a key that was deleted begins anew', async (t, store) => {
    await put(store, 'a', '1');
    await remove(store, 'a');
    t.equal(await store.get('a'), undefined);
    const again = await put(store, 'a', '2');
    t.match(await store.get('a'), { createRevision: again, modRevision: again });
  });

  contract(
    'a range holds all keys of a prefix and no others, in the order of their bytes, as of one revision',
    async (t, store) => {
      for (const key of ['/b/2', '/a', '/b/10', '/b0', '/b/', '/b/Z', '/b/~', '/c']) await put(store, key, key);
      const { revision, entries } = await store.range('/b/');
      t.strictSame(
        entries.map(({ key }) => key),
        ['/b/', '/b/10', '/b/2', '/b/Z', '/b/~'],
      );
      t.equal(revision, (await store.get('/c'))?.modRevision);
      t.equal((await store.range('')).entries.length, 8, 'the empty prefix stands for all');
      t.strictSame((await store.range('/none')).entries, []);
    },
  );

  contract('a transaction applies all of its operations or none', async (t, store) => {
    const revision = await put(store, 'a', '1');
    const applied = await store.txn({
      if: [
        { key: 'a', modRevision: revision },
        { key: 'b', modRevision: 0 },
      ],
      then: [
        { type: 'put', key: 'b', value: Buffer.from('2') },
        { type: 'delete', key: 'a' },
      ],
    });
    t.strictSame(applied, { applied: true, revision: revision + 1 });
    t.equal((await store.get('b'))?.modRevision, revision + 1);

    const refused = await store.txn({
      if: [
        { key: 'b', modRevision: revision + 1 },
        { key: 'a', modRevision: revision },
      ],
      then: [
        { type: 'delete', key: 'b' },
        { type: 'put', key: 'c', value: Buffer.from('3') },
      ],
    });
    t.match(refused, {
      applied: false,
      revision: revision + 1,
      found: [{ key: 'b', value: Buffer.from('2') }, undefined],
    });
    t.equal((await store.range('')).entries.length, 1);
  });

  contract('of many that compare and set at once, exactly one wins', async (t, store) => {
    const base = await put(store, 'epoch', '0');
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        store.txn({
          if: [{ key: 'epoch', modRevision: base }],
          then: [{ type: 'put', key: 'epoch', value: Buffer.from(String(i + 1)) }],
        }),
      ),
    );
    t.equal(results.filter(({ applied }) => applied).length, 1);
    t.equal((await store.get('epoch'))?.modRevision, base + 1);
  });

  contract('a transaction that changes nothing makes no revision', async (t, store) => {
    const revision = await put(store, 'a', '1');
    t.equal(await remove(store, 'none'), revision);
    t.match(await store.txn({ then: [] }), { applied: true, revision });
    t.equal((await store.range('')).revision, revision);
  });

  contract('what is beyond the limits is refused, and leaves no trace', async (t, store) => {
    const value = Buffer.from('x');
    for (const key of ['', 'a b', 'ä', 'a\n', 'a\0', 'k'.repeat(1025)]) {
      await t.rejects(store.get(key), { code: 'store-invalid' }, JSON.stringify(key.slice(0, 9)));
      await t.rejects(put(store, key, 'x'), { code: 'store-invalid' });
    }
    await t.rejects(put(store, 'a', Buffer.alloc(1024 * 1024 + 1)), { code: 'store-invalid' });
    await t.rejects(
      store.txn({
        then: [
          { type: 'put', key: 'a', value },
          { type: 'delete', key: 'a' },
        ],
      }),
      { code: 'store-invalid' },
      'twice',
    );
    await t.rejects(
      store.txn({ then: Array.from({ length: 129 }, (_, i) => ({ type: 'put' as const, key: `k${i}`, value })) }),
      { code: 'store-invalid' },
    );
    t.strictSame((await store.range('')).entries, []);
    await put(store, 'big', Buffer.alloc(1024 * 1024, 7));
    t.equal((await store.get('big'))?.value.length, 1024 * 1024);
  });

  contract('a watch hears of every change from now on, in order, one batch a revision', async (t, store) => {
    await put(store, '/a/1', 'before');
    const log = new WatchLog(store, { prefix: '/a/' });
    t.strictSame(log.batches, []);
    const first = await put(store, '/a/1', 'x');
    await put(store, '/b/1', 'other');
    await store.txn({
      then: [
        { type: 'put', key: '/a/2', value: Buffer.from('y') },
        { type: 'delete', key: '/a/1' },
        { type: 'put', key: '/c', value: Buffer.from('z') },
      ],
    });
    await log.until(() => log.batches.length === 2);
    t.strictSame(log.lines.toSorted(), [`${first} put /a/1 x`, `${first + 2} delete /a/1`, `${first + 2} put /a/2 y`]);
    t.equal(log.batches[1]?.events.length, 2);
    log.watch.close();
  });

  contract('a watch from a revision misses nothing between a range and itself', async (t, store) => {
    await put(store, '/a', '1');
    const { revision } = await store.range('/');
    await put(store, '/a', '2');
    await remove(store, '/a');
    const log = new WatchLog(store, { prefix: '/', fromRevision: revision + 1 });
    await put(store, '/b', '3');
    await log.until(() => log.lines.length === 3);
    t.strictSame(log.lines, [`${revision + 1} put /a 2`, `${revision + 2} delete /a`, `${revision + 3} put /b 3`]);
    t.match(log.batches[0]?.events[0], { entry: { createRevision: revision, modRevision: revision + 1 } });
    log.watch.close();
  });

  contract('a watch from a revision of the future waits for it', async (t, store) => {
    const revision = await put(store, 'a', '1');
    const log = new WatchLog(store, { prefix: '', fromRevision: revision + 2 });
    await put(store, 'a', '2');
    await put(store, 'a', '3');
    await log.until(() => log.lines.length > 0);
    t.strictSame(log.lines, [`${revision + 2} put a 3`]);
    log.watch.close();
  });

  contract('two watches agree, however much they have to catch up', async (t, store) => {
    const live = new WatchLog(store, { prefix: 'k' });
    const first = await put(store, 'k0', '0');
    for (let i = 1; i < 200; i++) await put(store, `k${i % 7}`, String(i));
    const late = new WatchLog(store, { prefix: 'k', fromRevision: first });
    await live.until(() => live.lines.length === 200);
    await late.until(() => late.lines.length === 200);
    t.strictSame(late.lines, live.lines);
    live.watch.close();
    late.watch.close();
  });

  contract('a watch that was closed hears nothing any more', async (t, store) => {
    const closed = new WatchLog(store, { prefix: '' });
    closed.watch.close();
    closed.watch.close();
    const open = new WatchLog(store, { prefix: '' });
    await put(store, 'a', '1');
    await open.until(() => open.lines.length === 1);
    open.watch.close();
    t.strictSame([closed.lines, closed.ended], [[], []]);
  });

  contract('history that was given up ends a watch with compacted; what is newer is kept', async (t, store) => {
    const first = await put(store, 'a', '1');
    await put(store, 'a', '2');
    const last = await put(store, 'a', '3');
    await store.compact(last - 1);
    const late = new WatchLog(store, { prefix: '', fromRevision: first });
    await late.until(() => late.ended.length === 1);
    t.match(late.ended, [{ code: 'compacted' }]);
    t.strictSame(late.lines, []);
    const kept = new WatchLog(store, { prefix: '', fromRevision: last });
    await kept.until(() => kept.lines.length === 1);
    t.strictSame(kept.lines, [`${last} put a 3`]);
    kept.watch.close();
    t.match(await store.get('a'), { value: Buffer.from('3') }, 'the state stays');
    await t.rejects(store.compact(last + 100), { code: 'store-invalid' });
  });

  contract('keys under a lease are deleted together when it is revoked', async (t, store) => {
    const { id } = await store.grantLease(60_000);
    await put(store, 'a', '1', id);
    await put(store, 'b', '2', id);
    await put(store, 'c', '3');
    t.equal((await store.get('a'))?.lease, id);
    const log = new WatchLog(store, { prefix: '' });
    await store.revokeLease(id);
    await log.until(() => log.lines.length === 2);
    t.equal(log.batches.length, 1, 'in one revision');
    log.watch.close();
    t.strictSame(
      (await store.range('')).entries.map(({ key }) => key),
      ['c'],
    );
    await store.revokeLease(id);
    await t.rejects(store.keepAlive(id), { code: 'lease-unknown' });
    await t.rejects(put(store, 'd', '4', id), { code: 'lease-unknown' });
    t.equal(await store.get('d'), undefined);
  });

  contract('a key that is put again without its lease outlives it', async (t, store) => {
    const { id } = await store.grantLease(60_000);
    await put(store, 'a', '1', id);
    await put(store, 'a', '2');
    await store.revokeLease(id);
    t.match(await store.get('a'), { value: Buffer.from('2'), lease: undefined });
  });

  contract('a lease that nobody keeps alive ends, and takes its keys along', async (t, store) => {
    const { id, ttlMs } = await store.grantLease(1000);
    t.ok(ttlMs >= 1000);
    await put(store, 'a', '1', id);
    const log = new WatchLog(store, { prefix: '' });
    await store.keepAlive(id);
    await log.until(() => log.lines.length === 1);
    t.match(log.lines, [/delete a/]);
    log.watch.close();
    await t.rejects(store.keepAlive(id), { code: 'lease-unknown' });
  });

  contract('a store that was closed ends its watches and refuses everything', async (t, store) => {
    const log = new WatchLog(store, { prefix: '' });
    await store.close();
    await store.close();
    await log.until(() => log.ended.length === 1);
    t.match(log.ended, [{ code: 'store-closed' }]);
    await t.rejects(store.get('a'), { code: 'store-closed' });
    await t.rejects(put(store, 'a', '1'), { code: 'store-closed' });
    await t.rejects(store.range(''), { code: 'store-closed' });
    await t.rejects(store.grantLease(1000), { code: 'store-closed' });
  });
}

/** Puts a key unconditionally; answers with the revision. */
export async function put(store: Store, key: string, value: string | Buffer, lease?: string): Promise<number> {
  return (await store.txn({ then: [{ type: 'put', key, value: Buffer.from(value), lease }] })).revision;
}

async function remove(store: Store, key: string): Promise<number> {
  return (await store.txn({ then: [{ type: 'delete', key }] })).revision;
}
