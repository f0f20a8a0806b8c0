import { test, type Test } from 'tap';
import { KubeApi, type KubeObject, type ResourceEvent } from '../../sdk/index.ts';
import { KubeServer } from '../support/kube-server.ts';
import { withLeakCheck } from '../support/leak-check.ts';
import { waitFor, within } from '../support/wait-for.ts';

async function start(t: Test, options: { servers?: number } = {}) {
  withLeakCheck(t);
  const server = await KubeServer.start(t, options);
  const kube = new KubeApi(await server.api(), '/edges/edge-1/kube');
  // What writes has connections of its own, so that those of the watches can be cut without a doubt about what was written.
  const writing = await server.api((options.servers ?? 1) - 1);
  const writer = new KubeApi(writing, '/edges/edge-1/kube').resources('configmaps');
  return { server, kube, writer, maps: kube.resources('configmaps') };
}

function mapOf(name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data };
}

test('resources are created, read, changed and deleted by any name of theirs', async (t) => {
  const { kube, maps } = await start(t);
  const made = await maps.create(mapOf('one', { a: '1' }));
  t.match(made, { kind: 'ConfigMap', metadata: { name: 'one', namespace: 'default' } });
  const read = await kube.resources('cm').get('one');
  t.strictSame(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(made)));
  t.match(read.freshness, { fromCache: false, age: 0, isStale: false });
  t.notOk(Object.keys(read).includes('freshness'), 'and it does not go along when the object is written back');

  const changed = await kube.resources('ConfigMap').update({ ...read, data: { a: '2' } });
  t.match(changed, { data: { a: '2' } });
  await t.rejects(maps.update({ ...read, data: { a: '3' } }), { status: 409, code: 'object-conflict' });
  t.match(await maps.patch('one', { data: { b: '1' } }), { data: { a: '2', b: '1' } });
  t.match(await maps.patch('one', [{ op: 'remove', path: '/data/a' }], { type: 'json' }), { data: { b: '1' } });
  t.match(await maps.create(mapOf('dry'), { dryRun: true }), { metadata: { name: 'dry' } });
  await t.rejects(maps.get('dry'), { status: 404, code: 'object-not-found' });
  await t.rejects(maps.create(mapOf('one')), { status: 409, code: 'object-exists' });
  await t.rejects(maps.create({ ...mapOf('x'), kind: 'Secret' }), { name: 'CodedError', status: 400 });
  await t.rejects(maps.get('../secrets'), { code: 'path-invalid' });
  await maps.delete('one', { preconditions: { uid: made.metadata.uid ?? '' } });
  await t.rejects(maps.delete('one'), { name: 'CodedError', status: 404 });
  await t.rejects(kube.resources('nothings').list(), { code: 'resource-unknown', status: 404 });
  t.match(await kube.resources('st').create({ apiVersion: 'test.io/v1', kind: 'Site', metadata: { name: 's' } }), {
    kind: 'Site',
  });
});

test('lists take selectors, namespaces and pages', async (t) => {
  const { maps } = await start(t);
  for (let i = 0; i < 7; i++) await maps.create(mapOf(`m${i}`, {}, { parity: i % 2 === 0 ? 'even' : 'odd' }));
  await maps.create(mapOf('other'), { namespace: 'shop' });
  const names = (items: readonly KubeObject[]) => items.map(({ metadata }) => metadata.name);
  t.equal((await maps.list()).items.length, 8);
  t.strictSame(names((await maps.list({ namespace: 'shop' })).items), ['other']);
  t.strictSame(names((await maps.list({ labelSelector: 'parity=odd' })).items), ['m1', 'm3', 'm5']);
  t.strictSame(names((await maps.list({ fieldSelector: 'metadata.name=m2' })).items), ['m2']);
  const first = await maps.list({ limit: 5 });
  t.equal(first.items.length, 5);
  const token = first.metadata['continue'];
  const rest = await maps.list({ limit: 5, ...(typeof token === 'string' ? { continue: token } : {}) });
  t.strictSame([...names(first.items), ...names(rest.items)].length, 8);
  await t.rejects(maps.list({ labelSelector: 'a in (' }), { name: 'CodedError', status: 400 });
  await t.rejects(maps.list({ continue: 'rubbish' }), { name: 'CodedError', status: 400 });
});

