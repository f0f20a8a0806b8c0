import { test } from 'tap';
import type { CodedError } from '../../../base/index.ts';
import { Reflector } from '../../../resources/client/reflector.ts';
import type { RawEvent } from '../../../resources/client/reflector-sink.ts';
import { ResourceClient } from '../../../resources/client/resource-client.ts';
import { ScriptedApi } from '../../support/scripted-api.ts';
import { waitFor, within } from '../../support/wait-for.ts';
import { Copy, pods, quick, reflect } from './reflect.ts';

test('a reflector lists page by page, then follows every change', async (t) => {
  const api = new ScriptedApi();
  for (let i = 0; i < 25; i++) api.put(`p${i}`, { text: 'x'.repeat(i * 7) });
  const { copy, reflector, settled } = reflect(t, api, { pageSize: 10 });
  await settled();
  t.strictSame(copy.told, ['replace first 25 at 35']);
  t.match(api.requests[0]?.path, /resourceVersion=0/u);
  t.equal(api.requests.filter(({ path }) => path.includes('continue=')).length, 2);
  api.put('p1', { changed: true });
  api.put('new');
  api.remove('p2');
  await settled();
  t.strictSame(copy.told.slice(1), ['modified p1', 'added new', 'deleted p2']);
  t.match(reflector.state, {
    phase: 'watching',
    synced: true,
    version: api.version,
    objects: 25,
    lastError: undefined,
  });
  t.equal(api.requests.length, 4, 'and no list more');
  const first = JSON.parse(String(copy.objects.get('default/p1'))) as { kind: string; apiVersion: string };
  t.match(first, { kind: 'Pod', apiVersion: 'v1' });
  await reflector.close();
  await reflector.close();
  t.equal(api.openWatches, 0, 'nothing is left open');
});

test('objects go on as the bytes that came, with the kind that lists leave out, in one line', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  const odd =
    '{\n "metadata" : {"namespace":"default",\r\n"name":"a","resourceVersion":"11"}, "spec":{"big":123456789012345678901234567890, "e":1.0e2}}';
  api.mischief.push({ on: 'list', send: (text) => text.replace(/"items":\[.*\]/u, `"items":[ ${odd} ]`) });
  const { copy, reflector } = reflect(t, api);
  await within('sync', reflector.synced);
  t.equal(
    String(copy.objects.get('default/a')),
    '{"apiVersion":"v1","kind":"Pod",  "metadata" : {"namespace":"default",  "name":"a","resourceVersion":"11"}, "spec":{"big":123456789012345678901234567890, "e":1.0e2}}'.replace(
      'Pod",  ',
      'Pod",  ',
    ),
  );
});

test('a watch that ends goes on from the last version, bookmarks included', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  const { copy, settled, reflector } = reflect(t, api);
  await settled();
  api.version += 100;
  api.bookmark();
  await waitFor('the bookmark', () => reflector.state.version === 111);
  api.endWatches();
  await waitFor('another watch', () => api.requests.length === 3 && api.openWatches === 1);
  t.match(api.requests[2]?.path, /resourceVersion=111/u);
  api.put('b');
  api.endWatches(new Error('reset'));
  api.put('c');
  await settled();
  t.strictSame(copy.told, ['replace first 1 at 11', 'added b', 'added c']);
  t.equal(reflector.state.counters.lists, 1);
  t.equal(reflector.state.counters.bookmarks, 1);
});

test('410 lists anew, the newest, whether the head says it or the watch', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  const { copy, settled, reflector } = reflect(t, api);
  await settled();
  api.put('b');
  await settled();
  api.endWatches();
  api.put('c');
  api.put('d');
  api.compact();
  await settled();
  api.silently(() => api.remove('a'));
  const gone = { kind: 'Status', status: 'Failure', reason: 'Expired', code: 410, message: 'too old' };
  api.sendLine(JSON.stringify({ type: 'ERROR', object: gone }));
  await settled();
  t.strictSame(
    copy.told.filter((told) => told.startsWith('replace')),
    ['replace first 1 at 11', 'replace expired 4 at 14', 'replace expired 3 at 15'],
  );
  t.equal(reflector.state.counters.expired, 2);
  t.equal(reflector.state.counters.rubbish, 0);
  const lists = api.requests.filter(({ path }) => !path.includes('watch='));
  t.strictSame(
    lists.map(({ path }) => /resourceVersion=/u.test(path)),
    [true, false, false],
  );
});

