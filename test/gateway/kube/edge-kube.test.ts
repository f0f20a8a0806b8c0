import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { Metrics } from '../../../base/index.ts';
import { sendFailure } from '../../../gateway/front/index.ts';
import { EdgeKube, type EdgeView } from '../../../gateway/kube/edge-kube.ts';
import { registerReadCounts } from '../../../gateway/kube/read-counts.ts';
import { fullAccess, type Access } from '../../../resources/index.ts';
import { tunnelError } from '../../../tunnel/index.ts';
import { listen } from '../../support/edge-path.ts';
import { FakeCaches, type FakeKind } from './fake-caches.ts';
import { bodyIn, namesIn } from './kube-body.ts';

const PODS = '/edges/edge-1/kube/api/v1/namespaces/ns/pods';
const CONTACT = Date.parse('2030-01-02T03:04:05Z');

interface Setting {
  readonly url: string;
  readonly kind: FakeKind;
  readonly caches: FakeCaches;
  readonly metrics: Metrics;
  view: EdgeView;
  access: Access;
  /** Fails what reaches the edge. */
  edgeFails: boolean;
  /** What reached the edge. */
  readonly asked: string[];
}

/** A server with the cache of `edge-1` before an edge that answers `live`. */
async function start(t: Test): Promise<Setting> {
  const caches = new FakeCaches();
  const kind = caches.add('edge-1');
  kind.put({ name: 'a', version: 5, labels: { app: 'x' } });
  kind.put({ name: 'b', version: 7 });
  const metrics = new Metrics();
  const onError = (error: unknown): void => void t.fail(String(error));
  const counts = registerReadCounts(metrics);
  const kube = new EdgeKube({
    caches,
    edge: () => setting.view,
    counts,
    version: '1.2.3',
    wallClock: () => CONTACT + 1000,
    onError,
  });
  const live = (request: IncomingMessage, response: ServerResponse): void => {
    setting.asked.push(`${request.method} ${request.url}`);
    response.end('live');
  };
  const server = createServer((request, response) => {
    const isTaken = kube.request(
      request,
      response,
      () => setting.access,
      (instead) => {
        if (!setting.edgeFails && setting.view.isOnline) return live(request, response);
        const failure = tunnelError('not-opened', { retryAfterMs: 1000 });
        if (instead === undefined) sendFailure(response, failure);
        else instead(failure);
      },
    );
    if (!isTaken) live(request, response);
  });
  const { port } = await listen(server);
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const view: EdgeView = { isAllowed: true, isOnline: true, lastContact: CONTACT, readDefault: 'live' };
  const setting: Setting = {
    url: `http://127.0.0.1:${port}`,
    kind,
    caches,
    metrics,
    view,
    access: fullAccess('operator/tester'),
    edgeFails: false,
    asked: [],
  };
  return setting;
}

function goOffline(setting: Setting, ageMs: number): void {
  setting.view = { ...setting.view, isOnline: false };
  setting.kind.set({ isConnected: false, ageMs });
}

