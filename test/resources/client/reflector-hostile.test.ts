import { test } from 'tap';
import { Reflector } from '../../../resources/client/reflector.ts';
import { ResourceClient } from '../../../resources/client/resource-client.ts';
import { ScriptedApi } from '../../support/scripted-api.ts';
import { waitFor, within } from '../../support/wait-for.ts';
import { pods, quick, reflect } from './reflect.ts';

const good = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', namespace: 'default', resourceVersion: '50' } };
const rubbishLines: Readonly<Record<string, string>> = {
  'no JSON': '<html>',
  'half an event': '{"type":"ADDED","object":{"kind":"Pod"',
  'an unknown type': JSON.stringify({ type: 'SYNC', object: good }),
  'no object': JSON.stringify({ type: 'ADDED' }),
  'no metadata': JSON.stringify({ type: 'ADDED', object: { apiVersion: 'v1', kind: 'Pod' } }),
  'no name': JSON.stringify({ type: 'ADDED', object: { ...good, metadata: { ...good.metadata, name: '' } } }),
  'a name that is a path': JSON.stringify({
    type: 'DELETED',
    object: { ...good, metadata: { ...good.metadata, name: '../a' } },
  }),
  'another kind': JSON.stringify({ type: 'DELETED', object: { ...good, kind: 'Service' } }),
  'another group': JSON.stringify({ type: 'DELETED', object: { ...good, apiVersion: 'v2' } }),
  'no namespace': JSON.stringify({
    type: 'ADDED',
    object: { ...good, metadata: { ...good.metadata, namespace: undefined } },
  }),
  'a version that is no number': JSON.stringify({
    type: 'ADDED',
    object: { ...good, metadata: { ...good.metadata, resourceVersion: '1a' } },
  }),
  'a version beyond numbers': JSON.stringify({
    type: 'ADDED',
    object: { ...good, metadata: { ...good.metadata, resourceVersion: '9007199254740993' } },
  }),
  'version 0': JSON.stringify({
    type: 'ADDED',
    object: { ...good, metadata: { ...good.metadata, resourceVersion: '0' } },
  }),
  'a number as version': JSON.stringify({
    type: 'ADDED',
    object: { ...good, metadata: { ...good.metadata, resourceVersion: 50 } },
  }),
  'a bookmark without a version': JSON.stringify({ type: 'BOOKMARK', object: { kind: 'Pod', metadata: {} } }),
  'an ERROR that says nothing': JSON.stringify({ type: 'ERROR', object: {} }),
  'an ERROR of the server': JSON.stringify({
    type: 'ERROR',
    object: { kind: 'Status', status: 'Failure', code: 500, message: 'etcd' },
  }),
  'an event from the past': JSON.stringify({
    type: 'ADDED',
    object: { ...good, metadata: { ...good.metadata, name: 'y', resourceVersion: '2' } },
  }),
  'a line without an end': `{"type":"ADDED","object":{"a":"${'x'.repeat(20_000)}"}}`,
  'JSON that is nested without end': `{"type":"ADDED","object":${'['.repeat(9000)}`,
};

for (const [what, line] of Object.entries(rubbishLines)) {
  test(`a watch that sends ${what}: counted, logged, listed anew, nothing deleted`, async (t) => {
    const api = new ScriptedApi();
    api.put('a');
    api.put('x');
    const { copy, settled, reflector, events } = reflect(t, api);
    await settled();
    api.sendLine(line);
    await waitFor('a list', () => reflector.state.counters.lists === 2);
    await settled();
    api.put('b');
    await settled();
    t.equal(reflector.state.counters.rubbish, 1);
    t.ok(events.some(({ event }) => event === 'reflector-rubbish'));
    t.strictSame(copy.told, ['replace first 2 at 12', 'replace rubbish 2 at 12', 'added b']);
  });
}

