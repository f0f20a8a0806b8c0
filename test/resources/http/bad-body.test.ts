import { test } from 'tap';
import { checkRefusals, send, type BadRequest, type Refusal } from './refusals.ts';
import { configMap, configMaps, pod, pods, TestApi, widget, widgets } from './test-api.ts';

const yaml = 'application/yaml';
const protobuf = 'application/vnd.kubernetes.protobuf';
const one = `${widgets}/one`;
const red = { color: 'red' };
const deep = '['.repeat(3000) + ']'.repeat(3000);
const long = `"${'x'.repeat(70_000)}"`;

const make = (body: unknown, type?: string): BadRequest => send('POST', widgets, body, type);
const withMeta = (metadata: object): BadRequest => make(widget('a', red, metadata));
const withSpec = (spec: object): BadRequest => make(widget('a', spec));
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

const bodies: readonly Refusal[] = [
  ['no JSON', make('{"a":'), 400, /no JSON/],
  ['an empty body', make(''), 400, /empty/],
  ['no UTF-8', make(hex('22ff22')), 400, /UTF-8/],
  ['a list', make('[]'), 400],
  ['null', make('null'), 400],
  ['nesting without end', make(`{"spec":${deep}}`), 400, /nested/],
  ['a key __proto__', make('{"spec":{"__proto__":{"polluted":1}}}'), 400, /__proto__/],
  ['no YAML', make('a: [1, 2', yaml), 400, /no YAML: line 1/],
  ['YAML with a key twice', make('kind: Widget\nkind: Widget\n', yaml), 400, /line 2/],
  ['YAML of two documents', make('a: 1\n---\nb: 2\n', yaml), 400],
  ['YAML that grows by aliases', make(billionLaughs(), yaml), 400],
  ['YAML with a number that is none', make('spec: {size: .nan}', yaml), 400, /number/],
  ['another media type', make('<a/>', 'text/xml'), 415, /text\/xml/],
  ['protobuf of a custom resource', make(hex('6b387300'), protobuf), 415],
  ['protobuf that is none', send('POST', configMaps, 'hello', protobuf), 400, /protobuf/],
  ['protobuf that is cut off', send('POST', configMaps, cutOff(), protobuf), 400, /protobuf/],
  ['a compressed body', { ...make('x'), headers: { 'content-encoding': 'gzip' } }, 415],
  ['a body that is too large', make(long), 413],
  ['one that does not say so before', { ...make(long), headers: { 'transfer-encoding': 'chunked' } }, 413],
];

const objects: readonly Refusal[] = [
  ['another kind', make({ ...widget('a'), kind: 'Gadget' }), 400, 'kind'],
  ['another version', make({ ...widget('a'), apiVersion: 'v1' }), 400, 'apiVersion'],
  ['a kind that is no text', make({ ...widget('a'), kind: 1 }), 400, 'kind'],
  ['another namespace', withMeta({ namespace: 'other' }), 400, 'metadata.namespace'],
  ['no name', make({ spec: red }), 422, 'metadata.name'],
  ['a name that cannot be one', make(widget('A_b')), 422, 'metadata.name'],
  ['a name that is too long', make(widget('a'.repeat(254))), 422, 'metadata.name'],
  ['a name that is a number', make({ metadata: { name: 7 } }), 400, 'metadata.name'],
  ['metadata that is a list', make({ metadata: [] }), 400, 'metadata'],
  ['a label that is a number', withMeta({ labels: { x: 1 } }), 400, 'metadata.labels.x'],
  ['a label key that cannot be one', withMeta({ labels: { 'a b': '' } }), 422, 'metadata.labels'],
  ['a label value that cannot be one', withMeta({ labels: { x: '-' } }), 422, 'metadata.labels.x'],
  ['an annotation key that cannot be one', withMeta({ annotations: { 'a b': '' } }), 422, 'metadata.annotations'],
  ['a finalizer that cannot be one', withMeta({ finalizers: ['a b'] }), 422, 'metadata.finalizers[0]'],
  ['an owner without a uid', withMeta({ ownerReferences: [owner('')] }), 422, 'metadata.ownerReferences[0].uid'],
  ['two controllers', withMeta({ ownerReferences: [boss('1'), boss('2')] }), 422, 'metadata.ownerReferences'],
  ['a version before the first', withMeta({ resourceVersion: '7' }), 400, 'metadata.resourceVersion'],
  ['a missing field', withSpec({}), 422, 'spec.color'],
  ['a value that is not allowed', withSpec({ color: 'pink' }), 422, 'spec.color'],
  ['a number that is too large', withSpec({ ...red, size: 11 }), 422, 'spec.size'],
  ['a wrong type', withSpec({ ...red, tags: [1] }), 422, 'spec.tags[0]'],
  ['an unknown field', strict(widget('a', { ...red, colour: 1 })), 400, 'spec.colour'],
  ['unknown metadata', strict(widget('a', red, { label: {} })), 400, 'metadata.label'],
  ['an object that is there', make(widget('one')), 409, /^widgets\.example\.com "one" already exists$/],
];

const update = (object: object): BadRequest => send('PUT', one, object);
const conflict = /^Operation cannot be fulfilled on widgets\.example\.com "one": /;