test('what is repeated is dropped, what is skipped is taken', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  const { copy, settled, reflector } = reflect(t, api);
  await settled();
  const b = api.put('b');
  const b2 = api.put('b', { now: 2 });
  api.remove('a');
  await settled();
  const line = (type: string, object: unknown): void => api.sendLine(JSON.stringify({ type, object }));
  line('ADDED', b);
  line('MODIFIED', b2);
  line('DELETED', b);
  line('ADDED', { ...b, metadata: { ...b.metadata, name: 'a', resourceVersion: '11' } });
  line('DELETED', { ...b, metadata: { ...b.metadata, name: 'never', resourceVersion: '20' } });
  api.version = 1000;
  api.put('c');
  await settled();
  t.strictSame(copy.told, ['replace first 1 at 11', 'added b', 'modified b', 'deleted a', 'added c']);
  t.match(reflector.state.counters, { repeated: 4, strays: 1, rubbish: 0, lists: 1 });
});

test('a deletion that comes with the version of the last state is one', async (t) => {
  const api = new ScriptedApi();
  const a = api.put('a');
  const { copy, settled } = reflect(t, api);
  await settled();
  api.silently(() => api.remove('a'));
  api.sendLine(JSON.stringify({ type: 'DELETED', object: a }));
  await settled();
  t.strictSame(copy.told, ['replace first 1 at 11', 'deleted a']);
});

test('when the rest of a list is not kept any more, all of it is taken in one answer', async (t) => {
  const api = new ScriptedApi();
  for (let i = 0; i < 30; i++) api.put(`p${i}`);
  const { transport } = api;
  let compacted = false;
  Object.assign(api, {
    transport: async (request: Parameters<typeof transport>[0]) => {
      if (request.path.includes('continue=') && !compacted) {
        compacted = true;
        api.compact();
      }
      return transport(request);
    },
  });
  const { copy, settled, reflector } = reflect(t, api, { pageSize: 10 });
  await settled();
  t.strictSame(copy.told, ['replace first 30 at 40']);
  t.match(reflector.state.counters, { lists: 1, failedLists: 0, expired: 1 });
});

test('a list without an end is given up', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  api.mischief.push({
    on: 'list',
    send: (text) => text.replace('"resourceVersion":"11"', '"resourceVersion":"11","continue":"again"'),
  });
  const { copy, settled, reflector } = reflect(t, api);
  await settled();
  t.strictSame(copy.told, ['replace first 1 at 11']);
  t.ok(reflector.state.counters.failedLists + reflector.state.counters.expired > 0);
});

test('more objects than are allowed are refused', async (t) => {
  const api = new ScriptedApi();
  for (let i = 0; i < 5; i++) api.put(`p${i}`);
  const { copy, reflector } = reflect(t, api, { maxObjects: 4 });
  await waitFor('two tries', () => reflector.state.counters.failedLists >= 2);
  t.equal((reflector.state.lastError as CodedError).code, 'answer-too-large');
  t.strictSame(copy.told, []);
  t.notOk(reflector.state.synced);
  api.remove('p0');
  await within('sync', reflector.synced);
  t.equal(copy.objects.size, 4);
});

test('failures of the API are backed off, and said', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  api.mischief.push({ on: 'list', status: 503, reason: 'ServiceUnavailable', times: 3 });
  const seen: string[] = [];
  const { reflector, settled, events } = reflect(t, api, {
    onChange: ({ phase, synced, contactAgeMs, lastError }) =>
      void seen.push(`${phase} ${synced} ${contactAgeMs === undefined} ${lastError?.message ?? '-'}`),
  });
  await settled();
  t.strictSame(seen.slice(0, 3), [
    'listing false true -',
    'waiting false true no: ServiceUnavailable',
    'listing false true no: ServiceUnavailable',
  ]);
  t.equal(seen.at(-1), 'watching true false -');
  t.equal(reflector.state.lastError, undefined);
  t.equal(reflector.state.counters.failedLists, 3);
  t.ok((reflector.state.contactAgeMs ?? -1) >= 0);
  t.ok(events.some(({ event }) => event === 'reflector-list-failed'));
  api.mischief.push({ on: 'watch', status: 500, times: 4 });
  api.endWatches();
  await waitFor('four failures', () => reflector.state.counters.failedWatches === 4);
  await settled();
  t.equal(reflector.state.counters.lists, 1, 'a few failures of the watch cost no list');
  api.mischief.push({ on: 'watch', status: 500, times: 5 });
  api.endWatches();
  await waitFor('a list', () => reflector.state.counters.lists === 2);
  await settled();
});