const rubbishLists: Readonly<Record<string, (text: string) => string>> = {
  'nothing': () => '',
  'no JSON': () => '<html>',
  'another list': (text) => text.replace('"PodList"', '"ServiceList"'),
  'a Status with 200': () => JSON.stringify({ kind: 'Status', metadata: {}, status: 'Success' }),
  'no items': (text) => text.replace('"items"', '"elements"'),
  'no version': (text) => text.replace('"resourceVersion":"13"', '"resourceVersion":""'),
  'an item without a name': (text) => text.replace('"name":"b"', '"nam":"b"'),
  'an item of another kind': (text) =>
    text.replace('{"metadata":{"name":"b"', '{"kind":"Service","metadata":{"name":"b"'),
  'an item that is no object': (text) => text.replace('"items":[', '"items":[7,'),
  'an item twice': (text) => text.replace('"name":"b"', '"name":"a"'),
  'an item of broken JSON': (text) => text.replace('"name":"b"', '"name":"b'),
  'broken UTF-8': (text) => text,
  'half of it': (text) => text.slice(0, text.length / 2),
  'all but the end': (text) => text.slice(0, -1),
};

for (const [what, send] of Object.entries(rubbishLists)) {
  test(`a list that is ${what} replaces nothing`, async (t) => {
    const api = new ScriptedApi();
    for (const name of ['a', 'b', 'c']) api.put(name);
    const { copy, settled, reflector } = reflect(t, api);
    await settled();
    const times = 3;
    if (what === 'broken UTF-8') {
      const { transport } = api;
      let left = times;
      const broken = new Reflector({
        client: new ResourceClient({
          transport: async (request) => {
            const answer = await transport(request);
            if (request.path.includes('watch=') || left-- <= 0) return answer;
            return { ...answer, body: spoil(answer.body) };
          },
        }),
        resource: pods,
        sink: { replace: (objects) => void t.equal(objects.length, 3), apply: () => undefined },
        backoff: quick,
      });
      t.teardown(() => broken.close());
      broken.start();
      await within('sync', broken.synced);
      t.equal(broken.state.counters.rubbish, times);
      return;
    }
    api.mischief.push({ on: 'list', send, times });
    reflector.relist();
    await waitFor('a good list', () => reflector.state.counters.lists === 2);
    await settled();
    t.equal(reflector.state.counters.failedLists, times);
    t.equal(reflector.state.counters.rubbish, times);
    t.strictSame(copy.told, ['replace first 3 at 13', 'replace asked 3 at 13']);
  });
}

async function* spoil(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body)
    yield Buffer.from(Buffer.from(chunk).toString('latin1').replace('"name":"b"', '"name":"\u00ff"'), 'latin1');
}

test('a list that is cut off at any byte, on any page, replaces nothing', async (t) => {
  for (let cutAfter = 0; cutAfter < 900; cutAfter += 37) {
    const api = new ScriptedApi();
    for (let i = 0; i < 8; i++) api.put(`p${i}`);
    const { copy, settled, reflector } = reflect(t, api, { pageSize: 4 });
    await settled();
    // The second page of the second list.
    api.mischief.push(
      { on: 'list', ...(cutAfter % 2 === 0 ? {} : { send: (text: string) => text }) },
      { on: 'list', cutAfter },
    );
    reflector.relist();
    await waitFor('a whole list', () => reflector.state.counters.lists === 2);
    await settled();
    const failed = reflector.state.counters.failedLists;
    t.equal(failed, 1, `${cutAfter}`);
    t.strictSame(copy.told, ['replace first 8 at 18', 'replace asked 8 at 18']);
    await reflector.close();
  }
});

test('a version out of a wild future does not stop it', async (t) => {
  const api = new ScriptedApi();
  api.put('a');
  const { settled } = reflect(t, api);
  await settled();
  const wild = { ...good, metadata: { ...good.metadata, resourceVersion: String(Number.MAX_SAFE_INTEGER) } };
  api.sendLine(JSON.stringify({ type: 'ADDED', object: wild }));
  api.put('b');
  await settled();
});
