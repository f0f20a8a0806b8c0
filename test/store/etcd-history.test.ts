import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';

import { openStore, type Op, type Store } from '../../store/index.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { waitFor } from '../support/wait-for.ts';
import { put } from './store-contract.ts';
import { WatchLog } from './watch-log.ts';

const cluster = await EtcdCluster.start();
t.teardown(() => cluster.stop());
const { endpoints } = cluster;
let parts = 0;
const openPart = (): Promise<Store> => openStore({ etcd: { endpoints, prefix: `/part-${parts++}` } });

t.test('a range of many pages is of one revision, whatever is written meanwhile', async (t) => {
  const store = await openPart();
  for (let i = 0; i < 3000; i += 100) {
    const then = Array.from({ length: 100 }, (_, j): Op => {
      const key = `k${String(i + j).padStart(4, '0')}`;
      return { type: 'put', key, value: Buffer.alloc(j % 20 === 0 ? 20_000 : 500, key) };
    });
    await store.txn({ then });
  }
  await store.txn({ then: ['k0000', 'k2999'].map((key): Op => ({ type: 'put', key, value: Buffer.alloc(0) })) });
  const done = new AbortController();
  const writing = (async (): Promise<void> => {
    for (let i = 0; !done.signal.aborted; i++) {
      // Two keys of different pages, always together.
      const value = Buffer.from(String(i));
      await store.txn({ then: ['k0000', 'k2999'].map((key): Op => ({ type: 'put', key, value })) });
      await store.txn({ then: [{ type: i % 2 === 0 ? 'delete' : 'put', key: 'k1500', value }] as Op[] });
    }
  })();
  for (let time = 0; time < 5; time++) {
    const { revision, entries } = await store.range('k');
    t.ok(entries.length === 3000 || entries.length === 2999, `${entries.length} entries`);
    t.equal(entries[0]?.modRevision, entries.at(-1)?.modRevision);
    t.ok(entries.every(({ modRevision }) => modRevision <= revision));
    t.ok(entries.every(({ key }, index) => index === 0 || key > (entries[index - 1]?.key ?? '')));
  }
  done.abort();
  await writing;
  await store.close();
});

t.test('a range begins anew when its revision is compacted between two pages', async (t) => {
  const store = await openPart();
  for (let i = 0; i < 10; i++) {
    const then = Array.from({ length: 100 }, (_, j): Op => ({
      type: 'put',
      key: `k${i * 100 + j}`,
      value: Buffer.alloc(2000),
    }));
    await store.txn({ then });
  }
  const ranges = Array.from({ length: 5 }, () => store.range('k'));
  const revision = await put(store, 'other', '1');
  await store.compact(revision);
  for (const { entries } of await Promise.all(ranges)) t.equal(entries.length, 1000);
  await store.close();
});

t.test(
  'a watch whose connection was cut goes on where it was; compacted is said when that is not kept any more',
  async (t) => {
    const prefix = `/part-${parts++}`;
    const relay = await Relay.start(new URL(endpoints[0] ?? ''));
    t.teardown(() => relay.stop());
    const direct = await openStore({ etcd: { endpoints, prefix } });
    const store = await openStore({ etcd: { endpoints: [relay.endpoint], prefix } });
    const first = await put(direct, 'a', '0');
    const log = new WatchLog(store, { prefix: '', fromRevision: first });
    await log.until(() => log.lines.length === 1);
    for (let round = 1; round <= 5; round++) {
      relay.cut();
      for (let i = 0; i < 10; i++) await put(direct, 'a', `${round}.${i}`);
      relay.open();
      await log.until(() => log.lines.at(-1)?.endsWith(` ${round}.9`) === true);
    }
    t.equal(new Set(log.lines).size, 51);
    t.equal(log.lines.length, 51);

    t.comment('compacted up to the last revision that was told: nothing is missing');
    relay.cut();
    const told = log.batches.at(-1)?.revision ?? 0;
    const next = await put(direct, 'a', 'next');
    await direct.compact(told);
    relay.open();
    await log.until(() => log.batches.at(-1)?.revision === next);
    t.strictSame(log.ended, []);

    t.comment('compacted at the very revision that comes next, a delete: etcd itself would leave it out');
    relay.cut();
    const { revision: deleted } = await direct.txn({ then: [{ type: 'delete', key: 'a' }] });
    await put(direct, 'b', '1');
    await direct.compact(deleted);
    relay.open();
    await log.until(() => log.ended.length === 1);
    t.match(log.ended, [{ code: 'compacted' }]);
    t.equal(log.batches.at(-1)?.revision, next, 'and nothing behind the gap was told');
    await Promise.all([store.close(), direct.close()]);
  },
);

