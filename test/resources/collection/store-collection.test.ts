import t, { type Test } from 'tap';

import type { StoreCollection } from '../../../resources/collection/store-collection.ts';
import { StoreFeed, type StoreFeedOptions } from '../../../resources/collection/store-feed.ts';
import { everything } from '../../../resources/collection/selector.ts';
import type { ListQuery } from '../../../resources/collection/collection.ts';
import { openEmbeddedStore, type Store } from '../../../store/index.ts';
import { waitFor, within } from '../../support/wait-for.ts';
import { EventLog } from './event-log.ts';
import { FaultyStore } from './faulty-store.ts';
import { nodeType, pod, podType } from './sample.ts';

const all: ListQuery = { selector: everything, at: { match: 'newest' } };

async function open(
  t: Test,
  options: Partial<StoreFeedOptions> = {},
): Promise<{ store: Store; feed: StoreFeed; pods: StoreCollection }> {
  const store = options.store ?? openEmbeddedStore();
  const feed = new StoreFeed({ ...options, store });
  await feed.start();
  t.teardown(async () => {
    feed.close();
    await store.close();
  });
  return { store, feed, pods: await feed.collection(podType) };
}

async function put(store: Store, key: string, value: unknown): Promise<number> {
  return (
    await store.txn({
      then: [{ type: 'put', key, value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)) }],
    })
  ).revision;
}

t.test('an object is a key, its version the revision, its JSON without a resourceVersion', async (t) => {
  const { store, feed, pods } = await open(t);
  const created = await pods.create(pod('a', { labels: { x: 'y' } }));
  const entry = await store.get('/resources/core/pods/default/a');
  t.equal(created.version, entry?.modRevision);
  t.strictSame(JSON.parse(entry?.value.toString() ?? ''), pod('a', { labels: { x: 'y' } }));
  t.strictSame(JSON.parse(created.json.toString()).metadata, {
    name: 'a',
    namespace: 'default',
    labels: { x: 'y' },
    resourceVersion: String(created.version),
  });
  t.strictSame(await pods.get('default', 'a'), created);
  t.strictSame((await pods.list(all)).objects, [created]);

  const nodes = await feed.collection({ ...nodeType, group: 'causeway.io' });
  await nodes.create({ apiVersion: 'causeway.io/v1', kind: 'Node', metadata: { name: 'system:node/ä' } });
  t.ok(await store.get('/resources/causeway.io/nodes/system%3Anode%2F%C3%A4'));
  t.match(await nodes.get('', 'system:node/ä'), { name: 'system:node/ä', namespace: '' });
  await nodes.update('', 'system:node/ä', () => undefined);
  t.equal(await nodes.get('', 'system:node/ä'), undefined);
});

t.test('a writer sees its own write at once, without asking the store', async (t) => {
  const { pods } = await open(t);
  const { version } = await pods.create(pod('a'));
  t.equal(pods.cache.peek('default', 'a')?.version, version);
  const updated = await pods.update('default', 'a', () => pod('a', { text: '1' }));
  t.strictSame(pods.cache.peek('default', 'a'), updated);
  await pods.update('default', 'a', () => undefined);
  t.equal(pods.cache.peek('default', 'a'), undefined);
});

t.test('what is there is not created again; what is not there is not updated', async (t) => {
  const { pods } = await open(t);
  await pods.create(pod('a'));
  await t.rejects(pods.create(pod('a')), { code: 'object-exists', status: 409, message: /pods default\/a/ });
  await t.rejects(
    pods.update('default', 'b', (current) => current),
    { code: 'object-not-found', status: 404, message: /pods default\/b/ },
  );
  await t.rejects(pods.create({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'c' } }), {
    code: 'object-malformed',
  });
  await t.rejects(
    pods.update('default', 'a', () => pod('b')),
    { code: 'object-malformed', message: /cannot be renamed/ },
  );
});

t.test('an update may change nothing, fail or delete', async (t) => {
  const { pods } = await open(t);
  const created = await pods.create(pod('a'));
  const log = await EventLog.open(pods, { from: created.version });
  t.strictSame(await pods.update('default', 'a', (current) => current), created);
  const failure = new Error('no');
  await t.rejects(
    pods.update('default', 'a', () => {
      throw failure;
    }),
    failure,
  );
  t.equal((await pods.list(all)).version, created.version, 'nothing was written');
  const last = await pods.update('default', 'a', () => undefined);
  t.strictSame(last, created, 'what it was before it was deleted');
  await log.until(1);
  t.equal(log.events[0]?.type, 'DELETED');
  t.ok((log.versions[0] ?? 0) > created.version);
});