test('maxStale asks for the cache, and the answer says how old it is', async (t) => {
  const { server, maps } = await start(t);
  await maps.create(mapOf('one'));
  Object.assign(server.answerHeaders, {
    'Age': '37',
    'Cache-Status': 'causeway; hit; ttl=-37; detail=stale',
    'Warning': ['110 causeway "Response is Stale"', '299 causeway "edge edge-1 is not in contact, since long"'],
    'Causeway-Missing-Edges': 'edge-2;last-contact=2026-01-02T03:04:05Z, edge-7',
  });
  const list = await maps.list({ maxStale: '1m', allowPartial: true });
  t.match(list.freshness, {
    fromCache: true,
    age: 37,
    isStale: true,
    warnings: ['edge edge-1 is not in contact, since long'],
    missingEdges: ['edge-2', 'edge-7'],
    staleEdges: [],
  });
  t.equal(server.headers.at(-1)?.['cache-control'], 'max-stale=60');
  t.match(server.requests.at(-1), /allowPartial=true/u);
  t.equal((await maps.get('one', { maxStale: 'any' })).freshness.fromCache, true);
  t.equal(server.headers.at(-1)?.['cache-control'], 'max-stale');
  await maps.get('one', { maxStale: 5500 });
  t.equal(server.headers.at(-1)?.['cache-control'], 'max-stale=5');
  // @ts-expect-error: a caller without types
  await t.rejects(maps.list({ maxStale: 'soon' }), { name: 'TypeError' });
});

test('a watch goes on over lost connections and replicas, with nothing lost or twice', async (t) => {
  const { server, maps, writer } = await start(t, { servers: 2 });
  await writer.create(mapOf('m0'));
  const events: ResourceEvent[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const event of maps.watch({ signal: stop.signal })) events.push(event);
  })();
  watching.catch(() => undefined);
  await waitFor('the first object', () => events.length === 1);
  for (let i = 1; i <= 30; i++) {
    await writer.create(mapOf(`m${i}`));
    if (i % 5 === 0) server.cutWatches();
    if (i === 15) await server.stop(0);
  }
  await writer.patch('m3', { data: { late: 'yes' } });
  await writer.delete('m4');
  await waitFor('all events', () => events.length >= 33);
  t.strictSame(
    events.map((event) => (event.type === 'relisted' ? event.type : `${event.type} ${event.object.metadata.name}`)),
    [...Array.from({ length: 31 }, (_, i) => `added m${i}`), 'modified m3', 'deleted m4'],
  );
  stop.abort(new Error('enough'));
  await t.rejects(within('the end', watching), { message: 'enough' });

  const from = events[30];
  const resumed: string[] = [];
  for await (const event of maps.watch({ resourceVersion: from?.resourceVersion ?? '' })) {
    if (event.type !== 'relisted') resumed.push(`${event.type} ${event.object.metadata.name}`);
    if (resumed.length === 2) break;
  }
  t.strictSame(resumed, ['modified m3', 'deleted m4'], 'and it can begin where another has ended');
});

test('a watch from a version that is not kept brings everything, as `relisted`', async (t) => {
  const { server, maps } = await start(t);
  await maps.create(mapOf('one'));
  const gone = {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    reason: 'Expired',
    code: 410,
    message: 'too old',
  };
  server.intercept = (request, response) => {
    if (request.url?.includes('watch=true&') !== true || !request.url.includes('resourceVersion=1&')) return false;
    response.writeHead(410, { 'content-type': 'application/json' }).end(JSON.stringify(gone));
    return true;
  };
  for await (const event of maps.watch({ resourceVersion: '1' })) {
    t.match(event, { type: 'relisted', items: [{ metadata: { name: 'one' } }] });
    break;
  }
});

test('what a watch cannot begin with is thrown', async (t) => {
  const { server, kube, maps } = await start(t);
  const first = async (events: AsyncIterable<ResourceEvent>): Promise<void> => {
    for await (const _ of events) break;
  };
  await t.rejects(within('the end', first(kube.resources('nothings').watch())), { code: 'resource-unknown' });
  await t.rejects(within('the end', first(maps.watch({ labelSelector: '!!' }))), { name: 'CodedError', status: 400 });
  await t.rejects(first(maps.watch({ signal: AbortSignal.abort(new Error('never mind')) })), { message: 'never mind' });
  await maps.list();
  await server.stop(0);
  await t.rejects(within('the end', first(maps.watch())), { code: 'link-refused' });
});

test('an informer holds what the API has', async (t) => {
  const { server, maps } = await start(t);
  for (let i = 0; i < 5; i++) await maps.create(mapOf(`m${i}`));
  const informer = await maps.informer();
  t.teardown(() => informer.close());
  await within('sync', informer.synced);
  t.equal(informer.size, 5);
  server.cutWatches();
  await maps.delete('m1');
  await maps.patch('m2', { data: { x: 'y' } });
  const listed = await maps.list();
  await waitFor('the same', () => {
    const held = informer
      .list('default')
      .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
    return isSame(held, listed.items);
  });
  t.equal(informer.get('m1', 'default'), undefined);
  await informer.close();
});

function isSame(held: readonly KubeObject[], listed: readonly KubeObject[]): boolean {
  return (
    held.length === listed.length &&
    held.every(({ metadata }, index) => JSON.stringify(metadata) === JSON.stringify(listed[index]?.metadata))
  );
}
