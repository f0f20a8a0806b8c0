import { test } from 'tap';
import { readGiven } from '../../../resources/engine/given-object.ts';
import { generateName } from '../../../resources/engine/object-name.ts';
import {
  changedObject,
  deletingObject,
  isReleased,
  newObject,
  type Subresource,
} from '../../../resources/engine/object-rules.ts';
import type { KubeObject } from '../../../resources/object.ts';
import { typeNamed, widgetType } from '../http/test-types.ts';

const nowMs = Date.UTC(2030, 0, 2, 3, 4, 5, 678);
const place = { namespace: 'default', name: 'w' };

const held: KubeObject = {
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: {
    name: 'w',
    namespace: 'default',
    uid: 'u1',
    resourceVersion: '7',
    generation: 3,
    creationTimestamp: '2030-01-01T00:00:00Z',
    labels: { a: '1' },
    finalizers: ['example.com/x'],
  },
  spec: { color: 'red', size: 3 },
  status: { phase: 'Up' },
};

function changed(value: unknown, current = held, subresource: Subresource = ''): KubeObject {
  return changedObject(widgetType, current, readGiven(widgetType, value), place, subresource);
}

test('a new object gets what the server sets, whatever the client says of that', async (t) => {
  const value = {
    metadata: {
      name: 'w',
      labels: { a: '1' },
      uid: 'mine',
      generation: 9,
      creationTimestamp: null,
      deletionTimestamp: '2001-01-01T00:00:00Z',
      deletionGracePeriodSeconds: 5,
      selfLink: '/x',
      managedFields: [{}],
      finalizers: [],
    },
    spec: { color: 'red' },
    status: { phase: 'Up' },
  };
  t.strictSame(newObject(widgetType, readGiven(widgetType, value), 'default', { nowMs, uid: 'u1' }), {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: {
      name: 'w',
      namespace: 'default',
      uid: 'u1',
      generation: 1,
      creationTimestamp: '2030-01-02T03:04:05Z',
      labels: { a: '1' },
    },
    spec: { color: 'red', size: 3 },
  });
});

test('what has no status of its own is taken whole, and plain data has no generation', async (t) => {
  const type = typeNamed('configmaps');
  const object = newObject(type, readGiven(type, { metadata: { name: 'c' }, data: { a: '1' } }), 'default', { nowMs });
  t.equal(object.metadata.generation, undefined);
  t.match(object.metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
});

test('what belongs to no namespace gets none', async (t) => {
  const type = typeNamed('namespaces');
  const given = readGiven(type, { metadata: { name: 'n', namespace: 'default' } });
  t.equal(newObject(type, given, '', { nowMs }).metadata.namespace, undefined);
});

test('a generated name begins with its prefix and goes on with five letters that make no words', async (t) => {
  t.match(generateName('web-'), /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  t.equal(generateName('x'.repeat(100)).length, 63);
  t.equal(
    generateName('a', () => 0),
    'abbbbb',
  );
  t.not(generateName('a-'), generateName('a-'));
});

test('an update replaces content and labels, keeps what the server has set and the status, and counts', async (t) => {
  const next = changed({
    metadata: { name: 'w', annotations: { n: '1' } },
    spec: { color: 'blue' },
    status: { phase: 'Down' },
  });
  t.strictSame(next, {
    ...held,
    metadata: {
      name: 'w',
      namespace: 'default',
      uid: 'u1',
      resourceVersion: '7',
      generation: 4,
      creationTimestamp: '2030-01-01T00:00:00Z',
      annotations: { n: '1' },
    },
    spec: { color: 'blue', size: 3 },
  });
});

test('a change of labels alone is no new generation, and no change is no write', async (t) => {
  const { labels: _labels, ...metadata } = held.metadata;
  t.equal(changed({ ...held, metadata }).metadata.generation, 3);
  t.equal(changed(structuredClone(held)), held, 'the same object');
  const reordered = JSON.parse('{"spec":{"size":3,"color":"red"}}') as object;
  t.equal(changed({ ...held, ...reordered }), held, 'the order of keys is no change');
});

test('a status is written alone, and by its own path alone', async (t) => {
  const value = { metadata: { name: 'w', labels: { b: '2' } }, spec: { color: 'blue' }, status: { phase: 'Down' } };
  t.strictSame(changed(value, held, 'status'), { ...held, status: { phase: 'Down' } });
  const { status: _status, ...without } = held;
  t.strictSame(changed({ metadata: { name: 'w' } }, held, 'status'), without);
});

test('what is being deleted stays so, and nobody new holds it up', async (t) => {
  const deleting = deletingObject(held, nowMs);
  t.match(deleting?.metadata, {
    deletionTimestamp: '2030-01-02T03:04:05Z',
    deletionGracePeriodSeconds: 0,
    generation: 4,
    finalizers: ['example.com/x'],
  });
  if (deleting === undefined) return;
  t.equal(deletingObject(deleting, nowMs + 60_000), deleting, 'a second delete changes nothing');
  t.equal(isReleased(deleting), false);
  t.match(
    changed({ ...held }, deleting).metadata,
    { deletionTimestamp: '2030-01-02T03:04:05Z' },
    'it cannot be taken back',
  );
  t.throws(
    () => changed({ ...held, metadata: { name: 'w', finalizers: ['example.com/x', 'example.com/y'] } }, deleting),
    {
      code: 'object-invalid',
      causes: [{ field: 'metadata.finalizers' }],
    },
  );
  t.equal(isReleased(changed({ ...held, metadata: { name: 'w' } }, deleting)), true, 'the last finalizer is off');
  t.equal(isReleased(changed({ ...held, metadata: { name: 'w' } })), false, 'nobody asked it to go');
  const { finalizers: _finalizers, ...metadata } = held.metadata;
  t.equal(deletingObject({ ...held, metadata }, nowMs), undefined, 'nothing holds it');
});

test('nulls in metadata mean that there is nothing, and unknown fields are found', async (t) => {
  const given = readGiven(widgetType, {
    metadata: { name: 'w', labels: null, color: 'x' },
    spec: { color: 'red', sise: 1 },
  });
  t.strictSame(given.metadata, { name: 'w' });
  t.strictSame(given.unknown, ['unknown field "metadata.color"', 'unknown field "spec.sise"']);
  t.strictSame(given.body, { spec: { color: 'red', size: 3 } });
});