t.test('of many that write at once each sees what the others wrote', async (t) => {
  const store = openEmbeddedStore();
  const { pods } = await open(t, { store });
  const other = new StoreFeed({ store });
  await other.start();
  t.teardown(() => other.close());
  const [here, there] = [pods, await other.collection(podType)];
  await here.create(pod('a', { text: '0' }));
  const count = (collection: StoreCollection): Promise<unknown> =>
    collection.update('default', 'a', (current) =>
      pod('a', { text: String(Number((current['spec'] as { text: string }).text) + 1) }),
    );
  await Promise.all(Array.from({ length: 20 }, (_, i) => count(i % 2 === 0 ? here : there)));
  t.match(JSON.parse((await there.get('default', 'a'))?.json.toString() ?? ''), { spec: { text: '20' } });
});

t.test('memory that is behind neither refuses nor overwrites', async (t) => {
  const store = new FaultyStore(openEmbeddedStore());
  const { pods } = await open(t, { store });
  const created = await pods.create(pod('a', { text: '0' }));
  store.hold();
  const key = '/resources/core/pods/default/';
  await put(store, `${key}a`, pod('a', { text: '1' }));
  await put(store, `${key}b`, pod('b'));
  t.equal(pods.cache.peek('default', 'a')?.version, created.version);
  const seen: unknown[] = [];
  await pods.update('default', 'a', (current) => {
    seen.push((current['spec'] as { text: string }).text);
    return pod('a', { text: '2' });
  });
  t.strictSame(seen, ['0', '1']);
  t.ok(await pods.update('default', 'b', (current) => current), 'what memory does not know yet is found');
  await put(store, `${key}a`, pod('a', { text: '3' }));
  const refused = pods.update('default', 'a', (current) => {
    const { text } = current['spec'] as { text: string };
    if (text !== '3') throw new Error(`a stale ${text}`);
    return current;
  });
  t.match(JSON.parse((await refused).json.toString()), { spec: { text: '3' } });
  store.release();
});

t.test('a read of the newest waits for what others have written', async (t) => {
  const store = new FaultyStore(openEmbeddedStore());
  const { pods } = await open(t, { store });
  store.hold();
  const revision = await put(store, '/resources/core/pods/default/a', pod('a'));
  t.equal((await pods.list({ ...all, at: { match: 'any' } })).objects.length, 0);
  const reads = Promise.all([pods.list(all), pods.get('default', 'a'), EventLog.open(pods, { from: 'newest' })]);
  store.release();
  const [list, got, log] = await reads;
  t.match([list.version, list.objects.length, got?.version, log.versions], [revision, 1, revision, [revision]]);
});

t.test('revisions that the watch never hears of do not hold up a read of the newest', async (t) => {
  const store = new FaultyStore(openEmbeddedStore());
  store.deafTo = '/elsewhere/';
  const { pods } = await open(t, { store });
  const { version } = await pods.create(pod('a'));
  const elsewhere = await put(store, '/elsewhere/x', '1');
  const list = await within('a list of the newest', pods.list(all));
  t.ok(list.version >= elsewhere);
  t.equal(list.objects[0]?.version, version);
});

t.test('a read of the newest fails with the store, and any other does not', async (t) => {
  const store = new FaultyStore(openEmbeddedStore());
  const { pods } = await open(t, { store });
  await pods.create(pod('a'));
  store.failure = Object.assign(new Error('no quorum'), { code: 'store-failed' });
  await t.rejects(pods.list(all), { code: 'store-failed' });
  t.equal((await pods.list({ ...all, at: { match: 'any' } })).objects.length, 1);
});

t.test('collections of one store share its version: what happens to one is progress of the other', async (t) => {
  const { feed, pods } = await open(t);
  const nodes = await feed.collection(nodeType);
  t.equal(await feed.collection(nodeType), nodes);
  const log = await EventLog.open(nodes);
  const { version } = await pods.create(pod('a'));
  t.equal((await nodes.list(all)).version, version);
  t.equal(log.watch.version, version);
  t.strictSame(log.events, []);
  t.strictSame((await nodes.list({ ...all, at: { match: 'not-older-than', version } })).objects, []);
});

t.test('a collection that is opened late, or before the start, holds everything', async (t) => {
  const store = openEmbeddedStore();
  const early = await open(t, { store });
  for (let i = 0; i < 20; i++) await early.pods.create(pod(`p${i}`));
  const feed = new StoreFeed({ store });
  t.teardown(() => feed.close());
  const before = await feed.collection(podType);
  const waiting = before.list({ ...all, at: { match: 'any' } });
  await feed.start();
  t.equal((await waiting).objects.length, 20);
  const writing = early.feed
    .collection(nodeType)
    .then((nodes) => nodes.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } }));
  const late = await feed.collection(nodeType);
  await writing;
  t.equal((await late.list(all)).objects.length, 1);
});

