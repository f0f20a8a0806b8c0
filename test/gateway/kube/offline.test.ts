import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Cluster } from '../../support/cluster.ts';
import { withLeakCheck } from '../../support/leak-check.ts';
import { waitFor } from '../../support/wait-for.ts';
import { bodyIn, eventsIn, namesIn } from './kube-body.ts';
import { TestKube } from './test-kube.ts';

const FLEET = '/fleet/kube/api/v1/pods';
const pods = (edge: string): string => `/edges/${edge}/kube/api/v1/pods`;

async function start(
  t: Test,
  notFed: Readonly<Record<string, string>> = {},
): Promise<{ cluster: Cluster; kubes: ReadonlyMap<string, TestKube> }> {
  withLeakCheck(t);
  const snapshots = mkdtempSync(join(tmpdir(), 'snapshots-'));
  t.teardown(() => rmSync(snapshots, { recursive: true, force: true }));
  const kubes = new Map([
    ['edge-1', await TestKube.start(t)],
    ['edge-2', await TestKube.start(t)],
  ]);
  for (const kube of kubes.values()) for (let index = 0; index < 50; index++) kube.put(`pod-${index}`);
  const cluster = await Cluster.start(t, {
    edges: 2,
    services: (edge) => [kubes.get(edge)?.service(!(edge in notFed)) ?? []].flat(),
    gateway: { cache: { snapshots } },
    limits: { openWithinMs: 300 },
  });
  for (const edge of kubes.keys()) if (!(edge in notFed)) await cached(cluster, edge);
  return { cluster, kubes };
}

/** Waits until a list of an edge comes from the cache. */
async function cached(cluster: Cluster, edge: string): Promise<void> {
  await waitFor(`the cache of ${edge}`, async () => {
    const { headers } = await cluster.ask(`${pods(edge)}?resourceVersion=0`);
    return String(headers['cache-status']).includes('detail=synced');
  });
}

async function offline(cluster: Cluster, edge: string): Promise<void> {
  await cluster.stopAgent(edge);
  await waitFor(`${edge} to be offline`, async () => (await cluster.node(edge)).status?.online === false);
}

async function metric(cluster: Cluster, name: string): Promise<number> {
  const lines = String((await cluster.ask('/metrics')).body).split('\n');
  const values = lines.filter((line) => line.startsWith(name)).map((line) => Number(line.split(' ').at(-1)));
  return values.reduce((sum, value) => sum + value, 0);
}

t.test('of a stopped edge the last state is told, older and older, also after the replica’s restart', async (t) => {
  const { cluster, kubes } = await start(t);
  t.match((await cluster.ask(pods('edge-2'))).headers, { 'cache-status': 'causeway; fwd=bypass' });
  await waitFor('the conditions', async () => {
    const { status } = await cluster.node('edge-2');
    return status?.conditions?.find(({ type }) => type === 'CacheSynced')?.status === 'True';
  });
  await offline(cluster, 'edge-2');
  const { status } = await cluster.node('edge-2');
  t.match(status?.conditions, [
    { type: 'Online', status: 'False' },
    { type: 'CacheSynced', status: 'False' },
  ]);

  const expectStale = async (): Promise<void> => {
    const ages: number[] = [];
    await waitFor('the age to rise', async () => {
      const list = await cluster.ask(`${pods('edge-2')}?resourceVersion=0`);
      t.equal(namesIn(list.body).length, 50);
      t.match(list.headers, {
        'cache-status': /hit; ttl=-?\d+; detail=stale/,
        'causeway-edge-state': /^offline; last-contact=20/,
        'warning': /110 .*299 causeway "edge edge-2/,
      });
      ages.push(Number(list.headers['age']));
      return (ages.at(-1) ?? 0) > (ages[0] ?? 0);
    });
    const live = await cluster.ask(pods('edge-2'));
    t.equal(live.status, 503);
    t.ok(live.headers['retry-after']);
    t.match(bodyIn(live.body), { kind: 'Status', code: 503 });
    t.match(bodyIn((await cluster.ask('/edges/edge-2/kube/api/v1')).body), { resources: [{ name: 'pods' }] });

    const fleet = await cluster.ask(FLEET);
    t.equal(fleet.status, 200);
    t.equal(namesIn(fleet.body).length, 100);
    t.match(fleet.headers['causeway-stale-edges'], /^edge-2;last-contact=20\d\d-/);
  };
  await expectStale();
  const { lastContact } = (await cluster.node('edge-2')).status ?? {};
  await cluster.restartReplica();
  await cluster.online('edge-1');
  await cached(cluster, 'edge-1');
  t.equal((await cluster.node('edge-2')).status?.lastContact, lastContact, 'when it was last heard of is kept');
  await expectStale();

  // What changes meanwhile comes when the edge returns, and nothing else.
  const kube = kubes.get('edge-2');
  kube?.put('pod-1', { node: 'moved' });
  kube?.remove('pod-2');
  kube?.put('new');
  const before = await metric(cluster, 'causeway_feed_puts');
  await cluster.startAgent('edge-2');
  await cached(cluster, 'edge-2');
  await waitFor('the changes', async () => {
    const names = namesIn((await cluster.ask(`${pods('edge-2')}?resourceVersion=0`)).body);
    return names.includes('new') && !names.includes('pod-2');
  });
  const sent = (await metric(cluster, 'causeway_feed_puts')) + (await metric(cluster, 'causeway_feed_deltas'));
  t.equal(sent - before, 2, 'two of 50');
  t.equal(await metric(cluster, 'causeway_feed_removals'), 1);
});

