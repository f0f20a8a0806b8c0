import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { Metrics, systemClock } from '../../../base/index.ts';
import type { FleetEdge } from '../../../gateway/kube/fleet-coverage.ts';
import { FleetCursor } from '../../../gateway/kube/fleet-cursor.ts';
import { FleetKube } from '../../../gateway/kube/fleet-kube.ts';
import { FleetViews } from '../../../gateway/kube/fleet-views.ts';
import { registerReadCounts } from '../../../gateway/kube/read-counts.ts';
import { fullAccess, type Access } from '../../../resources/index.ts';
import { listen } from '../../support/edge-path.ts';
import { waitFor, within } from '../../support/wait-for.ts';
import { FakeCaches } from './fake-caches.ts';
import { bodyIn, namesIn, type KubeEvent } from './kube-body.ts';

const PODS = '/fleet/kube/api/v1/pods';
const CONTACT = Date.parse('2030-01-02T03:04:05Z');

interface Setting {
  readonly url: string;
  readonly caches: FakeCaches;
  readonly views: FleetViews;
  edges: FleetEdge[];
  access: Access;
}

function edge(name: string, more: Partial<FleetEdge> = {}): FleetEdge {
  return { name, isOnline: true, lastContact: CONTACT, hasKube: true, feeds: undefined, ...more };
}

async function start(t: Test, edges: readonly string[] = ['edge-1', 'edge-2']): Promise<Setting> {
  const caches = new FakeCaches();
  for (const name of edges) {
    const kind = caches.add(name);
    kind.put({ name: 'web', version: 5, labels: { app: 'web' } });
    kind.put({ name: `only-${name}`, version: 6, namespace: 'other', node: name });
  }
  const views = new FleetViews({ caches, cursor: new FleetCursor(3), clock: systemClock });
  const fleet = new FleetKube({
    views,
    edges: () => setting.edges,
    counts: registerReadCounts(new Metrics()),
    version: '1.2.3',
    clock: systemClock,
    onError: (error) => void t.fail(String(error)),
  });
  const server = createServer((incoming, response) => {
    const [path = ''] = (incoming.url ?? '').split('?', 1);
    if (!fleet.answer(incoming, response, path, setting.access)) response.writeHead(404).end('not ours');
  });
  const { port } = await listen(server);
  t.teardown(() => {
    views.close();
    server.closeAllConnections();
    server.close();
  });
  const setting: Setting = {
    url: `http://127.0.0.1:${port}`,
    caches,
    views,
    edges: edges.map((name) => edge(name)),
    access: fullAccess('operator/tester'),
  };
  return setting;
}

