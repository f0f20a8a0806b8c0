import { test } from 'tap';
import type { Test } from 'tap';
import { everything, type HeldObject } from '../../../resources/index.ts';
import type { CachedKind, KindFollower } from '../../../gateway/cache/index.ts';
import { FedEdge, FedReplica, fastClock } from '../../support/fed-edge.ts';
import { waitFor } from '../../support/wait-for.ts';

const pods = { group: '', resource: 'pods' };

test('A cache holds what its edge has, and follows it', async (t) => {
  const { edge, replica } = await start(t);
  for (let index = 0; index < 300; index++) edge.api.put(`pod-${index}`, { index });
  await settled(edge, replica);
  edge.api.put('pod-7', { index: 'seven' });
  edge.api.put('late', {});
  edge.api.remove('pod-8');
  await settled(edge, replica);
  const kind = held(replica);
  t.equal(kind.type.kind, 'Pod');
  t.strictSame(kind.type.shortNames, ['po']);
  t.ok(kind.type.columns.length > 1, 'columns of Pods are known');
  t.equal(kind.freshness.isComplete, true);
  t.equal(kind.freshness.isConnected, true);
  const page = await kind.collection.list({ selector: everything, at: { match: 'any' } });
  t.equal(page.version, edge.api.version);
});

test('A watch of a copy gets every change at the edge, in order and once', async (t) => {
  const { edge, replica } = await start(t);
  for (let index = 0; index < 20; index++) edge.api.put(`pod-${index}`);
  await settled(edge, replica);
  const { versions } = await watchFrom(t, edge, replica);
  for (let index = 0; index < 100; index++) {
    if (index % 3 === 2) edge.api.remove(`pod-${index - 1}`);
    else edge.api.put(`pod-${index}`, { round: index });
    edge.api.put('hot', { round: index });
    if (index % 10 === 0) await new Promise((resolve) => void setImmediate(resolve));
  }
  await settled(edge, replica);
  const { told, wanted } = versions();
  t.strictSame(told, wanted);
});

test('A watch of a copy gets every change that there was while the edge was away', async (t) => {
  const { edge, replica } = await start(t);
  edge.api.put('hot');
  await settled(edge, replica);
  const { versions } = await watchFrom(t, edge, replica);
  for (let losses = 0; losses < 5; losses++) {
    replica.setOnline('edge-1', false);
    edge.cut();
    for (let index = 0; index < 20; index++) edge.api.put('hot', { losses, index });
    edge.api.remove('hot');
    edge.api.put('hot');
    replica.setOnline('edge-1', true);
    await settled(edge, replica);
  }
  const { told, wanted } = versions();
  t.strictSame(told, wanted);
  t.equal(client(replica).counts.compared, 1, 'in the beginning');
  t.equal(client(replica).counts.divergences, 0);
});

test('More changes than the agent keeps are a leap to the newest states', async (t) => {
  const { edge, replica } = await start(t);
  for (const name of ['hot', 'cold', 'gone']) edge.api.put(name);
  await settled(edge, replica);
  const { versions } = await watchFrom(t, edge, replica);
  replica.setOnline('edge-1', false);
  edge.cut();
  const text = 'x'.repeat(100_000);
  for (let index = 0; index < 60; index++) edge.api.put('hot', { index, text });
  edge.api.remove('gone');
  await waitFor('the agent has read it', () => edge.feed.kinds[0]?.version === edge.api.version);
  replica.setOnline('edge-1', true);
  await settled(edge, replica);
  t.throws(() => versions(), { code: 'version-expired' });
  t.match(client(replica).counts, { leaps: 1, resumed: 1, compared: 1, divergences: 0 });
  t.ok(client(replica).counts.recordBytes < 1_000_000, 'what was superseded is not sent');
  const again = await watchFrom(t, edge, replica);
  for (let index = 0; index < 5; index++) edge.api.put('hot', { index, text });
  await settled(edge, replica);
  const { told, wanted } = again.versions();
  t.strictSame(told, wanted, 'and behind it every change is told again');
  t.match(client(replica).counts, { leaps: 1, divergences: 0 });
});

test('A watch of a copy ends with 410 where changes are missing, and only there', async (t) => {
  const { edge, replica } = await start(t);
  for (const name of ['one', 'two']) edge.api.put(name);
  await settled(edge, replica);
  const after = await watchFrom(t, edge, replica);
  await edge.restart();
  replica.feeds.edgeChanged('edge-1');
  await waitFor('the comparison', () => client(replica).counts.compared === 2);
  const { syncedAt = 0 } = held(replica).freshness;
  await waitFor('the copy to be well', () => (held(replica).freshness.syncedAt ?? 0) > syncedAt);
  edge.api.put('late');
  await settled(edge, replica);
  const { told: late, wanted: lateWanted } = after.versions();
  t.strictSame(late, lateWanted, 'an agent that was started anew and finds nothing new ends nothing');

  edge.api.silently(() => edge.api.put('one', { told: false }));
  edge.api.compact();
  edge.api.endWatches(new Error('gone'));
  await settled(edge, replica);
  t.throws(() => after.versions(), { code: 'version-expired' }, 'the agent had to list anew');
  const again = await watchFrom(t, edge, replica);
  edge.api.put('two', { again: true });
  await settled(edge, replica);
  const { told, wanted } = again.versions();
  t.strictSame(told, wanted);
});

