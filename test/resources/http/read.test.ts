import { request as httpRequest, type IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { test } from 'tap';
import { parseYaml } from '../../../base/index.ts';
import { fullAccess } from '../../../resources/access.ts';
import { waitFor } from '../../support/wait-for.ts';
import { configMap, configMaps, pick, pod, pods, TestApi, widget, widgets } from './test-api.ts';

const alice = fullAccess('operator/alice');
const asTable = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

async function withObjects(api: TestApi, count: number, bytes: number): Promise<void> {
  const maps = api.resource('configmaps');
  for (let i = 0; i < count; i += 1)
    await maps.create(
      alice,
      'default',
      configMap(`m${String(i).padStart(5, '0')}`, { text: 'x'.repeat(bytes) }, { labels: { odd: String(i % 2) } }),
    );
}

test('one object goes out as it is held, with its length', async (t) => {
  const api = await TestApi.start(t);
  const made = await api.call('POST', widgets, { body: widget('a') });
  t.equal(made.status, 201);
  const answer = await api.get(`${widgets}/a`);
  t.equal(answer.status, 200);
  t.equal(answer.text, made.text);
  t.equal(answer.headers['content-length'], String(answer.bytes.length));
  t.equal(answer.headers['content-type'], 'application/json');
  t.match((await api.get(`${widgets}/a?pretty=true`)).text, '\n  "kind": "Widget"');
  const head = await api.call('HEAD', `${widgets}/a`);
  t.match(head, { status: 200, headers: { 'content-length': String(answer.bytes.length) } });
  t.equal(head.bytes.length, 0);
  t.strictSame((await api.get(`${widgets}/a/status`)).text, made.text);
});

test('a list is what is held, one after the other', async (t) => {
  const api = await TestApi.start(t);
  t.match((await api.get(configMaps)).json, {
    kind: 'ConfigMapList',
    apiVersion: 'v1',
    metadata: { resourceVersion: /^\d+$/ },
    items: [],
  });
  await withObjects(api, 5, 10);
  const list = await api.get(configMaps);
  t.equal(list.headers['content-length'], String(list.bytes.length));
  t.strictSame(list.pick('items.*.metadata.name'), ['m00000', 'm00001', 'm00002', 'm00003', 'm00004']);
  t.equal(list.pick('items.0.kind'), 'ConfigMap');
  t.equal(list.pick('metadata.remainingItemCount'), undefined);
});

test('pages follow each other as of one version, and count what is left', async (t) => {
  const api = await TestApi.start(t);
  await withObjects(api, 5, 10);
  const first = await api.get(`${configMaps}?limit=2`);
  t.equal(first.pick('metadata.remainingItemCount'), 3);
  await api.resource('configmaps').delete(alice, 'default', 'm00002');
  const second = await api.get(`${configMaps}?limit=2&continue=${String(first.pick('metadata.continue'))}`);
  t.strictSame(second.pick('items.*.metadata.name'), ['m00002', 'm00003']);
  t.equal(second.pick('metadata.resourceVersion'), first.pick('metadata.resourceVersion'));
  const third = await api.get(`${configMaps}?limit=2&continue=${String(second.pick('metadata.continue'))}`);
  t.strictSame(third.pick('items.*.metadata.name'), ['m00004']);
  t.equal(third.pick('metadata.continue'), undefined);
  const odd = await api.get(`${configMaps}?limit=1&labelSelector=odd%3D1`);
  t.type(odd.pick('metadata.continue'), 'string');
  t.equal(odd.pick('metadata.remainingItemCount'), undefined, 'what a selector leaves out is not counted');
});

test('a long list is whole, its length told, and compressed where the client takes that', async (t) => {
  const api = await TestApi.start(t);
  await withObjects(api, 400, 4000);
  const plain = await api.get(configMaps);
  t.equal(plain.headers['content-length'], String(plain.bytes.length));
  t.equal(plain.pick('items.length'), 400);
  const packed = await api.get(configMaps, { 'accept-encoding': 'deflate, gzip' });
  t.equal(packed.headers['content-encoding'], 'gzip');
  t.ok(packed.bytes.length < plain.bytes.length / 10);
  t.equal(gunzipSync(packed.bytes).toString(), plain.text);
  for (const refused of ['identity', 'gzip;q=0', 'br']) {
    const answer = await api.get(configMaps, { 'accept-encoding': refused });
    t.equal(answer.headers['content-encoding'], undefined, refused);
  }
  t.equal(
    (await api.get(`${configMaps}?limit=2`, { 'accept-encoding': 'gzip' })).headers['content-encoding'],
    undefined,
    'not worth it',
  );
});

test('long lists that go out at the same time do not mix', async (t) => {
  const api = await TestApi.start(t);
  for (const [resource, letter] of [
    ['configmaps', 'x'],
    ['widgets', 'y'],
  ] as const) {
    const one = api.resource(resource);
    for (let i = 0; i < 300; i += 1) {
      const text = `${i}${letter.repeat(5000)}`;
      await one.create(
        alice,
        'default',
        resource === 'widgets' ? widget(`w${i}`, { color: 'red', tags: [text] }) : configMap(`m${i}`, { text }),
      );
    }
  }
  const [maps, things] = [(await api.get(configMaps)).text, (await api.get(widgets)).text];
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => api.get(i % 2 === 0 ? configMaps : widgets)));
  for (const [i, { text }] of answers.entries()) t.ok(text === (i % 2 === 0 ? maps : things), `answer ${i}`);
});