t.test(
  'an API that fails behind a link that does not is stood in for by the cache, where that is wanted',
  async (t) => {
    const { cluster, kubes } = await start(t);
    const headers = { 'cache-control': 'stale-if-error' };
    t.match((await cluster.ask(pods('edge-1'), { headers })).headers, { 'cache-status': 'causeway; fwd=bypass' });
    kubes.get('edge-1')?.close();
    const alone = await cluster.ask(pods('edge-1'));
    t.equal(alone.status, 502);
    t.match(bodyIn(alone.body), { kind: 'Status' });
    const instead = await cluster.ask(pods('edge-1'), { headers });
    t.equal(instead.status, 200);
    t.equal(namesIn(instead.body).length, 50);
    t.match(instead.headers, { 'cache-status': /hit/, 'warning': /111 causeway/, 'causeway-edge-state': 'online' });
    await waitFor('the condition of the API', async () => {
      const { status } = await cluster.node('edge-1');
      return status?.conditions?.find(({ type }) => type === 'KubeHealthy')?.status === 'False';
    });
  },
);

t.test('an edge whose API is not fed is read live, and named as such in the fleet', async (t) => {
  const { cluster } = await start(t, { 'edge-2': 'not fed' });
  t.match((await cluster.ask(`${pods('edge-2')}?resourceVersion=0`)).headers, { 'cache-status': 'causeway; fwd=miss' });
  const fleet = await waitFor('the refusal', async () => {
    const list = await cluster.ask(FLEET);
    return list.status === 200 ? list : undefined;
  });
  t.match(fleet.headers, { 'causeway-not-fed-edges': 'edge-2' });
  t.ok(namesIn(fleet.body).every((name) => name.startsWith('edge-1.')));
});

t.test('a watch of the fleet goes on through an edge’s absence', async (t) => {
  const { cluster, kubes } = await start(t);
  const { resourceVersion } = bodyIn((await cluster.ask(FLEET)).body).metadata;
  const sent = cluster.open(`${FLEET}?watch=1&resourceVersion=${resourceVersion}`);
  sent.on('error', () => undefined);
  sent.end();
  t.teardown(() => sent.destroy());
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const told = (): string[] => eventsIn(text).map(({ type, object }) => `${type} ${object.metadata.name}`);

  kubes.get('edge-1')?.put('same');
  kubes.get('edge-2')?.put('same');
  await waitFor('both', () => told().length === 2);
  t.strictSame(told().toSorted(), ['ADDED edge-1.same', 'ADDED edge-2.same'], 'equal names are two objects');
  await offline(cluster, 'edge-2');
  kubes.get('edge-2')?.put('pod-1', { node: 'moved' });
  kubes.get('edge-2')?.remove('pod-2');
  kubes.get('edge-1')?.remove('pod-3');
  await waitFor('the other edge', () => told().length === 3);
  t.strictSame(told().slice(2), ['DELETED edge-1.pod-3']);
  await cluster.startAgent('edge-2');
  await waitFor('what changed meanwhile', () => told().length === 5);
  t.strictSame(told().slice(3).toSorted(), ['DELETED edge-2.pod-2', 'MODIFIED edge-2.pod-1']);

  await cluster.setAdmission('edge-2', 'Denied');
  await waitFor('the edge to leave the view', () => told().length === 5 + 50);
  t.ok(
    told()
      .slice(5)
      .every((event) => event.startsWith('DELETED edge-2.')),
  );
  const list = await cluster.ask(FLEET);
  t.equal(list.status, 200);
  t.ok(namesIn(list.body).every((name) => name.startsWith('edge-1.')));
  t.equal((await cluster.ask(`${pods('edge-2')}?resourceVersion=0`)).status, 403);
});