test('After a loss only what has changed is sent', async (t) => {
  const { edge, replica } = await start(t);
  for (let index = 0; index < 500; index++) edge.api.put(`pod-${index}`, { index });
  await settled(edge, replica);
  const { counts } = client(replica);
  const putsBefore = counts.puts;
  replica.setOnline('edge-1', false);
  edge.cut();
  await waitFor('the loss is noticed', () => !held(replica).freshness.isConnected);
  for (let index = 0; index < 5; index++) edge.api.put(`pod-${index}`, { index: -index });
  edge.api.remove('pod-99');
  t.equal(held(replica).collection.size, 500, 'what is held stays');
  replica.setOnline('edge-1', true);
  await settled(edge, replica);
  t.equal(counts.resumed, 1);
  t.equal(counts.compared, 1, 'in the beginning');
  t.ok(counts.puts + counts.deltas - putsBefore <= 5, 'five objects');
  t.equal(counts.divergences, 0);
});

test('After a restart of the agent what differs is found by fingerprints, and nothing else is sent', async (t) => {
  const { edge, replica } = await start(t);
  for (let index = 0; index < 500; index++) edge.api.put(`pod-${index}`, { index });
  await settled(edge, replica);
  const { counts } = client(replica);
  const { puts } = counts;
  const removed: string[] = [];
  replica.caches.follow(pods, follower({ remove: (_, { name }) => removed.push(name) }));
  edge.api.put('pod-3', { index: 'three' });
  edge.api.remove('pod-4');
  await edge.restart();
  replica.feeds.edgeChanged('edge-1');
  await settled(edge, replica);
  t.ok(counts.puts - puts <= 1, `${counts.puts - puts} objects were sent`);
  t.strictSame(removed, ['pod-4']);
});

test('A reader is told how old a copy is, and what is wrong at the edge', async (t) => {
  const { edge, replica } = await start(t);
  edge.api.put('one');
  await settled(edge, replica);
  edge.isReachable = false;
  edge.api.endWatches(new Error('gone'));
  const problem = await waitFor('the problem is known', () => held(replica).freshness.problem);
  t.equal(problem.reason, 'Unreachable');
  const { ageMs } = held(replica).freshness;
  await waitFor('the copy ages', () => held(replica).freshness.ageMs > ageMs + 20);
  t.equal(held(replica).collection.size, 1);
  edge.isReachable = true;
  await waitFor('it is well again', () => held(replica).freshness.problem === undefined);
  edge.api.put('two');
  await settled(edge, replica);
});

test('A failed list of the edge deletes nothing', async (t) => {
  const { edge, replica } = await start(t);
  for (let index = 0; index < 50; index++) edge.api.put(`pod-${index}`, { index });
  await settled(edge, replica);
  const removed: string[] = [];
  replica.caches.follow(pods, follower({ remove: (_, { name }) => removed.push(name) }));
  edge.api.compact();
  edge.api.mischief.push(
    { on: 'list', cutAfter: 700 },
    { on: 'list', status: 500 },
    { on: 'list', send: () => '{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"99"},"items":[{' },
  );
  edge.api.endWatches(new Error('gone'));
  edge.api.put('new');
  edge.api.compact();
  await settled(edge, replica);
  t.strictSame(removed, []);
  t.equal(held(replica).collection.size, 51);
});

test('An edge that begins again with lower versions is followed', async (t) => {
  const { edge, replica } = await start(t);
  edge.api.version = 1000;
  edge.api.put('one');
  await settled(edge, replica);
  edge.api.objects.clear();
  edge.api.compact();
  edge.api.version = 5;
  edge.api.put('two');
  edge.api.endWatches(new Error('gone'));
  await edge.restart();
  replica.feeds.edgeChanged('edge-1');
  await settled(edge, replica);
  t.same(names(held(replica)), ['two']);
});