async function ask({ url }: Setting, path: string, headers: Record<string, string> = {}, method = 'GET') {
  const sent = request(`${url}${path}`, { headers, method, agent: false }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

t.test('the objects of all edges are one list', async (t) => {
  const setting = await start(t);
  const list = await ask(setting, PODS);
  t.equal(list.status, 200, list.body);
  t.strictSame(namesIn(list.body), ['edge-1.web', 'edge-2.web', 'edge-1.only-edge-1', 'edge-2.only-edge-2']);
  const { metadata, items } = bodyIn(list.body);
  t.match(items[0]?.metadata, {
    labels: { 'causeway.io/edge': 'edge-1' },
    annotations: { 'causeway.io/name': 'web' },
  });
  t.ok(Number.isSafeInteger(Number(metadata.resourceVersion)) && Number(metadata.resourceVersion) > 2 ** 40);
  t.match(list.headers, { 'age': '0', 'cache-status': 'causeway; hit; ttl=0; detail=synced', 'etag': /./ });
  const same = await ask(setting, PODS, { 'if-none-match': list.headers.etag ?? '' });
  t.equal(same.status, 304);

  const one = await ask(setting, '/fleet/kube/api/v1/namespaces/ns/pods/edge-2.web');
  t.match(JSON.parse(one.body), { kind: 'Pod', metadata: { name: 'edge-2.web', namespace: 'ns' } });
  t.equal((await ask(setting, '/fleet/kube/api/v1/namespaces/ns/pods/web')).status, 404);
});

t.test('selectors, namespaces, pages and tables are as for one cluster', async (t) => {
  const setting = await start(t);
  t.strictSame(namesIn((await ask(setting, `${PODS}?labelSelector=causeway.io/edge%3Dedge-2`)).body), [
    'edge-2.web',
    'edge-2.only-edge-2',
  ]);
  t.strictSame(namesIn((await ask(setting, `${PODS}?labelSelector=app`)).body), ['edge-1.web', 'edge-2.web']);
  t.strictSame(namesIn((await ask(setting, `${PODS}?fieldSelector=spec.nodeName%3Dedge-1`)).body), [
    'edge-1.only-edge-1',
  ]);
  t.strictSame(namesIn((await ask(setting, '/fleet/kube/api/v1/namespaces/ns/pods')).body), [
    'edge-1.web',
    'edge-2.web',
  ]);
  const first = bodyIn((await ask(setting, `${PODS}?limit=3`)).body);
  setting.caches.kinds.get('edge-1')?.put({ name: 'zzz', version: 9, namespace: 'z' });
  const token = encodeURIComponent(first.metadata.continue);
  const second = bodyIn((await ask(setting, `${PODS}?limit=3&continue=${token}`)).body);
  t.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
  t.strictSame(
    second.items.map(({ metadata }) => metadata.name),
    ['edge-2.only-edge-2'],
  );
  const table = await ask(setting, PODS, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' });
  t.match(JSON.parse(table.body), { kind: 'Table', rows: [{ cells: ['edge-1.web'] }] });
});

t.test('who looks for a name of an edge’s own is told how names are here', async (t) => {
  const setting = await start(t);
  const path = '/fleet/kube/api/v1/namespaces/ns/pods';
  t.match(await ask(setting, `${path}/web`), { status: 404, body: /names begin with the edge, as EDGE\.web/ });
  const absent = await ask(setting, `${path}/edge-1.none`);
  t.match(absent, { status: 404, headers: { 'age': '0', 'cache-status': /hit/ } });
  t.notMatch(absent.body, /EDGE/);
});

t.test('what it offers is what edges feed, to be read only', async (t) => {
  const setting = await start(t);
  const resources = bodyIn((await ask(setting, '/fleet/kube/api/v1')).body);
  t.match(resources, { kind: 'APIResourceList', resources: [{ name: 'pods', verbs: ['get', 'list', 'watch'] }] });
  t.equal(resources.resources.length, 1, 'no status');
  t.equal((await ask(setting, '/fleet/kube/apis')).status, 200);
  for (const method of ['POST', 'DELETE'])
    t.match(await ask(setting, '/fleet/kube/api/v1/namespaces/ns/pods', {}, method), {
      status: 405,
      body: /read only; write at one of them, under \/edges\/EDGE\/kube/,
    });
  t.match(await ask(setting, '/fleet/kube/version'), { body: /causeway\.1\.2\.3/ });
  t.equal((await ask(setting, '/fleet/kube/api/v1/namespaces/ns/pods/edge-1.web/log')).status, 404);
  setting.edges = setting.edges.map((each) => ({ ...each, feeds: false }));
  t.match(JSON.parse((await ask(setting, '/fleet/kube/api/v1/secrets')).body), { kind: 'Status', code: 404 });
  t.equal((await ask(setting, '/fleet/kube/healthz')).status, 404);
  t.equal((await ask(setting, '/fleet/kubernetes')).body, 'not ours');
});

t.test('a list is whole or an error that names who is missing', async (t) => {
  const setting = await start(t);
  setting.edges.push(edge('edge-3', { isOnline: false }), edge('plain', { hasKube: false }));
  const whole = await ask(setting, PODS);
  t.equal(whole.status, 503);
  t.match(whole.headers, {
    'causeway-code': 'edges-missing',
    'causeway-missing-edges': 'edge-3;last-contact=2030-01-02T03:04:05Z',
    'retry-after': '5',
  });
  t.match(JSON.parse(whole.body), { kind: 'Status', message: /edge-3/ });
  t.notMatch(whole.body, /plain/, 'an edge without an API has nothing to miss');

  const part = await ask(setting, `${PODS}?allowPartial=true`);
  t.equal(part.status, 200);
  t.equal(namesIn(part.body).length, 4);
  t.match(part.headers, {
    'causeway-missing-edges': /^edge-3;/,
    'cache-status': /detail=partial/,
    'warning': /299 causeway "edge edge-3 \(offline since 2030-01-02T03:04:05Z\) is missing here"/,
  });
  const one = await ask(setting, '/fleet/kube/api/v1/namespaces/ns/pods/edge-1.web');
  t.equal(one.status, 200, 'one object needs one edge');
});

t.test('that no edge has such a kind is said only when all have told what they have', async (t) => {
  const setting = await start(t, []);
  setting.edges = [edge('edge-1', { feeds: false }), edge('edge-2'), edge('plain', { hasKube: false })];
  for (const query of ['', '?watch=1&resourceVersion=5', '/web']) {
    const answer = await ask(setting, `${PODS}${query}`);
    t.equal(answer.status, 503, 'after a restart nothing is known yet, and a client has to ask again');
    t.match(answer.headers, { 'causeway-code': 'edges-missing', 'causeway-missing-edges': 'edge-2' });
  }
  setting.access = { ...fullAccess('operator/tester'), allows: ({ edge: name }) => name !== 'edge-2' };
  t.equal((await ask(setting, PODS)).status, 404, 'nobody is told of an edge that he may not see');
  setting.access = fullAccess('operator/tester');
  setting.edges[1] = edge('edge-2', { feeds: false });
  t.equal((await ask(setting, PODS)).status, 404);
});

t.test('an offline edge is in the list by its last state, and named', async (t) => {
  const setting = await start(t);
  await ask(setting, PODS);
  setting.caches.kinds.get('edge-2')?.set({ isConnected: false, ageMs: 61_000 });
  setting.edges = [edge('edge-1'), edge('edge-2', { isOnline: false })];
  const list = await ask(setting, PODS);
  t.equal(list.status, 200);
  t.equal(namesIn(list.body).length, 4, 'nothing was deleted');
  t.match(list.headers, {
    'age': '61',
    'causeway-stale-edges': 'edge-2;last-contact=2030-01-02T03:04:05Z',
    'cache-status': 'causeway; hit; ttl=-61; detail=stale',
    'warning':
      /110 causeway .*299 causeway "edge edge-2 \(offline since 2030-01-02T03:04:05Z\): this is its state 61 s ago"/,
  });
});

t.test('what is on its way is waited for', async (t) => {
  const setting = await start(t);
  await ask(setting, PODS);
  setting.edges.push(edge('edge-3'));
  let isAnswered = false;
  const list = ask(setting, PODS).finally(() => {
    isAnswered = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(isAnswered);
  setting.caches.add('edge-3').put({ name: 'late', version: 2 });
  setting.views.kindsChanged('edge-3');
  const { status, body } = await within('the list', list);
  t.equal(status, 200);
  t.ok(namesIn(body).includes('edge-3.late'));
});

t.test('an edge that feeds no such kind is named apart, and is no reason to fail', async (t) => {
  const setting = await start(t);
  setting.edges.push(edge('edge-3', { feeds: false }));
  const list = await ask(setting, PODS);
  t.equal(list.status, 200);
  t.match(list.headers, { 'causeway-not-fed-edges': 'edge-3' });
});

t.test('one watch hears of all edges, from the version of a list', async (t) => {
  const setting = await start(t);
  const { resourceVersion } = bodyIn((await ask(setting, PODS)).body).metadata;
  setting.caches.kinds.get('edge-1')?.put({ name: 'one', version: 7 });
  const sent = request(`${setting.url}${PODS}?watch=1&resourceVersion=${resourceVersion}`, { agent: false }).end();
  t.teardown(() => sent.destroy());
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  const lines: KubeEvent[] = [];
  const reader = createInterface({ input: response }).on('line', (line) => lines.push(JSON.parse(line) as KubeEvent));
  reader.on('error', () => undefined);
  setting.caches.kinds.get('edge-2')?.put({ name: 'two', version: 7 });
  await waitFor('both', () => lines.length === 2);
  t.strictSame(
    lines.map(({ type, object }) => `${type} ${object.metadata.name}`),
    ['ADDED edge-1.one', 'ADDED edge-2.two'],
  );
  const versions = [resourceVersion, ...lines.map(({ object }) => object.metadata.resourceVersion)].map(Number);
  t.strictSame(
    versions,
    versions.toSorted((a, b) => a - b),
  );

  for (const foreign of ['7', String(9 * 2 ** 40 + 1)]) {
    const gone = await ask(setting, `${PODS}?watch=1&resourceVersion=${foreign}`);
    t.match(`${gone.status} ${gone.body}`, /410/, 'a version of an edge, or of another replica');
  }
});

t.test('who may see some edges sees a fleet of those', async (t) => {
  const setting = await start(t, ['edge-1', 'edge-2', 'edge-3']);
  setting.edges = [edge('edge-1'), edge('edge-2'), edge('edge-4', { isOnline: false })];
  setting.access = {
    principal: 'operator/some',
    allows: (asked) => asked.edge === 'edge-2',
    filter: () => (object) => object.name !== 'only-edge-2',
  };
  const list = await ask(setting, PODS);
  t.equal(list.status, 200, 'an edge that he may not see cannot be missing');
  t.strictSame(namesIn(list.body), ['edge-2.web']);
  t.notMatch(JSON.stringify(list.headers), /edge-[14]/, 'nor is it named');
  t.equal((await ask(setting, '/fleet/kube/api/v1/namespaces/ns/pods/edge-1.web')).status, 403);
  setting.access = { principal: 'operator/none', allows: () => false };
  t.equal((await ask(setting, PODS)).status, 403);
});