test('a comparison finds what the API has not told, and lists anew', async (t) => {
  const api = new ScriptedApi();
  for (const name of ['a', 'b', 'c']) api.put(name);
  const { copy, settled, reflector } = reflect(t, api, { compareEveryMs: 20 });
  await settled();
  await waitFor('comparisons', () => reflector.state.counters.comparisons >= 2);
  t.equal(reflector.state.counters.differences, 0);
  t.equal(reflector.state.counters.lists, 1, 'what is equal is left alone');
  api.silently(() => {
    api.put('a', { lost: true });
    api.remove('b');
    api.put('d');
  });
  // The reflector's version has to reach the one that has these changes.
  api.bookmark();
  await settled();
  t.equal(reflector.state.counters.differences, 3);
  t.equal(copy.told.at(-1), 'replace differs 3 at 16');
});

test('what changes while a comparison runs is no difference', async (t) => {
  const api = new ScriptedApi();
  for (const name of ['a', 'b', 'c']) api.put(name);
  let comparisons = 0;
  const client = new ResourceClient({
    transport: async (request) => {
      const answer = await api.transport(request);
      if (!request.path.includes('Exact') || comparisons++ > 0) return answer;
      async function* late(): AsyncGenerator<Uint8Array> {
        api.put('a', { new: true });
        api.remove('b');
        api.put('d');
        await waitFor('the changes', () => copy.told.length === 4);
        yield* answer.body;
      }
      return { ...answer, body: late() };
    },
  });
  const { copy, settled, reflector } = reflect(t, api, { client, compareEveryMs: 20 });
  await settled();
  await waitFor('a comparison', () => reflector.state.counters.comparisons >= 1);
  await settled();
  t.match(reflector.state.counters, { differences: 0, skippedComparisons: 0, lists: 1 });
});

test('where the API cannot list a version, the comparison is a list', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  api.knowsExact = false;
  const { settled, reflector } = reflect(t, api, { compareEveryMs: 20 });
  await settled();
  api.silently(() => api.put('b'));
  await settled();
  t.ok(reflector.state.counters.skippedComparisons > 0);
});

test('a sink that is slow holds the watch back; one that throws ends the reflector', async (t) => {
  const api = new ScriptedApi();
  let release: () => void = () => undefined;
  const told: string[] = [];
  const client = new ResourceClient({ transport: api.transport });
  const sink = {
    replace: () => undefined,
    apply: async (event: RawEvent) => {
      told.push(event.name);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      if (event.name === 'c') throw new Error('full');
    },
  };
  const reflector = new Reflector({ client, resource: pods, sink, backoff: quick });
  t.teardown(() => reflector.close());
  reflector.start();
  await waitFor('the watch', () => api.openWatches === 1);
  for (const name of ['a', 'b', 'c', 'd']) api.put(name);
  for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
    await waitFor('the next', () => told.length === expected.length);
    t.strictSame(told, expected);
    release();
  }
  await waitFor('the end', () => reflector.state.phase === 'closed');
  t.strictSame(told, ['a', 'b', 'c']);
  t.match(reflector.state.lastError, { cause: { message: 'full' } });
  t.equal(api.openWatches, 0);
});

test('closing it ends a list and a watch that hang, also of a transport that does not listen', async (t) => {
  const never = new Promise<never>(() => undefined);
  const hanging = new ResourceClient({ transport: () => never });
  const reflector = new Reflector({ client: hanging, resource: pods, sink: new Copy() });
  reflector.start();
  await within('close', reflector.close());
  await t.rejects(reflector.synced, { code: 'canceled' });
  t.equal(reflector.state.phase, 'closed');
});

test('an answer that says nothing is given up', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  let hung = 0;
  const client = new ResourceClient({
    transport: async (request) => {
      if (hung++ < 2) return await new Promise<never>(() => undefined);
      return api.transport(request);
    },
    limits: { silenceMs: 10 },
  });
  const reflector = new Reflector({ client, resource: pods, sink: new Copy(), backoff: quick });
  t.teardown(() => reflector.close());
  reflector.start();
  await within('sync', reflector.synced);
  t.equal(reflector.state.counters.failedLists, 2);
});

test('it can begin behind a version, without a list', async (t) => {
  const api = new ScriptedApi();
  const a = api.put('a');
  const b = api.put('b');
  api.put('b', { two: 2 });
  api.remove('a');
  const events: string[] = [];
  const reflector = new Reflector({
    client: new ResourceClient({ transport: api.transport }),
    resource: pods,
    first: { behind: Number(b.metadata.resourceVersion) },
    sink: { replace: () => void t.fail('a list'), apply: ({ type, name }) => void events.push(`${type} ${name}`) },
    backoff: quick,
  });
  t.teardown(() => reflector.close());
  reflector.start();
  await waitFor('two events', () => events.length === 2);
  t.strictSame(events, ['modified b', 'deleted a']);
  t.ok(a);
});
