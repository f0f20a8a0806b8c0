import { test } from 'tap';
import { Informer, type InformerEvent } from '../../../resources/client/informer.ts';
import { ResourceClient } from '../../../resources/client/resource-client.ts';
import type { KubeObject } from '../../../resources/index.ts';
import { ScriptedApi } from '../../support/scripted-api.ts';
import { waitFor, within } from '../../support/wait-for.ts';

const pods = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true } as const;
const backoff = { quickTries: 100_000, quickMs: 1 };

function open(api: ScriptedApi, options: { maxWaiting?: number; pageSize?: number } = {}): Informer {
  return new Informer({
    client: new ResourceClient({ transport: api.transport }),
    resource: pods,
    backoff,
    ...options,
  });
}

function stateOf(objects: Iterable<KubeObject>): unknown {
  return [...objects].toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)));
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

test('an informer holds what the API has, and tells what changes', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  const informer = open(api);
  t.teardown(() => informer.close());
  const told: string[] = [];
  informer.on('add', ({ object }) => void told.push(`add ${object.metadata.name}`));
  informer.on(
    'update',
    ({ object, before }) => void told.push(`update ${object.metadata.name} ${String(before.spec === object.spec)}`),
  );
  const off = informer.on('delete', ({ object }) => void told.push(`delete ${object.metadata.name}`));
  informer.start();
  await within('sync', informer.synced);
  t.equal(informer.get('a', 'default')?.metadata.resourceVersion, '11');
  t.equal(informer.get('a'), undefined);
  await waitFor('the watch', () => api.openWatches === 1);
  api.put('b', {}, 'other');
  api.put('a', { n: 1 });
  api.remove('b', 'other');
  await waitFor('events', () => told.length === 4);
  t.strictSame(told, ['add a', 'add b', 'update a false', 'delete b']);
  t.strictSame(stateOf(informer.list()), stateOf(api.objects.values()));
  t.equal(informer.list('other').length, 0);
  off();
  api.remove('a');
  await waitFor('emptiness', () => informer.size === 0);
  t.equal(told.length, 4);
});

test('what a list finds to be different becomes events', async (t) => {
  const api = new ScriptedApi();
  for (const name of ['a', 'b', 'c']) api.put(name);
  const informer = open(api);
  t.teardown(() => informer.close());
  informer.start();
  await within('sync', informer.synced);
  await waitFor('the watch', () => api.openWatches === 1);
  const told: string[] = [];
  for (const type of ['add', 'update', 'delete'] as const) {
    informer.on(type, ({ object }) => void told.push(`${type} ${object.metadata.name}`));
  }
  api.silently(() => {
    api.put('b', { lost: 1 });
    api.remove('c');
    api.put('d');
  });
  informer.relist();
  await waitFor('events', () => told.length === 3);
  t.strictSame(told, ['update b', 'add d', 'delete c']);
  t.strictSame(stateOf(informer.list()), stateOf(api.objects.values()));
});

test('a handler that throws keeps nobody else from anything', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  api.put('b');
  const informer = open(api);
  t.teardown(() => informer.close());
  const told: unknown[] = [];
  informer.on('add', () => {
    throw new Error('not me');
  });
  informer.on('add', ({ object }) => void told.push(object.metadata.name));
  informer.start();
  await within('sync', informer.synced);
  t.strictSame(told, ['a', 'b']);
  t.equal(informer.state.phase === 'closed', false);
});

test('an iteration begins with what there is, and ends with the informer', async (t) => {
  const api = new ScriptedApi();
  for (let i = 0; i < 3000; i++) api.put(`p${i}`);
  const informer = open(api);
  informer.start();
  await within('sync', informer.synced);
  await waitFor('the watch', () => api.openWatches === 1);
  const seen: InformerEvent[] = [];
  const reading = (async () => {
    for await (const event of informer) {
      seen.push(event);
      if (seen.length === 3000) api.remove('p7');
      if (seen.length === 3001) void informer.close();
    }
  })();
  await within('the end', reading);
  t.strictSame(new Set(seen.slice(0, 3000).map(({ type }) => type)), new Set(['add']));
  t.match(seen[3000], { type: 'delete', object: { metadata: { name: 'p7' } } });
});

test('an iteration that does not keep up is told, and costs the informer nothing', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  const informer = open(api, { maxWaiting: 10 });
  t.teardown(() => informer.close());
  informer.start();
  await within('sync', informer.synced);
  await waitFor('the watch', () => api.openWatches === 1);
  const slow = informer[Symbol.asyncIterator]();
  t.match(await slow.next(), { value: { type: 'add' } });
  for (let i = 0; i < 20; i++) api.put(`p${i}`);
  await waitFor('all', () => informer.size === 21);
  await t.rejects(slow.next(), { code: 'reader-too-slow' });
});

test('through cuts, compactions, repetitions and rubbish the cache comes to equal the API, and events replay to it', async (t) => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = randomOf(seed);
    const api = new ScriptedApi();
    api.chunkBytes = 1 + random(300);
    for (let i = 0; i < 40; i++) api.put(`p${i}`);
    const informer = open(api, { pageSize: 1 + random(30) });
    const replay = new Map<string, KubeObject>();
    const faults: string[] = [];
    informer.on('add', ({ object }) => {
      if (replay.has(keyOf(object))) faults.push(`added twice: ${keyOf(object)}`);
      replay.set(keyOf(object), object);
    });
    informer.on('update', ({ object, before }) => {
      const held = replay.get(keyOf(object));
      if (held !== before) faults.push(`an update of another state: ${keyOf(object)}`);
      if (Number(object.metadata.resourceVersion) <= Number(before.metadata.resourceVersion)) faults.push('backwards');
      replay.set(keyOf(object), object);
    });
    informer.on('delete', ({ object }) => {
      if (!replay.delete(keyOf(object))) faults.push(`deleted twice: ${keyOf(object)}`);
    });
    informer.start();
    for (let step = 0; step < 400; step++) {
      const name = `p${random(60)}`;
      const act = random(20);
      if (act < 9) api.put(name, { step, text: 'é"\\{'.repeat(random(20)) });
      else if (act < 13 && api.objects.has(`default/${name}`)) api.remove(name);
      else if (act === 13) api.endWatches(random(2) === 0 ? new Error('reset') : undefined);
      else if (act === 14) api.compact();
      else if (act === 15) api.bookmark();
      else if (act === 16)
        api.sendLine(
          random(2) === 0 ? 'rubbish' : '{"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410}}',
        );
      else if (act === 17) repeatOne(api, random);
      else if (act === 18) api.mischief.push({ on: random(2) === 0 ? 'list' : 'watch', cutAfter: random(4000) });
      else api.mischief.push({ on: 'list', send: (text) => text.slice(0, random(text.length)) });
      if (random(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    api.mischief.length = 0;
    api.endWatches();
    await waitFor(`the cache to equal the API, seed ${seed}`, () => {
      return (
        JSON.stringify(stateOf(informer.list())) === JSON.stringify(stateOf(api.objects.values())) &&
        api.openWatches === 1
      );
    });
    t.strictSame(faults, [], `seed ${seed}`);
    t.strictSame(stateOf(replay.values()), stateOf(informer.list()));
    await informer.close();
    t.equal(api.openWatches, 0);
  }
});

/** As etcd 3.4 does: an event of before comes again. */
function repeatOne(api: ScriptedApi, random: (below: number) => number): void {
  const objects = [...api.objects.values()];
  const object = objects[random(objects.length)];
  if (object !== undefined) api.sendLine(JSON.stringify({ type: random(2) === 0 ? 'ADDED' : 'MODIFIED', object }));
}

function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
