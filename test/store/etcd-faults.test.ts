import t, { type Test } from 'tap';

import { openStore, type Store } from '../../store/index.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { waitFor } from '../support/wait-for.ts';
import { RecordedWrites } from './recorded-writes.ts';
import { put } from './store-contract.ts';
import { WatchLog } from './watch-log.ts';

/** How often each fault happens: `CAUSEWAY_FAULT_ROUNDS=20` is the long form. */
const rounds = Number(process.env['CAUSEWAY_FAULT_ROUNDS'] ?? 2);
t.setTimeout(rounds * 60_000 + 120_000);

const cluster = await EtcdCluster.start({ members: 3 });
t.teardown(() => cluster.stop());
let parts = 0;

/** Five stores on one part of the cluster: each writer and watcher begins at another member. */
async function openAll(t: Test): Promise<{ writers: Store[]; watchers: Store[] }> {
  const prefix = `/part-${parts++}`;
  const stores: Store[] = [];
  t.teardown(() => Promise.all(stores.map((store) => store.close())));
  for (let first = 0; first < 5; first++) {
    const endpoints = [...cluster.endpoints.slice(first % 3), ...cluster.endpoints.slice(0, first % 3)];
    stores.push(await openStore({ etcd: { endpoints, prefix } }));
  }
  return { writers: stores.slice(0, 3), watchers: stores.slice(3) };
}

/** Lets writers write while `fault` happens again and again, and checks the history. */
function underWrites(title: string, fault: () => Promise<void>): void {
  t.test(title, async (t) => {
    const { writers, watchers } = await openAll(t);
    const recorded = new RecordedWrites({ writers, watchers });
    for (let round = 0; round < rounds; round++) {
      const before = recorded.applied;
      await waitFor('writes before the fault', () => recorded.applied > before + 30);
      await fault();
      const after = recorded.applied;
      await waitFor('writes after the fault', () => recorded.applied > after + 30, { deadlineMs: 20_000 });
    }
    await recorded.stop();
    const [store] = writers;
    if (store !== undefined) t.strictSame(await recorded.check(store), []);
    const outcomes = Object.groupBy(recorded.writes, ({ outcome }) => outcome);
    const counts = Object.entries(outcomes).map(([outcome, writes]) => `${outcome} ${writes?.length}`);
    t.comment(`${counts.join(', ')}; slowest ${Math.round(recorded.slowest())} ms`);
    t.strictSame(
      Object.keys(outcomes).filter(
        (outcome) => !/^(applied|refused|store-unavailable|store-outcome-unknown)$/.test(outcome),
      ),
      [],
    );
  });
}

underWrites(
  'the leader is killed in the midst of writes: nothing acknowledged is lost, nothing is told twice',
  async () => {
    const leader = await cluster.leader();
    await leader.kill();
    await cluster.leader();
    await leader.start();
    await cluster.healthy();
  },
);

underWrites('a follower is killed in the midst of writes', async () => {
  const leader = await cluster.leader();
  const follower = cluster.members.find((member) => member !== leader);
  await follower?.kill();
  await waitFor('the others', async () => (await leader.ask('/health'))['health'] === 'true');
  await follower?.start();
  await cluster.healthy();
});

underWrites('the leader stands still, and comes back with what it had under way', async () => {
  const leader = await cluster.leader();
  leader.pause();
  await cluster.leader();
  leader.resume();
  await cluster.healthy();
});

underWrites('a majority is lost and returns', async () => {
  const [first, second] = cluster.members;
  await Promise.all([first?.kill(), second?.kill()]);
  await Promise.all([first?.start(), second?.start()]);
  await cluster.healthy();
});

t.test('without a majority every call fails within 2 s; when it is back, calls and watches go on', async (t) => {
  const { writers, watchers } = await openAll(t);
  const [store] = writers;
  const [watcher] = watchers;
  if (store === undefined || watcher === undefined) return;
  const log = new WatchLog(watcher, { prefix: '' });
  const revision = await put(store, 'a', '1');
  const { id } = await store.grantLease(60_000);
  await log.until(() => log.lines.length === 1);
  const [first, second] = cluster.members;
  await Promise.all([first?.kill(), second?.kill()]);
  const failed = async (name: string, call: () => Promise<unknown>): Promise<void> => {
    const beganAt = performance.now();
    await t.rejects(call(), { code: /^store-(unavailable|outcome-unknown)$/, status: 503, retryAfterMs: 1000 }, name);
    const tookMs = performance.now() - beganAt;
    t.ok(tookMs < 2_000, `${name}: ${Math.round(tookMs)} ms`);
  };
  for (let time = 0; time < 2; time++) {
    await failed('get', () => store.get('a'));
    await failed('range', () => store.range(''));
    await failed('txn', () => put(store, 'a', '2'));
    await failed('grantLease', () => store.grantLease(10_000));
    await failed('keepAlive', () => store.keepAlive(id));
    await failed('compact', () => store.compact(revision));
  }
  t.strictSame(log.ended, [], 'the watch waits');
  await Promise.all([first?.start(), second?.start()]);
  const beganAt = performance.now();
  const last = await waitFor('a write', () => put(store, 'b', 'after'), { deadlineMs: 10_000 });
  await log.until(() => log.batches.at(-1)?.revision === last, 10_000);
  t.comment(`healed after ${Math.round(performance.now() - beganAt)} ms`);
  await store.keepAlive(id);
  t.equal((await store.get('b'))?.modRevision, last);
  await cluster.healthy();
});

t.test('a watch leaves a member that stands still within 2.5 s, and goes on at the next', async (t) => {
  const prefix = `/part-${parts++}`;
  const leader = await cluster.leader();
  const follower = cluster.members.find((member) => member !== leader);
  if (follower === undefined) return;
  const faults: Error[] = [];
  const watcher = await openStore(
    { etcd: { endpoints: [follower.endpoint, leader.endpoint], prefix } },
    { onFault: (error) => faults.push(error) },
  );
  const writer = await openStore({ etcd: { endpoints: [leader.endpoint], prefix } });
  t.teardown(() => Promise.all([watcher.close(), writer.close()]));
  const { revision } = await watcher.range('');
  const log = new WatchLog(watcher, { prefix: '', fromRevision: revision + 1 });
  await put(writer, 'a', '1');
  await log.until(() => log.lines.length === 1);
  follower.pause();
  t.teardown(() => follower.resume());
  const beganAt = performance.now();
  await put(writer, 'a', '2');
  await log.until(() => log.lines.length === 2);
  const tookMs = performance.now() - beganAt;
  t.ok(tookMs < 2_500, `${Math.round(tookMs)} ms`);
  t.match(faults, [{ message: /silent for/ }]);
  follower.resume();
});
