import { test, type Test } from 'tap';
import type { Replica } from '../../../gateway/index.ts';
import { connect, type Fleet } from '../../../sdk/index.ts';
import { openEmbeddedStore, type Store } from '../../../store/index.ts';
import { start } from '../../integration/start.ts';
import type { Cluster } from '../../support/cluster.ts';
import { freePort } from '../../support/program.ts';
import { waitFor } from '../../support/wait-for.ts';
import { edgeLinkKey } from '../../../gateway/peers/presence.ts';
import { anotherReplica } from './another-replica.ts';

interface Setting {
  readonly cluster: Cluster;
  readonly store: Store;
  /** Has no link to the edge. */
  readonly third: Replica;
}

/** An edge with links to the first and the second replica, and a third one. */
async function setting(t: Test): Promise<Setting> {
  const store = openEmbeddedStore();
  t.teardown(() => store.close());
  const port = await freePort();
  const gateway = { link: { host: '127.0.0.1', port }, advertise: [`127.0.0.1:${port}`] };
  const { cluster } = await start(t, { store, gateway });
  const links = (): readonly string[] => cluster.agent('edge-1').uplink.links.map(({ target }) => target);
  await waitFor('both links', () => links().length === 2);
  const second = await anotherReplica(cluster, store, 'site-b', 'r1');
  t.teardown(() => second.close('the test is over'));
  await waitFor('a link at each', () => new Set(links()).size === 2);
  const third = await anotherReplica(cluster, store, 'site-c', 'r2');
  t.teardown(() => third.close('the test is over'));
  return { cluster, store, third };
}

function clientOf({ cluster }: Setting, { api, link }: Replica['ports']): Promise<Fleet> {
  const { keys } = cluster.clientConfig;
  return connect({ config: { replicas: [{ api: `https://127.0.0.1:${api}`, link: `127.0.0.1:${link}` }], keys } });
}

async function onlineEdges(fleet: Fleet): Promise<string | undefined> {
  const { body } = await fleet.api.request('GET', '/metrics');
  return /^causeway_edges_online (\d+)$/mu.exec(body.toString('utf8'))?.[1];
}

test('a replica without a link to the edge reaches it through one that has', async (t) => {
  const fleet = await setting(t);
  await using client = await clientOf(fleet, fleet.third.ports);
  const overLink = await client.edge('edge-1').fetch('web', '/sdk');
  t.equal(await overLink.text(), 'edge-1 GET /sdk');
  const overHttp = await client.api.request('GET', '/edges/edge-1/web/http');
  t.equal(overHttp.body.toString('utf8'), 'edge-1 GET /http');
  t.equal(await onlineEdges(client), '0');
  const listed = await client.api.json('GET', '/apis/causeway.io/v1/replicas');
  const { items } = listed as { readonly items: readonly { readonly metadata: { readonly name: string } }[] };
  t.strictSame(
    items.map(({ metadata }) => metadata.name),
    ['site-a.r0', 'site-b.r1', 'site-c.r2'],
  );
});

test('a replica that does not hold the edge says so, and who asked looks it up anew', async (t) => {
  const fleet = await setting(t);
  const { cluster, store, third } = fleet;
  await using atThird = await clientOf(fleet, third.ports);
  await atThird.api.json('GET', '/version');
  // The third one is said to have the active link.
  const key = edgeLinkKey('edge-1', 'site-c/r2');
  const { epoch } = (await cluster.node('edge-1')).status ?? { epoch: 0 };
  const wrong = Buffer.from(JSON.stringify({ epoch, turn: 1000 }));
  await store.txn({ then: [{ type: 'put', key, value: wrong }] });
  await using client = await cluster.client();
  let isAnswered = false;
  const answer = client
    .edge('edge-1')
    .fetch('web', '/sdk', { method: 'POST', body: 'once' })
    .finally(() => {
      isAnswered = true;
    });
  await waitFor('the third one to be asked', async () => {
    const { body } = await atThird.api.request('GET', '/metrics');
    return /^causeway_not_here [1-9]/mu.test(body.toString('utf8'));
  });
  t.equal(isAnswered, false);
  await store.txn({ then: [{ type: 'delete', key }] });
  t.match(await (await answer).text(), 'edge-1 POST /sdk');
});