t.test('what changes while a collection is being loaded is not lost', async (t) => {
  const store = new FaultyStore(openEmbeddedStore());
  const { feed, pods } = await open(t, { store });
  const key = (name: string): string => `/resources/core/nodes/${name}`;
  const node = (name: string): unknown => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
  await put(store, key('old'), node('old'));
  await put(store, key('gone'), node('gone'));
  const { promise, resolve } = Promise.withResolvers<void>();
  store.rangeAnswered = promise;
  const loading = feed.collection(nodeType);
  await put(store, key('new'), node('new'));
  await store.txn({ then: [{ type: 'delete', key: key('gone') }] });
  const { version } = await pods.create(pod('a'));
  await waitFor('the watch to tell', () => pods.cache.version === version);
  store.rangeAnswered = undefined;
  resolve();
  const nodes = await loading;
  t.strictSame(
    (await nodes.list({ ...all, at: { match: 'any' } })).objects.map(({ name }) => name),
    ['new', 'old'],
  );
  t.equal(nodes.cache.version, version);
});

t.test('repeated events of the store are dropped and counted', async (t) => {
  const store = new FaultyStore(openEmbeddedStore());
  store.repeats = true;
  const { pods } = await open(t, { store });
  const log = await EventLog.open(pods);
  await pods.create(pod('a'));
  await pods.update('default', 'a', () => pod('a', { text: '1' }));
  await pods.update('default', 'a', () => undefined);
  await pods.create(pod('b'));
  await log.until(4);
  t.strictSame(
    log.events.map(({ type }) => type),
    ['ADDED', 'MODIFIED', 'DELETED', 'ADDED'],
  );
  await waitFor('repetitions', () => pods.cache.repeated >= 3);
  t.strictSame(
    (await pods.list(all)).objects.map(({ name }) => name),
    ['b'],
  );
});

t.test('a watch of the store that ends is begun again, and nothing is lost', async (t) => {
  const store = new FaultyStore(openEmbeddedStore());
  const faults: Error[] = [];
  const { feed, pods } = await open(t, { store, onFault: (error) => faults.push(error) });
  await pods.create(pod('a'));
  await pods.create(pod('b'));
  const log = await EventLog.open(pods);
  store.end();
  await put(store, '/resources/core/pods/default/c', pod('c'));
  await store.txn({ then: [{ type: 'delete', key: '/resources/core/pods/default/a' }] });
  await log.until(4);
  t.strictSame(
    log.events
      .slice(2)
      .map(({ type, object }) => `${type} ${object.name}`)
      .sort(),
    ['ADDED c', 'DELETED a'],
  );
  await pods.create(pod('d'));
  await log.until(5);
  t.match(faults, [{ code: 'compacted' }]);
  t.equal(feed.faults, 1);
  t.equal(feed.divergences, 0, 'this is not what a comparison counts');
});

t.test('rubbish in the store is left out, told, and never taken for a deletion', async (t) => {
  const faults: Error[] = [];
  const { store, feed, pods } = await open(t, { onFault: (error) => faults.push(error) });
  await pods.create(pod('a'));
  const key = '/resources/core/pods/default/';
  await put(store, `${key}a`, '{"metadata":');
  await put(store, `${key}b`, pod('other'));
  await put(store, `${key}c/d`, pod('c'));
  await put(store, `${key}%`, pod('e'));
  t.strictSame(
    (await pods.list(all)).objects.map(({ name }) => name),
    ['a'],
  );
  t.equal(await feed.compare(), 0);
  t.strictSame(
    (await pods.list(all)).objects.map(({ name }) => name),
    ['a'],
  );
  t.match(faults.slice(0, 2), [{ code: 'object-unreadable' }, { code: 'object-unreadable' }]);
  await put(store, `${key}a`, pod('a', { text: 'well again' }));
  t.match(JSON.parse((await pods.get('default', 'a'))?.json.toString() ?? ''), { spec: { text: 'well again' } });
});

t.test('a comparison finds what the store lost to tell, puts it right and counts it', async (t) => {
  const store = new FaultyStore(openEmbeddedStore());
  const { feed, pods } = await open(t, { store });
  await pods.create(pod('a'));
  const log = await EventLog.open(pods);
  store.deafTo = '/resources/core/pods/default/lost';
  await put(store, '/resources/core/pods/default/lost', pod('lost'));
  await put(store, '/resources/core/pods/default/told', pod('told'));
  await log.until(2);
  t.strictSame(
    (await pods.list(all)).objects.map(({ name }) => name),
    ['a', 'told'],
  );
  t.equal(await feed.compare(), 1);
  t.strictSame(
    (await pods.list(all)).objects.map(({ name }) => name),
    ['a', 'lost', 'told'],
  );
  await log.until(3);
  t.match(feed, { divergences: 1 });
  t.equal(await feed.compare(), 0);
});

t.test('when the store closes, watches end and reads of any go on', async (t) => {
  const { store, pods } = await open(t);
  await pods.create(pod('a'));
  const log = await EventLog.open(pods);
  await store.close();
  await waitFor('the watch to end', () => log.error);
  t.match(log.error, { code: 'version-expired' });
  t.equal((await pods.list({ ...all, at: { match: 'any' } })).objects.length, 1);
  await t.rejects(pods.list(all), { code: 'store-closed' });
});