/** Not by `fetch`, which asks for no cache when it names a tag. */
async function ask({ url }: Setting, path: string, headers: Record<string, string> = {}, method = 'GET') {
  const sent = request(`${url}${path}`, { headers, method, agent: false }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

t.test('a cached answer says that it is one', async (t) => {
  const setting = await start(t);
  setting.kind.set({ ageMs: 2500 });
  const list = await ask(setting, `${PODS}?resourceVersion=0&limit=1`);
  t.equal(list.status, 200);
  t.strictSame(namesIn(list.body), ['a', 'b'], 'all that there is, in no pages');
  t.match(JSON.parse(list.body), { kind: 'PodList', metadata: { resourceVersion: '7' } });
  t.match(list.headers, {
    'age': '2',
    'cache-status': 'causeway; hit; ttl=-2; detail=synced',
    'causeway-edge-state': 'online',
    'etag': /^"7-/,
  });
  t.notOk('warning' in list.headers);
  const one = await ask(setting, `${PODS}/a?resourceVersion=0`);
  t.match(JSON.parse(one.body), { metadata: { name: 'a', resourceVersion: '5' } });
  t.match(one.headers['etag'], /^"5-/);
  t.strictSame(setting.asked, [], 'the edge was not asked');
  t.match(await setting.metrics.text(), /causeway_kube_reads\{mode="cache",outcome="hit"\} 2/);
});

t.test('the edge is asked where the cache will not do', async (t) => {
  const setting = await start(t);
  setting.kind.set({ ageMs: 5000 });
  const cases: [path: string, headers: Record<string, string>, status: string][] = [
    [PODS, {}, 'causeway; fwd=bypass'],
    [`${PODS}?resourceVersion=0`, { 'cache-control': 'no-cache' }, 'causeway; fwd=request'],
    ['/edges/edge-1/kube/api/v1/secrets?resourceVersion=0', {}, 'causeway; fwd=miss'],
    ['/edges/edge-1/kube/api/v1beta1/pods?resourceVersion=0', {}, 'causeway; fwd=miss'],
    [PODS, { 'cache-control': 'max-stale=4' }, 'causeway; fwd=stale'],
    [`${PODS}?watch=1&resourceVersion=8`, {}, 'causeway; fwd=stale'],
    ['/edges/edge-1/kube/api', {}, 'causeway; fwd=bypass'],
    [`${PODS}/a/log`, {}, 'causeway; fwd=bypass'],
    ['/edges/edge-1/kube/metrics', {}, 'causeway; fwd=bypass'],
  ];
  for (const [path, headers, status] of cases) {
    const answer = await ask(setting, path, headers);
    t.equal(answer.body, 'live', path);
    t.equal(answer.headers['cache-status'], status, path);
  }
  t.equal(setting.asked.length, cases.length);
  t.equal((await ask(setting, PODS, { 'cache-control': 'max-stale=5' })).headers['age'], '5', 'as old as allowed');
  const other = await ask(setting, '/edges/edge-1/web/x?resourceVersion=0');
  t.equal(other.headers['cache-status'], undefined, 'another service is none of ours');
});

t.test('only-if-cached is answered from the cache or not at all', async (t) => {
  const setting = await start(t);
  setting.kind.set({ ageMs: 5000 });
  t.equal((await ask(setting, PODS, { 'cache-control': 'only-if-cached' })).status, 200);
  const cases: [path: string, control: string][] = [
    [PODS, 'only-if-cached, max-stale=1'],
    ['/edges/edge-1/kube/api/v1/secrets', 'only-if-cached'],
  ];
  for (const [path, control] of cases) {
    const answer = await ask(setting, path, { 'cache-control': control });
    t.equal(answer.status, 504);
    t.equal(answer.headers['causeway-code'], 'not-cached');
    t.match(JSON.parse(answer.body), { kind: 'Status', reason: 'Timeout' });
  }
  t.strictSame(setting.asked, []);
});

t.test('of an offline edge cached reads go on, older and older, and live ones do not', async (t) => {
  const setting = await start(t);
  for (const ageMs of [3000, 90_000]) {
    goOffline(setting, ageMs);
    const list = await ask(setting, `${PODS}?resourceVersion=0`);
    t.strictSame(namesIn(list.body), ['a', 'b']);
    t.match(list.headers, {
      'age': String(ageMs / 1000),
      'cache-status': `causeway; hit; ttl=-${ageMs / 1000}; detail=stale`,
      'causeway-edge-state': 'offline; last-contact=2030-01-02T03:04:05Z',
      'warning': new RegExp(
        `110 causeway "Response is Stale", 299 causeway "edge edge-1 is not in contact: .* ${ageMs / 1000} s ago"`,
      ),
    });
  }
  const live = await ask(setting, PODS);
  t.equal(live.status, 503);
  t.equal(live.headers['retry-after'], '1');
  t.match(live.headers['causeway-edge-state'], /^offline/);
  t.match(JSON.parse(live.body), { kind: 'Status', code: 503, reason: 'ServiceUnavailable' });

  setting.kind.set({ isConnected: true, problem: { reason: 'Forbidden', message: 'no', since: 1 } });
  const doubtful = await ask(setting, `${PODS}?resourceVersion=0`);
  t.match(doubtful.headers['warning'], /does not tell its changes \(Forbidden\)/);
});

t.test('an edge that was away for long is not waited for', async (t) => {
  const setting = await start(t);
  for (const lastContact of [undefined, CONTACT - 60_000]) {
    setting.view = { ...setting.view, isOnline: false, lastContact };
    setting.edgeFails = false;
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await ask(setting, PODS, {}, method);
      t.match(answer, { status: 503, headers: { 'causeway-code': 'not-opened', 'retry-after': '1' } });
    }
  }
  const { message } = JSON.parse((await ask(setting, PODS)).body) as { message: string };
  t.match(message, /edge-1, last in contact 20\S+Z; resourceVersion=0 reads/, 'what can be had instead');
  t.strictSame(setting.asked, []);
});

t.test('that there is no such object is said with its age as well', async (t) => {
  const setting = await start(t);
  goOffline(setting, 5000);
  const answer = await ask(setting, '/edges/edge-1/kube/api/v1/namespaces/ns/pods/none?resourceVersion=0');
  t.match(JSON.parse(answer.body), { kind: 'Status', reason: 'NotFound', details: { name: 'none', kind: 'pods' } });
  t.match(answer, { status: 404, headers: { 'age': '5', 'cache-status': /stale/, 'causeway-edge-state': /^offline/ } });
  t.notOk(answer.headers['etag']);
});

t.test('what an offline edge offers is known from its kinds', async (t) => {
  const setting = await start(t);
  goOffline(setting, 1000);
  const resources = await ask(setting, '/edges/edge-1/kube/api/v1');
  t.equal(resources.status, 200);
  t.match(JSON.parse(resources.body), { kind: 'APIResourceList', resources: [{ name: 'pods', kind: 'Pod' }] });
  t.match(resources.headers['causeway-edge-state'], /^offline/);
  t.equal((await ask(setting, '/edges/edge-1/kube/api')).status, 200);
  t.match(await ask(setting, '/edges/edge-1/kube/version'), { status: 200, body: /causeway\.1\.2\.3/ });
  setting.kind.set({ isComplete: false });
  t.equal((await ask(setting, '/edges/edge-1/kube/api/v1')).status, 503, 'nothing held, nothing to say');
});

t.test('stale-if-error falls back, and says so', async (t) => {
  const setting = await start(t);
  const headers = { 'cache-control': 'stale-if-error=60' };
  t.equal((await ask(setting, PODS, headers)).body, 'live');
  setting.edgeFails = true;
  const failed = await ask(setting, PODS, headers);
  t.strictSame(namesIn(failed.body), ['a', 'b']);
  t.match(failed.headers, { 'cache-status': /hit/, 'warning': /111 causeway "Revalidation Failed"/ });
  goOffline(setting, 59_000);
  t.match((await ask(setting, PODS, headers)).headers, { age: '59', warning: /110.*111/ });
  goOffline(setting, 61_000);
  t.equal((await ask(setting, PODS, headers)).status, 503, 'too old');
});

t.test('the edge can make the cache the default', async (t) => {
  const setting = await start(t);
  setting.view = { ...setting.view, readDefault: 'cache' };
  t.match((await ask(setting, PODS)).headers['cache-status'], /hit/);
  t.equal((await ask(setting, PODS, { 'cache-control': 'no-cache' })).body, 'live');
});

t.test('who has the state already is not sent it again', async (t) => {
  const setting = await start(t);
  const path = `${PODS}?resourceVersion=0`;
  const first = await ask(setting, path);
  const etag = first.headers['etag'] ?? '';
  const same = await ask(setting, path, { 'if-none-match': `"x", W/${etag}` });
  t.equal(same.status, 304);
  t.equal(same.body, '');
  t.match(same.headers, { etag, 'age': '0', 'causeway-edge-state': 'online' });
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const shown = await ask(setting, path, { 'if-none-match': etag, 'accept': table });
  t.equal(shown.status, 200, 'another form');
  t.equal(shown.headers['etag'], undefined, 'which changes with time');
  setting.kind.put({ name: 'c', version: 9 });
  t.equal((await ask(setting, path, { 'if-none-match': etag })).status, 200);
});

t.test('a version is waited for, and else asked of the edge', async (t) => {
  const setting = await start(t);
  const later = ask(setting, `${PODS}?resourceVersion=9&resourceVersionMatch=NotOlderThan`);
  setTimeout(() => setting.kind.put({ name: 'c', version: 9 }), 50);
  t.strictSame(namesIn((await later).body), ['a', 'b', 'c']);
  setting.kind.set({ isConnected: false, ageMs: 1 });
  const behind = await ask(setting, `${PODS}?resourceVersion=99`);
  t.equal(behind.body, 'live', 'at once: without a feed nothing is on its way');
});

t.test('a watch goes on where a cached list ended, with the same versions', async (t) => {
  const setting = await start(t);
  const list = await ask(setting, `${PODS}?resourceVersion=0`);
  const from = bodyIn(list.body).metadata.resourceVersion;
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  const watch = await fetch(`${setting.url}${PODS}?watch=1&resourceVersion=${from}`, { signal: abort.signal });
  t.match(watch.headers.get('cache-status'), /hit/);
  t.match(await setting.metrics.text(), /causeway_kube_watches\{mode="cache-if-kept"\} 1/);
  setting.kind.put({ name: 'c', version: 9 });
  const reader = watch.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  t.match(JSON.parse(Buffer.from(value ?? []).toString()), {
    type: 'ADDED',
    object: { metadata: { name: 'c', resourceVersion: '9' } },
  });
  t.strictSame(setting.asked, []);
});

t.test('a watch is not served from a copy that hears nothing while the edge can be asked', async (t) => {
  const setting = await start(t);
  for (const freshness of [{ isConnected: false }, { problem: { reason: 'Forbidden', message: 'no', since: 1 } }]) {
    setting.kind.set({ isConnected: true, ...freshness });
    t.equal((await ask(setting, `${PODS}?watch=1&resourceVersion=7`)).body, 'live');
  }
});

t.test('pages of a cached list are of one version; a page of the edge’s own goes there', async (t) => {
  const setting = await start(t);
  const stale = { 'cache-control': 'max-stale' };
  const first = bodyIn((await ask(setting, `${PODS}?limit=1`, stale)).body);
  t.strictSame(first.items.length, 1);
  setting.kind.put({ name: 'aa', version: 9 });
  const token = encodeURIComponent(first.metadata.continue);
  const second = await ask(setting, `${PODS}?limit=5&continue=${token}`);
  t.strictSame(namesIn(second.body), ['b'], 'as of the first page, though the client did not say again where from');
  const own = Buffer.from('{"v":"meta.k8s.io/v1","rv":7,"start":"a"}').toString('base64url');
  t.equal((await ask(setting, `${PODS}?limit=5&continue=${own}`, stale)).body, 'live');
});

t.test('the policy is asked for everything, also for a tag', async (t) => {
  const setting = await start(t);
  const path = `${PODS}?resourceVersion=0`;
  const { headers } = await ask(setting, path);
  setting.access = { principal: 'operator/other', allows: ({ edge, verb }) => edge !== 'edge-1' || verb === 'watch' };
  for (const known of [{}, { 'if-none-match': headers['etag'] ?? '' }])
    t.equal((await ask(setting, path, known)).status, 403);
  const seen: unknown[] = [];
  setting.access = {
    principal: 'operator/other',
    allows: (attributes) => seen.push(attributes) > 0,
    filter: () => (object) => object.name !== 'a',
  };
  const filtered = await ask(setting, path);
  t.strictSame(namesIn(filtered.body), ['b']);
  t.equal(filtered.headers['etag'], undefined, 'what differs from caller to caller has no tag');
  t.match(seen, [{ edge: 'edge-1', verb: 'list', group: '', resource: 'pods', namespace: 'ns', name: '' }]);
});

t.test('an edge that is not on the whitelist is left to who says so', async (t) => {
  const setting = await start(t);
  setting.view = { ...setting.view, isAllowed: false };
  t.equal((await ask(setting, `${PODS}?resourceVersion=0`)).body, 'live');
});