t.test('a watch hears nothing of a connection that is black-holed, notices it, and misses nothing', async (t) => {
  const prefix = `/part-${parts++}`;
  const relay = await Relay.start(new URL(endpoints[0] ?? ''));
  t.teardown(() => relay.stop());
  const direct = await openStore({ etcd: { endpoints, prefix } });
  const store = await openStore({ etcd: { endpoints: [relay.endpoint, ...endpoints], prefix } });
  const log = new WatchLog(store, { prefix: '' });
  await put(store, 'a', '1');
  await log.until(() => log.lines.length === 1);
  relay.blackHole();
  const beganAt = performance.now();
  await put(direct, 'a', '2');
  await log.until(() => log.lines.length === 2);
  t.ok(performance.now() - beganAt < 3_000, `${Math.round(performance.now() - beganAt)} ms`);
  t.equal((await store.get('a'))?.value.toString(), '2');
  await Promise.all([store.close(), direct.close()]);
});

t.test('two processes that meet at the same receipts each write what they say', async (t) => {
  const prefix = `/part-${parts++}`;
  const [one, other] = [
    await openStore({ etcd: { endpoints, prefix } }),
    await openStore({ etcd: { endpoints, prefix } }),
  ];
  // So many at once that some meet, of 1,024 receipts.
  const results = await Promise.all(
    Array.from({ length: 400 }, (_, i) => put(i % 2 === 0 ? one : other, `k${i}`, String(i))),
  );
  t.equal(new Set(results).size, 400);
  const { entries } = await one.range('');
  t.equal(entries.length, 400);
  for (const { key, value, modRevision } of entries) {
    const i = Number(key.slice(1));
    if (value.toString() !== String(i) || results[i] !== modRevision) t.fail(`${key} at ${modRevision}`);
  }
  await Promise.all([one.close(), other.close()]);
});

t.test('a lease and its keys survive a restart of etcd', async (t) => {
  const store = await openPart();
  const { id } = await store.grantLease(5_000);
  await put(store, 'a', '1', id);
  const [member] = cluster.members;
  await member?.kill();
  await member?.start();
  await cluster.healthy();
  await store.keepAlive(id);
  t.equal((await store.get('a'))?.lease, id);
  await store.revokeLease(id);
  t.equal(await store.get('a'), undefined);
  await store.close();
});

t.test('etcd that was restored from a backup: watches end, so that everything is read anew', async (t) => {
  const [member] = cluster.members;
  if (member === undefined) return;
  const store = await openPart();
  await put(store, 'a', 'in the backup');
  const backup = join(t.testdir(), 'backup.db');
  member.backup(backup);
  const log = new WatchLog(store, { prefix: '' });
  for (let i = 0; i < 5; i++) await put(store, 'a', `lost ${i}`);
  await log.until(() => log.lines.length === 5);
  await member.kill();
  member.restore(backup);
  await member.start();
  await log.until(() => log.ended.length === 1);
  t.match(log.ended, [{ code: 'store-went-back', status: 410 }]);
  const { revision, entries } = await waitFor('etcd', () => store.range(''));
  t.equal(entries[0]?.value.toString(), 'in the backup');
  const again = new WatchLog(store, { prefix: '', fromRevision: revision + 1 });
  await put(store, 'a', 'after');
  await again.until(() => again.lines.length === 1);
  await store.close();
});

t.test('etcd that has reached its quota says so', async (t) => {
  const small = await EtcdCluster.start({ quotaBytes: 4 * 1024 * 1024 });
  t.teardown(() => small.stop());
  const store = await openStore({ etcd: { endpoints: small.endpoints } });
  await t.rejects(
    async () => {
      for (let i = 0; i < 20; i++) await put(store, `k${i}`, Buffer.alloc(1_000_000));
    },
    { code: 'store-full' },
  );
  t.ok(await store.get('k0'), 'reads go on');
  await store.close();
});

/** A TCP relay in front of etcd, whose connections can be cut, or carry nothing any more. */
class Relay {
  readonly endpoint: string;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  static async start(target: URL): Promise<Relay> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return new Relay(server, address.port, Number(target.port));
  }

  private constructor(server: ReturnType<typeof createServer>, port: number, targetPort: number) {
    this.endpoint = `http://127.0.0.1:${port}`;
    this.#server = server;
    server.on('connection', (near) => {
      if (this.#isCut) return near.destroy();
      const far = connect(targetPort, '127.0.0.1');
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.pipe(other);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
      return undefined;
    });
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  open(): void {
    this.#isCut = false;
  }

  /** New connections too get no answer. */
  blackHole(): void {
    const swallow = (socket: Socket): void => {
      socket.unpipe();
      socket.pause();
    };
    for (const socket of this.#sockets) swallow(socket);
    this.#server.removeAllListeners('connection');
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      swallow(socket);
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
