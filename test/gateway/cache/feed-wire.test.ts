import { test } from 'tap';
import type { Test } from 'tap';
import type { KubeObject } from '../../../resources/index.ts';
import { FedEdge, FedReplica, fastClock } from '../../support/fed-edge.ts';
import { realisticPod, withStatusUpdate } from '../../support/realistic-pod.ts';
import { waitFor } from '../../support/wait-for.ts';

const pods = { group: '', resource: 'pods' };
const PODS = 1000;

for (const dropManagedFields of [true, false]) {
  const how = dropManagedFields ? 'without managedFields' : 'with managedFields';

  test(`An update of a Pod costs a fraction of a watch's bytes, ${how}`, async (t) => {
    const { edge, replica, caughtUp } = await start(t, dropManagedFields);
    const before = edge.sentBytes;
    let watchBytes = 0;
    for (let round = 0; round < 30; round++) {
      for (let index = 0; index < 5; index++) watchBytes += update(edge, (round * 37 + index * 101) % PODS, round);
      await caughtUp();
    }
    const ratio = (edge.sentBytes - before) / watchBytes;
    t.comment(`${(edge.sentBytes - before) / 150} bytes an update, ${watchBytes / 150} in a watch`);
    t.ok(watchBytes / 150 > 7000, 'the Pods are like real ones');
    t.ok(ratio < 1 / 50, `${ratio}`);
    t.equal(counts(replica).puts, PODS, 'all updates were differences');
  });

  test(`After a loss with one Pod in a hundred changed, a hundredth of the state is sent, ${how}`, async (t) => {
    const { edge, replica, full, caughtUp } = await start(t, dropManagedFields);
    replica.setOnline('edge-1', false);
    edge.cut();
    await waitFor('the loss is noticed', () => replica.caches.find('edge-1')?.isConnected === false);
    for (let index = 0; index < PODS; index += 100) update(edge, index, 1);
    const before = edge.sentBytes;
    replica.setOnline('edge-1', true);
    await caughtUp();
    const ratio = (edge.sentBytes - before) / full;
    t.comment(`${edge.sentBytes - before} of ${full} bytes`);
    t.ok(ratio < 0.03, `${ratio}`);
    t.equal(counts(replica).resumed, 1);
  });
}

test('After a restart of the agent with one Pod in a hundred changed, little is sent, though all is compared', async (t) => {
  const { edge, replica, full, caughtUp } = await start(t, true);
  for (let index = 0; index < PODS; index += 100) update(edge, index, 1);
  const before = edge.sentBytes;
  await edge.restart();
  replica.feeds.edgeChanged('edge-1');
  await caughtUp();
  t.ok((edge.sentBytes - before) / full < 0.05, `${edge.sentBytes - before} of ${full}`);
});

async function start(t: Pick<Test, 'teardown'>, dropManagedFields: boolean) {
  // Signs of life are no part of what is measured.
  const clock = fastClock(1);
  const edge = new FedEdge(clock, { dropManagedFields });
  edge.api.version = 10_000;
  for (let index = 0; index < PODS; index++) hold(edge, realisticPod(index, 1000 + index));
  const replica = new FedReplica(new Map([['edge-1', edge]]), clock);
  t.teardown(async () => {
    await replica.close();
    await edge.close();
  });
  await replica.start();
  const caughtUp = async (): Promise<void> => {
    await waitFor('the copy has caught up', () => {
      const kind = replica.caches.find('edge-1')?.use(pods);
      return kind !== undefined && kind.collection.size === PODS && kind.collection.version === edge.api.version;
    });
  };
  await caughtUp();
  return { edge, replica, full: edge.sentBytes, caughtUp };
}

function counts(replica: FedReplica) {
  const client = replica.feeds.clients.get('edge-1');
  if (client === undefined) throw new Error('no client');
  return client.counts;
}

function hold(edge: FedEdge, pod: KubeObject): void {
  edge.api.objects.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
}

/** Returns what it costs in a watch. */
function update(edge: FedEdge, index: number, round: number): number {
  const pod = realisticPod(index, 0);
  const version = ++edge.api.version;
  const current = edge.api.objects.get(`${pod.metadata.namespace}/${pod.metadata.name}`) ?? pod;
  const next = withStatusUpdate(current, version, round);
  hold(edge, next);
  const line = JSON.stringify({ type: 'MODIFIED', object: next });
  edge.api.sendLine(line);
  return line.length + 1;
}
