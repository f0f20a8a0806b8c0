import t from 'tap';

import { editHeldObject, heldObject } from '../../../resources/collection/held-object.ts';
import { heldPod, nodeType, pod, podType } from './sample.ts';

const bytes = (metadata: unknown, more = ''): Buffer => Buffer.from(`{"metadata":${JSON.stringify(metadata)}${more}}`);

t.test('an object is taken in with its names, version, labels and fields', async (t) => {
  const json = bytes(
    { name: 'a', namespace: 'b', resourceVersion: '9007199254740991', labels: { x: 'y' } },
    ',"spec":{"nodeName":"n","hostNetwork":true}',
  );
  t.match(heldObject(json, podType), {
    namespace: 'b',
    name: 'a',
    version: 9007199254740991,
    labels: { x: 'y' },
    fields: { 'spec.nodeName': 'n', 'spec.hostNetwork': 'true', 'status.phase': '' },
    json,
  });
  t.match(heldObject(bytes({ name: 'n', resourceVersion: '1', labels: null }), nodeType), {
    namespace: '',
    labels: {},
  });
});

t.test('it owns its bytes, and is one line', async (t) => {
  const source = Buffer.from('\n{"metadata":\r\n{"name":"a","namespace":"b","resourceVersion":"1"}}\n');
  const slab = Buffer.alloc(1 << 20);
  source.copy(slab, 100);
  const { json } = heldObject(slab.subarray(100, 100 + source.length), podType);
  t.equal(json.buffer.byteLength, source.length);
  t.equal(json.toString(), ' {"metadata":  {"name":"a","namespace":"b","resourceVersion":"1"}} ');
  t.equal(slab[100], 0x0a, 'what it was copied from is left as it is');
  const own = heldPod('a', 1).json;
  t.equal(own.buffer.byteLength, own.length);
});

t.test('what repeats is held once', async (t) => {
  const [a, b] = [heldPod('a', 1, { labels: { app: 'w', z: '1' } }), heldPod('b', 2, { labels: { app: 'w', z: '1' } })];
  t.equal(a.labels, b.labels);
});

t.test('rubbish is refused with its place', async (t) => {
  const good = { name: 'a', namespace: 'b', resourceVersion: '1' };
  const cases: [Buffer, RegExp][] = [
    [Buffer.from('{'), /JSON/],
    [Buffer.from([0x22, 0xff, 0x22]), /UTF-8/],
    [Buffer.from('null'), /metadata.name/],
    [Buffer.from('[]'), /metadata.name/],
    [Buffer.from('{"metadata":{"name":"a\nb"}}'), /JSON/],
    [bytes(null), /metadata.name/],
    [bytes({ ...good, name: '' }), /metadata.name/],
    [bytes({ ...good, name: 1 }), /metadata.name/],
    [bytes({ ...good, namespace: undefined }), /metadata.namespace is missing: a/],
    [bytes({ ...good, labels: { x: 1 } }), /metadata.labels\["x"\]/],
    [bytes({ ...good, labels: 'x' }), /metadata.labels/],
    ...[undefined, '', '0', '-1', '1.5', '01', '1e3', 'x', 7, '9007199254740992', '99999999999999999999'].map(
      (resourceVersion): [Buffer, RegExp] => [bytes({ ...good, resourceVersion }), /metadata.resourceVersion/],
    ),
  ];
  for (const [json, message] of cases)
    t.throws(() => heldObject(json, podType), { code: 'object-unreadable', message }, json.toString());
  t.throws(() => heldObject(bytes(good), nodeType), { code: 'object-unreadable', message: /not for this type/ });
  t.throws(() => heldObject(pod('a'), podType), { code: 'object-unreadable' }, 'without a version');
});

t.test('an edited object is what its edited JSON says', async (t) => {
  const object = heldPod('a', 3, { labels: { app: 'w' }, node: 'n1' });
  const edited = editHeldObject(object, {
    name: 'e.a',
    resourceVersion: '9',
    labels: { edge: 'e' },
    annotations: { was: 'a' },
  });
  t.strictSame(edited, heldObject(edited.json, podType));
  t.match(JSON.parse(edited.json.toString()).metadata, {
    name: 'e.a',
    labels: { app: 'w', edge: 'e' },
    annotations: { was: 'a' },
  });
  t.match(object, { name: 'a', version: 3, labels: { app: 'w' } });
  t.throws(() => editHeldObject(object, { resourceVersion: 'x' }), { code: 'object-unreadable' });
});
