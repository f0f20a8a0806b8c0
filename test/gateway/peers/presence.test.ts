import t, { type Test } from 'tap';
import { PresenceLease } from '../../../gateway/peers/presence-lease.ts';
import { PresenceMap } from '../../../gateway/peers/presence-map.ts';
import { edgeLinkKey, replicaKey, type EdgeLinkRecord, type ReplicaRecord } from '../../../gateway/peers/presence.ts';
import { systemClock } from '../../../base/index.ts';
import { openEmbeddedStore, type Store } from '../../../store/index.ts';
import { waitFor } from '../../support/wait-for.ts';

const replica: ReplicaRecord = {
  instance: 'abc',
  site: 'site-a',
  name: 'r0',
  version: '1',
  address: '127.0.0.1:1',
  advertise: ['127.0.0.1:1'],
  startedAt: '2026-01-01T00:00:00Z',
  ports: { api: 1, link: 2, public: 3 },
  links: 0,
  edges: 0,
};
const link: EdgeLinkRecord = { epoch: 1, turn: 0 };

async function world(
  t: Test,
): Promise<{ store: Store; map: PresenceMap; lease: PresenceLease; told: string[]; gone: string[] }> {
  const store = openEmbeddedStore({ file: ':memory:' });
  const told: string[] = [];
  const gone: string[] = [];
  const onFault = (error: unknown): void => void t.fail(String(error));
  const map = await PresenceMap.open({
    store,
    clock: systemClock,
    onFault,
    onEdge: (edge) => told.push(edge),
    onReplicas: () => told.push('replicas'),
    onGone: (key) => {
      gone.push(key);
      lease.gone(key);
    },
  });
  const lease = new PresenceLease({ store, clock: systemClock, ttlMs: 60_000, onFault });
  t.teardown(async () => {
    await lease.close();
    map.close();
    await store.close();
  });
  return { store, map, lease, told, gone };
}

t.test('what a replica says of itself is seen by all, and goes with it', async (t) => {
  const { map, lease, told } = await world(t);
  lease.set(replicaKey('site-a/r0'), replica);
  lease.set(edgeLinkKey('edge-1', 'site-a/r0'), link);
  await waitFor('both are seen', () => map.replicas.size === 1 && map.holders('edge-1').length === 1);
  t.match(map.replicas.get('site-a/r0'), replica);
  t.equal(map.replicas.get('site-a/r0')?.revision, map.revision);
  t.ok(told.includes('edge-1') && told.includes('replicas'));
  lease.set(edgeLinkKey('edge-1', 'site-a/r0'), undefined);
  await waitFor('the link is gone', () => map.holders('edge-1').length === 0);
  await lease.close();
  await waitFor('the replica is gone', () => map.replicas.size === 0);
});

t.test('of an edge the newest instance counts, and its active link first', async (t) => {
  const { map, lease } = await world(t);
  lease.set(edgeLinkKey('edge-1', 'site-a/r0'), { ...link, epoch: 1, turn: 9 });
  lease.set(edgeLinkKey('edge-1', 'site-a/r1'), { ...link, epoch: 2, turn: 0 });
  lease.set(edgeLinkKey('edge-1', 'site-b/r0'), { ...link, epoch: 2, turn: 3 });
  lease.set(edgeLinkKey('edge-10', 'site-b/r0'), link);
  await waitFor('all are seen', () => map.holders('edge-1').length === 2 && map.holders('edge-10').length === 1);
  t.strictSame(
    map.holders('edge-1').map(({ replica }) => replica),
    ['site-b/r0', 'site-a/r1'],
  );
  t.strictSame(map.holders('edge-2'), []);
});

t.test('a lease that the store has ended is followed by another with the same keys', async (t) => {
  const { store, map, lease } = await world(t);
  lease.set(replicaKey('site-a/r0'), replica);
  await waitFor('it is seen', () => map.replicas.size === 1);
  const entry = await store.get(replicaKey('site-a/r0'));
  await store.revokeLease(entry?.lease ?? '');
  await waitFor('it is gone', () => map.replicas.size === 0);
  lease.set(edgeLinkKey('edge-1', 'site-a/r0'), link);
  await waitFor('both are there', () => map.replicas.size === 1 && map.holders('edge-1').length === 1);
  const again = await store.get(replicaKey('site-a/r0'));
  t.not(again?.lease, entry?.lease);
});

t.test('what somebody else deleted is written again, as long as it is wanted', async (t) => {
  const { store, lease, gone } = await world(t);
  lease.set(replicaKey('site-a/r0'), replica);
  lease.set(edgeLinkKey('edge-1', 'site-a/r0'), link);
  await lease.settled();
  for (const key of [replicaKey('site-a/r0'), edgeLinkKey('edge-1', 'site-a/r0')]) {
    const before = await store.get(key);
    await store.txn({ then: [{ type: 'delete', key }] });
    const again = await waitFor('the key to be there again', () => store.get(key));
    t.not(again.modRevision, before?.modRevision);
    t.equal(again.lease, before?.lease, 'under the same lease');
  }
  lease.set(edgeLinkKey('edge-1', 'site-a/r0'), undefined);
  await waitFor(
    'the deletion to be told',
    () => gone.at(-1) === edgeLinkKey('edge-1', 'site-a/r0') && gone.length === 3,
  );
  await lease.settled();
  t.equal(await store.get(edgeLinkKey('edge-1', 'site-a/r0')), undefined);
});

t.test('a value that cannot be read is nobody', async (t) => {
  const store = openEmbeddedStore({ file: ':memory:' });
  await store.txn({ then: [{ type: 'put', key: replicaKey('site-a/r9'), value: Buffer.from('{"site":1}') }] });
  const faults: unknown[] = [];
  const map = await PresenceMap.open({
    store,
    clock: systemClock,
    onFault: (error) => faults.push(error),
    onEdge() {},
    onReplicas() {},
  });
  t.equal(map.replicas.size, 0);
  t.equal(faults.length, 1);
  map.close();
  await store.close();
});