test('A kind is evicted as a whole when the memory is used up, and fed again when it is used', async (t) => {
  const { edge, replica } = await start(t, { maxBytes: 100_000 });
  const followed: string[] = [];
  replica.caches.follow(pods, follower({ dropped: (_, reason) => followed.push(reason) }));
  edge.api.put('small');
  await settled(edge, replica);
  const text = 'x'.repeat(1000);
  for (let index = 0; index < 200; index++) edge.api.put(`pod-${index}`, { text: `${text}${index}` });
  await waitFor('it is evicted', () => replica.caches.counts.evictions > 0);
  t.strictSame(followed, ['evicted']);
  t.equal(replica.caches.bytes, 0);
  for (let index = 0; index < 200; index++) edge.api.remove(`pod-${index}`);
  t.equal(replica.caches.find('edge-1')?.use(pods), undefined, 'until it is complete it is not to be read');
  await settled(edge, replica);
  t.same(names(held(replica)), ['small']);
});

test('Secrets are fed only where that is configured', async (t) => {
  const { replica } = await start(t, {}, { resources: ['secrets', 'pods'] });
  await waitFor('pods are fed', () => replica.caches.find('edge-1')?.use(pods));
  t.equal(replica.caches.find('edge-1')?.use({ group: '', resource: 'secrets' }), undefined);
});

test('A kind that the edge may not list is told, and does not cost the feed', async (t) => {
  const { edge, replica } = await start(t, {}, { resources: ['secrets', 'pods'], secrets: true }, 100);
  edge.secretsStatus = 403;
  edge.api.put('one');
  await settled(edge, replica);
  const problem = await waitFor('the problem is known', () => {
    const kinds = replica.caches.find('edge-1')?.kinds ?? [];
    return kinds.find(({ type }) => type.resource === 'secrets')?.freshness.problem;
  });
  t.equal(problem.reason, 'Forbidden');
  const { syncedAt = 0 } = held(replica).freshness;
  // Longer than any feed may be silent.
  await waitFor('Pods stay fresh', () => (held(replica).freshness.syncedAt ?? 0) > syncedAt + 700);
  t.equal(client(replica).counts.streams, 1);
});

test('What is deleted of an edge is deleted', async (t) => {
  const { edge, replica } = await start(t);
  edge.api.put('one');
  await settled(edge, replica);
  const dropped: string[] = [];
  replica.caches.follow(pods, follower({ dropped: (_, reason) => dropped.push(reason) }));
  replica.setOnline('edge-1', false);
  await replica.caches.forget('edge-1');
  t.strictSame(dropped, ['deleted']);
  t.equal(replica.caches.find('edge-1')?.kinds.length, 0);
  t.equal(replica.caches.bytes, 0);
  replica.setOnline('edge-1', true);
  await settled(edge, replica);
});

async function start(
  t: Pick<Test, 'teardown'>,
  options: ConstructorParameters<typeof FedReplica>[2] = {},
  config: Record<string, unknown> = {},
  times = 20,
): Promise<{ edge: FedEdge; replica: FedReplica }> {
  const clock = fastClock(times);
  const edge = new FedEdge(clock, config);
  const replica = new FedReplica(new Map([['edge-1', edge]]), clock, options);
  t.teardown(async () => {
    await replica.close();
    await edge.close();
  });
  await replica.start();
  return { edge, replica };
}

/** What a watch of the copy is told from now on, and what the edge's API has given out since. */
async function watchFrom(t: Pick<Test, 'teardown'>, edge: FedEdge, replica: FedReplica) {
  const { collection } = held(replica);
  const from = edge.api.version;
  await collection.until(from);
  const watch = await collection.watch({ selector: everything, from }, () => undefined);
  t.teardown(() => watch.close());
  const versions = () => {
    const told: number[] = [];
    for (let events = watch.read(1000); events.length > 0; events = watch.read(1000))
      for (const { object } of events) told.push(object.version);
    return { told, wanted: Array.from({ length: edge.api.version - from }, (_, index) => from + 1 + index) };
  };
  return { versions };
}

function client(replica: FedReplica) {
  const found = replica.feeds.clients.get('edge-1');
  if (found === undefined) throw new Error('no client');
  return found;
}

function held(replica: FedReplica): CachedKind {
  const kind = replica.caches.find('edge-1')?.use(pods);
  if (kind === undefined) throw new Error('not held');
  return kind;
}

function names(kind: CachedKind): string[] {
  return [...kind.collection.objects()].map(({ name }) => name);
}

function follower(part: Partial<KindFollower>): KindFollower {
  const nothing = (): void => undefined;
  return { state: nothing, put: nothing, remove: nothing, dropped: nothing, ...part };
}

/** Until the copy deep-equals the edge. */
async function settled(edge: FedEdge, replica: FedReplica): Promise<void> {
  await waitFor('the copy equals the edge', () => {
    const objects = [...held(replica).collection.objects()];
    const expected = [...edge.api.objects.values()];
    if (objects.length !== expected.length) return false;
    const byName = new Map(objects.map((object: HeldObject) => [object.name, object.json.toString()]));
    return expected.every((object) => byName.get(object.metadata.name ?? '') === JSON.stringify(object));
  });
}