const updates: readonly Refusal[] = [
  ['nothing', send('PUT', `${widgets}/none`, widget('none')), 404, /^widgets\.example\.com "none" not found$/],
  ['another name', update(widget('two')), 400, 'metadata.name'],
  ['an old version', update(widget('one', red, { resourceVersion: '1' })), 409, conflict],
  ['another object', update(widget('one', red, { uid: 'x' })), 409, conflict],
  [
    'the birth',
    update(widget('one', red, { creationTimestamp: '2001-01-01T00:00:00Z' })),
    422,
    'metadata.creationTimestamp',
  ],
];

const patch = (type: string, body: unknown, path = one): BadRequest => send('PATCH', path, body, `application/${type}`);
const merge = (body: unknown, path = one): BadRequest => patch('merge-patch+json', body, path);
const json = (body: unknown): BadRequest => patch('json-patch+json', body);
const strategic = (body: unknown, path: string): BadRequest => patch('strategic-merge-patch+json', body, path);

const patches: readonly Refusal[] = [
  ['no type', patch('json', '{}'), 415, /merge-patch/],
  ['server-side apply', patch('apply-patch+yaml', '{}'), 415, /apply at the client/],
  ['strategic of a custom resource', strategic('{}', one), 415, /custom resources/],
  ['a list', merge('[]'), 400],
  ['another name', merge({ metadata: { name: 'two' } }), 400, 'metadata.name'],
  ['an old version', merge({ metadata: { resourceVersion: '1' } }), 409, conflict],
  ['what is not valid', merge({ spec: { size: 0 } }), 422, 'spec.size'],
  ['what is no list', merge({ metadata: { finalizers: 'x' } }), 400, 'metadata.finalizers'],
  ['nothing', merge({}, `${widgets}/none`), 404],
  ['a status that there is not', merge({}, `${configMaps}/one/status`), 404],
  ['no JSON patch', json('{}'), 400],
  ['an unknown operation', json([{ op: 'increase', path: '/spec/size' }]), 400, '[0].op'],
  ['no value', json([{ op: 'add', path: '/spec/size' }]), 400, '[0].value'],
  ['what is not there', json([{ op: 'remove', path: '/spec/none' }]), 422, '[0]'],
  ['a test that fails', json([{ op: 'test', path: '/spec/color', value: 'blue' }]), 422, /test/],
  ['a prototype', json([{ op: 'add', path: '/spec/__proto__/polluted', value: 1 }]), 422, '[0]'],
  ['no merge key', strategic({ spec: { containers: [{}] } }, `${pods}/one`), 422, 'spec.containers[0]'],
];

const remove = (body: object): BadRequest => send('DELETE', one, body);

const deletes: readonly Refusal[] = [
  ['nothing', { method: 'DELETE', path: `${widgets}/none` }, 404],
  ['another object', remove({ preconditions: { uid: 'x' } }), 409, conflict],
  ['another version', remove({ preconditions: { resourceVersion: '1' } }), 409, conflict],
  ['in negative time', remove({ gracePeriodSeconds: -1 }), 400, 'gracePeriodSeconds'],
  ['with options of another kind', remove({ kind: 'Widget' }), 400, 'kind'],
  ['with half a dry run', remove({ dryRun: ['Some'] }), 400, 'dryRun[0]'],
  ['with an unknown policy', { method: 'DELETE', path: `${one}?propagationPolicy=Later` }, 400, 'propagationPolicy'],
];

test('every bad body gets its HTTP status and a Status that names what is wrong, and does nothing', async (t) => {
  const api = await TestApi.start(t, { maxBodyBytes: 65_536 });
  t.equal((await api.call('POST', widgets, { body: widget('one') })).status, 201);
  t.equal((await api.call('POST', pods, { body: pod('one') })).status, 201);
  t.equal((await api.call('POST', configMaps, { body: configMap('one') })).status, 201);
  const before = (await api.get(widgets)).text;
  await t.test('bodies', (t) => checkRefusals(t, api, bodies));
  await t.test('objects', (t) => checkRefusals(t, api, objects));
  await t.test('updates', (t) => checkRefusals(t, api, updates));
  await t.test('patches', (t) => checkRefusals(t, api, patches));
  await t.test('deletes', (t) => checkRefusals(t, api, deletes));
  t.equal((await api.get(widgets)).text, before);
  t.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test('annotations are limited in all, not each', async (t) => {
  const api = await TestApi.start(t);
  const annotations = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'x'.repeat(30_000)]));
  const tooMany = send('POST', configMaps, configMap('a', {}, { annotations }));
  await checkRefusals(t, api, [['too many', tooMany, 422, 'metadata.annotations']]);
});

test('an invalid object is told of as kubectl shows it: its kind, its name, all of its fields and nothing else', async (t) => {
  const api = await TestApi.start(t);
  const answer = await api.call('POST', widgets, { body: widget('a', { color: 'pink', size: 0 }) });
  t.match(answer.pick('details'), { kind: 'Widget', group: 'example.com', name: 'a' });
  t.strictSame(answer.pick('details.causes.*.field'), ['spec.color', 'spec.size']);
  t.match(answer.pick('message'), /^Widget\.example\.com "a" is invalid: \[spec\.color: /);
});

function strict(body: object): BadRequest {
  return send('POST', `${widgets}?fieldValidation=Strict`, body);
}

function owner(uid: string): object {
  return { apiVersion: 'v1', kind: 'Pod', name: 'p', uid };
}

function boss(uid: string): object {
  return { ...owner(uid), controller: true };
}

function cutOff(): Buffer {
  return hex('6b3873000a0f0a0276311209436f6e6669674d6170122a0a12');
}

function billionLaughs(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 9; i += 1) {
    lines.push(`a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`);
  }
  return lines.join('\n');
}