test('a client that goes in the middle of a list ends the work on it', async (t) => {
  const api = await TestApi.start(t);
  await withObjects(api, 500, 20_000);
  for (const headers of [{}, { 'accept-encoding': 'gzip' }, asTable]) {
    const response = await open(api, `${configMaps}?includeObject=Object`, headers);
    await new Promise((resolve) => response.once('data', resolve));
    response.destroy();
  }
  t.equal((await api.get(`${configMaps}?limit=1`)).status, 200);
  t.strictSame(api.faults, []);
});

test('a table has the columns of its type, and of each object what was asked for', async (t) => {
  const api = await TestApi.start(t);
  await api.call('POST', widgets, { body: widget('a', { color: 'blue', size: 7 }, { labels: { x: 'y' } }) });
  const table = await api.get(widgets, asTable);
  t.match(table.json, { kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
  t.strictSame(table.pick('columnDefinitions.*.name'), ['Name', 'Color', 'Size', 'Age']);
  t.match(table.pick('rows.0.cells'), ['a', 'blue', 7, /^\d+s$/]);
  t.match(table.pick('rows.0.object'), {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { name: 'a', labels: { x: 'y' } },
  });
  t.equal(table.pick('rows.0.object.spec'), undefined);
  t.equal((await api.get(`${widgets}?includeObject=None`, asTable)).pick('rows.0.object'), null);
  t.match((await api.get(`${widgets}?includeObject=Object`, asTable)).pick('rows.0.object'), {
    kind: 'Widget',
    spec: { size: 7 },
  });
  const one = await api.get(`${widgets}/a`, asTable);
  t.equal(one.pick('rows.length'), 1);
  t.match(one.pick('metadata.resourceVersion'), /^\d+$/);
  t.match(
    (await api.get(widgets, { accept: 'application/json;as=Table;v=v1beta1;g=meta.k8s.io' })).pick('apiVersion'),
    'meta.k8s.io/v1beta1',
  );
});

test('a table of many rows comes in pieces, with room for others in between', async (t) => {
  const api = await TestApi.start(t);
  await withObjects(api, 3000, 2000);
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const table = await api.get(configMaps, asTable);
  clearInterval(timer);
  t.equal(table.pick('rows.length'), 3000);
  t.ok(turns >= 3, `others had ${turns} turns`);
});

test('metadata alone is given to who asks for it', async (t) => {
  const api = await TestApi.start(t);
  await api.call('POST', widgets, { body: widget('a', { color: 'blue' }, { labels: { x: 'y' } }) });
  const list = (await api.get(widgets, { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' }))
    .json;
  t.match(list, { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' });
  t.match(pick(list, 'items.0'), { kind: 'PartialObjectMetadata', metadata: { name: 'a', labels: { x: 'y' } } });
  t.equal(pick(list, 'items.0.spec'), undefined);
  const one = (
    await api.get(`${widgets}/a`, { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' })
  ).json;
  t.strictSame(Object.keys(one as object), ['kind', 'apiVersion', 'metadata']);
});

test('YAML is given to who asks for it', async (t) => {
  const api = await TestApi.start(t);
  const accept = 'application/yaml';
  const yaml = async (path: string): Promise<unknown> => {
    const answer = await api.get(path, { accept });
    t.equal(answer.headers['content-type'], accept);
    const parsed = parseYaml(answer.text);
    return 'value' in parsed ? parsed.value : parsed;
  };
  t.match(await yaml(widgets), { kind: 'WidgetList', items: [] });
  for (const name of ['a', 'b'])
    await api.call('POST', widgets, { body: widget(name, { color: 'red', tags: ['x: y', '- z', ''] }) });
  t.strictSame(await yaml(widgets), (await api.get(widgets)).json);
  t.strictSame(await yaml(`${widgets}/a`), (await api.get(`${widgets}/a`)).json);
});

test('YAML is taken, and so is an object that does not say what it is', async (t) => {
  const api = await TestApi.start(t);
  const body = 'metadata:\n  name: a\nspec:\n  color: red\n';
  const made = await api.call('POST', widgets, {
    body,
    headers: { 'content-type': 'application/yaml; charset=utf-8' },
  });
  t.match(made.json, { kind: 'Widget', spec: { color: 'red' } });
});

test('the protobuf that kubectl makes config maps, secrets and namespaces with is taken', async (t) => {
  const api = await TestApi.start(t);
  const send = (path: string, hex: string) =>
    api.call('POST', path, {
      body: Buffer.from(hex, 'hex'),
      headers: { 'content-type': 'application/vnd.kubernetes.protobuf' },
    });
  const map =
    '6b3873000a0f0a0276311209436f6e6669674d6170122a0a120a02633112001a0022002a0032003800420012060a01611201311a0c0a0362696e120562696efffe1a002200';
  t.match((await send(configMaps, map)).json, {
    metadata: { name: 'c1' },
    data: { a: '1' },
    binaryData: { bin: 'Ymlu//4=' },
  });
  const secret =
    '6b3873000a0c0a0276311206536563726574121e0a120a02733112001a0022002a0032003800420012060a01701201711a001a002200';
  t.match((await send('/api/v1/namespaces/default/secrets', secret)).json, {
    metadata: { name: 's1' },
    data: { p: 'cQ==' },
  });
  const namespace =
    '6b3873000a0f0a02763112094e616d657370616365121b0a130a03666f6f12001a0022002a0032003800420012001a020a001a002200';
  t.match((await send('/api/v1/namespaces', namespace)).json, { kind: 'Namespace', metadata: { name: 'foo' } });
});

test('unknown fields are told of in a warning', async (t) => {
  const api = await TestApi.start(t);
  const { headers, json } = await api.call('POST', widgets, { body: widget('a', { color: 'red', shade: 'ü"' }) });
  t.equal(headers.warning, '299 - "unknown field \\"spec.shade\\""');
  t.equal(pick(json, 'spec.shade'), undefined);
});

test('deletes answer with what went, or with what is still there', async (t) => {
  const api = await TestApi.start(t);
  const made = await api.call('POST', widgets, { body: widget('a') });
  t.strictSame((await api.call('DELETE', `${widgets}/a`)).json, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: 'a', group: 'example.com', kind: 'widgets', uid: made.pick('metadata.uid') },
  });
  await api.call('POST', widgets, { body: widget('b', { color: 'red' }, { finalizers: ['example.com/x'] }) });
  t.match((await api.call('DELETE', `${widgets}/b`)).json, {
    kind: 'Widget',
    metadata: { deletionTimestamp: /^\d{4}-/ },
  });
  await api.call('POST', widgets, { body: widget('c', { color: 'green' }) });
  const all = await api.call('DELETE', `${widgets}?fieldSelector=spec.color%3Dgreen`);
  t.match(all.json, { kind: 'WidgetList', items: [{ metadata: { name: 'c' } }] });
  t.equal((await api.get(widgets)).pick('items.length'), 1);
});

test('three types of patch reach an object', async (t) => {
  const api = await TestApi.start(t);
  await api.call('POST', pods, { body: pod('p') });
  const patch = async (type: string, body: object) =>
    (await api.call('PATCH', `${pods}/p`, { body, headers: { 'content-type': `application/${type}+json` } })).pick(
      'spec.containers',
    );
  const merged = await patch('strategic-merge-patch', { spec: { containers: [{ name: 'side', image: 'x' }] } });
  t.strictSame(pick(merged, '*.name'), ['main', 'side']);
  const replaced = await patch('json-patch', [{ op: 'replace', path: '/spec/containers/0/image', value: 'y' }]);
  t.strictSame(pick(replaced, '*.image'), ['y', 'x']);
  const other = await patch('merge-patch', { spec: { containers: [{ name: 'one', image: 'z' }] } });
  t.strictSame(pick(other, '*.name'), ['one']);
});

test('what an API says of itself is answered with its tag, and 304 to who has it', async (t) => {
  const api = await TestApi.start(t);
  for (const path of [
    '/api',
    '/apis',
    '/api/v1',
    '/apis/example.com',
    '/apis/example.com/v1',
    '/openapi/v2',
    '/openapi/v3',
    '/version',
  ]) {
    const answer = await api.get(path);
    t.equal(answer.status, 200, path);
    const again = await api.get(path, { 'if-none-match': String(answer.headers.etag) });
    t.match(again, { status: 304, bytes: { length: 0 } }, path);
  }
  t.equal((await api.get('/healthz')).text, 'none of a Kubernetes API');
});

test('a body that stops coming is given up', async (t) => {
  const api = await TestApi.start(t);
  const request = httpRequest({
    host: '127.0.0.1',
    port: api.port,
    path: widgets,
    method: 'POST',
    headers: { 'content-length': '1000' },
    agent: false,
  });
  request.on('error', () => undefined);
  request.write('{"a":');
  await waitFor('the request to arrive', () => request.socket?.writableLength === 0);
  request.destroy();
  t.equal((await api.get(widgets)).status, 200);
  t.strictSame(api.faults, []);
});

function open(api: TestApi, path: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port: api.port, path, headers, agent: false }, resolve).on('error', reject).end();
  });
}
