import { test } from 'tap';
import { CodedError } from '../../../base/index.ts';
import { fullAccess, type Access } from '../../../resources/access.ts';
import { everything } from '../../../resources/collection/selector.ts';
import { WatchCache } from '../../../resources/collection/watch-cache.ts';
import { ResourceApi } from '../../../resources/engine/resource-api.ts';
import { configMap, pick, pod, TestApi, widget } from '../http/test-api.ts';
import { widgetType } from '../http/test-types.ts';

const alice = fullAccess('operator/alice');
const all = { selector: everything, at: { match: 'newest' } } as const;

test('an object is made, read, changed, patched and deleted, each time with a new version', async (t) => {
  const api = (await TestApi.start(t)).resource('widgets');
  const made = await api.create(alice, 'default', widget('a'));
  t.match(made.object(), {
    metadata: { name: 'a', namespace: 'default', generation: 1 },
    spec: { color: 'red', size: 3 },
  });
  t.strictSame((await api.get(alice, 'default', 'a')).json, made.json);
  const updated = await api.update(alice, 'default', 'a', widget('a', { color: 'blue' }));
  t.ok(Number(updated.object().metadata.resourceVersion) > Number(made.object().metadata.resourceVersion));
  const patched = await api.patch(alice, 'default', 'a', { type: 'merge', value: { spec: { size: 9 } } });
  t.match(patched.object(), { metadata: { generation: 3 }, spec: { color: 'blue', size: 9 } });
  const same = await api.patch(alice, 'default', 'a', { type: 'merge', value: { spec: { size: 9 } } });
  t.equal(same.object().metadata.resourceVersion, patched.object().metadata.resourceVersion, 'nothing was written');
  t.equal((await api.delete(alice, 'default', 'a')).gone, true);
  await t.rejects(api.get(alice, 'default', 'a'), {
    code: 'object-not-found',
    message: 'widgets.example.com "a" not found',
  });
});

test('two who change the same version: one of them is told', async (t) => {
  const api = (await TestApi.start(t)).resource('widgets');
  const object = (await api.create(alice, 'default', widget('a'))).object();
  const both = await Promise.allSettled([
    api.update(alice, 'default', 'a', { ...object, spec: { color: 'blue' } }),
    api.update(alice, 'default', 'a', { ...object, spec: { color: 'green' } }),
  ]);
  t.strictSame(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  t.match(
    both.find(({ status }) => status === 'rejected'),
    { reason: { code: 'object-conflict', status: 409 } },
  );
});

test('patches without a version all arrive, however many at once', async (t) => {
  const api = (await TestApi.start(t)).resource('configmaps');
  await api.create(alice, 'default', configMap('a'));
  const writes = Array.from({ length: 20 }, (_, index) =>
    api.patch(alice, 'default', 'a', { type: 'merge', value: { data: { [`k${index}`]: '1' } } }),
  );
  await Promise.all(writes);
  const { json } = await api.get(alice, 'default', 'a');
  t.equal(Object.keys(JSON.parse(json.toString()).data as object).length, 20);
});

test('a dry run says what would be, and does nothing', async (t) => {
  const api = (await TestApi.start(t)).resource('widgets');
  const dryRun = true;
  t.match((await api.create(alice, 'default', widget('a'), { dryRun })).object(), { spec: { size: 3 } });
  t.equal((await api.list(alice, all)).objects.length, 0);
  await api.create(alice, 'default', widget('a'));
  await t.rejects(api.create(alice, 'default', widget('a'), { dryRun }), { code: 'object-exists' });
  const patch = { type: 'merge', value: { spec: { size: 5 } } } as const;
  t.match((await api.patch(alice, 'default', 'a', patch, { dryRun })).object(), { spec: { size: 5 } });
  t.match((await api.update(alice, 'default', 'a', widget('a', { color: 'blue' }), { dryRun })).object(), {
    spec: { color: 'blue' },
  });
  t.equal((await api.delete(alice, 'default', 'a', { dryRun })).gone, true);
  t.equal((await api.deleteCollection(alice, all, { dryRun })).length, 1);
  t.match(JSON.parse((await api.get(alice, 'default', 'a')).json.toString()), { spec: { color: 'red', size: 3 } });
  await t.rejects(api.delete(alice, 'default', 'none', { dryRun }), { code: 'object-not-found' });
});

test('finalizers hold an object up, its watchers hear of it, and the last one lets it go', async (t) => {
  const api = (await TestApi.start(t)).resource('widgets');
  await api.create(alice, 'default', widget('a', { color: 'red' }, { finalizers: ['example.com/x'] }));
  const { version } = await api.list(alice, all);
  const watch = await api.watch(alice, { selector: everything, from: version }, () => undefined);
  t.teardown(() => watch.close());
  const held = await api.delete(alice, 'default', 'a');
  t.equal(held.gone, false);
  t.type(held.object().metadata.deletionTimestamp, 'string');
  const again = await api.delete(alice, 'default', 'a');
  t.strictSame(again.json, held.json, 'a second delete changes nothing');
  const last = await api.patch(alice, 'default', 'a', { type: 'merge', value: { metadata: { finalizers: null } } });
  t.equal(last.object().metadata.finalizers, undefined);
  await t.rejects(api.get(alice, 'default', 'a'), { code: 'object-not-found' });
  t.strictSame(
    watch.read(10).map(({ type }) => type),
    ['MODIFIED', 'DELETED'],
  );
});

test('a name is generated, again and again until it is free', async (t) => {
  const api = (await TestApi.start(t)).resource('widgets');
  const made = await api.create(alice, 'default', { metadata: { generateName: 'w-' }, spec: { color: 'red' } });
  t.match(made.object().metadata, { name: /^w-[a-z0-9]{5}$/, generateName: 'w-' });
});

test('unknown fields are dropped with a warning, in silence, or refused', async (t) => {
  const api = (await TestApi.start(t)).resource('widgets');
  const value = widget('a', { color: 'red', shade: 1 }, { label: {} });
  const create = (fieldValidation?: 'Ignore' | 'Warn' | 'Strict') =>
    api.create(alice, 'default', value, {
      dryRun: true,
      ...(fieldValidation === undefined ? {} : { fieldValidation }),
    });
  t.strictSame((await create()).warnings, ['unknown field "metadata.label"', 'unknown field "spec.shade"']);
  t.strictSame((await create('Ignore')).warnings, []);
  t.strictSame((await create('Ignore')).object()['spec'], { color: 'red', size: 3 });
  await t.rejects(create('Strict'), {
    code: 'object-malformed',
    message: /strict decoding error: unknown field "metadata.label", unknown field "spec.shade"/,
    causes: [{ field: 'metadata.label' }, { field: 'spec.shade' }],
  });
});

test('hooks admit, complete and judge', async (t) => {
  const seen: unknown[] = [];
  const server = await TestApi.start(t, {
    hooks: {
      widgets: {
        admit: ({ verb, name, subresource, namespace }) => {
          seen.push(`${verb} ${namespace}/${name} ${subresource}`.trim());
          if (name === 'never') throw new CodedError('access-denied', 'never', { status: 403 });
        },
        prepareCreate: (object, { principal }) => ({ ...object, status: { phase: principal } }),
        prepareUpdate: (object, old) => ({
          ...object,
          metadata: { ...object.metadata, annotations: { was: JSON.stringify(old['spec']) } },
        }),
        validate: (object, old) => {
          const isWrong = old !== undefined && JSON.stringify(object['spec']).includes('green');
          return isWrong
            ? [{ field: 'spec.color', reason: 'FieldValueForbidden', message: 'Forbidden: too late' }]
            : [];
        },
      },
    },
  });
  const api = server.resource('widgets');
  t.match((await api.create(alice, 'default', widget('a'))).object(), { status: { phase: 'operator/alice' } });
  const spec = { color: 'blue', size: 3 };
  t.match((await api.update(alice, 'default', 'a', widget('a', spec))).object(), {
    metadata: { annotations: { was: '{"color":"red","size":3}' } },
  });
  await t.rejects(api.patch(alice, 'default', 'a', { type: 'merge', value: { spec: { color: 'green' } } }), {
    code: 'object-invalid',
    causes: [{ field: 'spec.color' }],
  });
  await t.rejects(api.create(alice, 'default', widget('never')), { code: 'access-denied' });
  await t.rejects(api.delete(alice, 'default', 'never'), { code: 'access-denied' });
  await api.update(alice, 'default', 'a', widget('a'), { subresource: 'status' });
  t.strictSame(seen, [
    'create default/a',
    'update default/a',
    'update default/a',
    'create default/never',
    'delete default/never',
    'update default/a status',
  ]);
});

test('every operation asks for access, with what it is about', async (t) => {
  const found = (await TestApi.start(t)).resource('widgets');
  await found.create(alice, 'default', widget('a'));
  const api = new ResourceApi({ collection: found.collection, edge: 'edge-1' });
  const asked: string[] = [];
  const nobody: Access = {
    principal: 'operator/eve',
    allows: ({ edge, verb, group, resource, subresource, namespace, name }) => {
      asked.push([edge, verb, group, resource, subresource, namespace, name].join(' '));
      return false;
    },
  };
  const patch = { type: 'merge', value: {} } as const;
  const calls: readonly (() => Promise<unknown>)[] = [
    () => api.get(nobody, 'default', 'a'),
    () => api.list(nobody, all),
    () => api.watch(nobody, { ...all, namespace: 'default', from: 'newest' }, () => undefined),
    () => api.create(nobody, 'default', widget('b')),
    () => api.update(nobody, 'default', 'a', widget('a')),
    () => api.patch(nobody, 'default', 'a', patch, { subresource: 'status' }),
    () => api.delete(nobody, 'default', 'a'),
    () => api.deleteCollection(nobody, { ...all, namespace: 'default' }),
  ];
  for (const call of calls) await t.rejects(call(), { code: 'access-denied', status: 403 });
  await t.rejects(api.get(nobody, 'default', 'a'), {
    message:
      'widgets.example.com "a" is forbidden: User "operator/eve" cannot get resource "widgets" in API group "example.com" in the namespace "default" at the edge "edge-1"',
  });
  t.strictSame(asked.slice(0, -1), [
    'edge-1 get example.com widgets  default a',
    'edge-1 list example.com widgets   ',
    'edge-1 watch example.com widgets  default ',
    'edge-1 create example.com widgets  default ',
    'edge-1 update example.com widgets  default a',
    'edge-1 patch example.com widgets status default a',
    'edge-1 delete example.com widgets  default a',
    'edge-1 deletecollection example.com widgets  default ',
  ]);
  t.equal((await api.list(alice, all)).objects.length, 1, 'nothing happened');
});

test('lists, watches and deletes of many show what the caller may see', async (t) => {
  const api = (await TestApi.start(t)).resource('widgets');
  for (const name of ['a1', 'b1', 'a2']) await api.create(alice, 'default', widget(name));
  const some: Access = {
    ...alice,
    filter:
      () =>
      ({ name }) =>
        name.startsWith('a'),
  };
  t.strictSame(
    (await api.list(some, all)).objects.map(({ name }) => name),
    ['a1', 'a2'],
  );
  const watch = await api.watch(some, { selector: everything, from: 'newest' }, () => undefined);
  t.strictSame(
    watch.read(10).map(({ object: { name } }) => name),
    ['a1', 'a2'],
  );
  watch.close();
  t.strictSame(
    (await api.deleteCollection(some, all)).map((one) => one.object().metadata.name),
    ['a1', 'a2'],
  );
  t.strictSame(
    (await api.list(alice, all)).objects.map(({ name }) => name),
    ['b1'],
  );
});

test('deleting many takes all pages, and one page where a limit is given', async (t) => {
  const api = (await TestApi.start(t)).resource('widgets');
  for (let i = 0; i < 7; i += 1) await api.create(alice, 'default', widget(`w${i}`));
  t.equal((await api.deleteCollection(alice, { ...all, limit: 3 })).length, 3);
  t.equal((await api.deleteCollection(alice, all)).length, 4);
});

test('a collection that is read only says so', async (t) => {
  const api = new ResourceApi({ collection: new WatchCache(widgetType, { version: 1 }) });
  t.equal(api.isWritable, false);
  t.equal(api.supports('list'), true);
  t.equal(api.supports('create'), false);
  await t.rejects(api.create(alice, 'default', widget('a')), { code: 'verb-unsupported', status: 405 });
  await t.rejects(api.delete(alice, 'default', 'a'), { code: 'verb-unsupported' });
});

test('what an object owns goes with it, in the background', async (t) => {
  const server = await TestApi.start(t);
  const owners = server.resource('widgets');
  const owned = server.resource('configmaps');
  const uidOf = async (name: string): Promise<string> =>
    (await owners.create(alice, 'default', widget(name))).object().metadata.uid ?? '';
  const [one, two] = [await uidOf('one'), await uidOf('two')];
  const ref = (name: string, uid: string) => ({ apiVersion: 'example.com/v1', kind: 'Widget', name, uid });
  const own = (name: string, ownerReferences: readonly object[]) =>
    owned.create(alice, 'default', configMap(name, {}, { ownerReferences }));
  await own('of-one', [ref('one', one)]);
  await own('of-two', [ref('two', two)]);
  await own('of-both', [ref('one', one), ref('two', two)]);
  await own('of-none', []);
  const child = (await owned.get(alice, 'default', 'of-one')).json;
  const childUid: string = JSON.parse(child.toString()).metadata.uid;
  await own('of-child', [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'of-one', uid: childUid }]);

  await owners.delete(alice, 'default', 'one');
  await server.apis.settled();
  const left = async (): Promise<string[]> => (await owned.list(alice, all)).objects.map(({ name }) => name);
  t.strictSame(await left(), ['of-both', 'of-none', 'of-two'], 'and what those owned');
  const both = JSON.parse((await owned.get(alice, 'default', 'of-both')).json.toString());
  t.strictSame(pick(both, 'metadata.ownerReferences.*.name'), ['two'], 'one owner is left');

  await owners.delete(alice, 'default', 'two', { propagationPolicy: 'Orphan' });
  await server.apis.settled();
  t.strictSame(await left(), ['of-both', 'of-none', 'of-two']);
  const orphan = JSON.parse((await owned.get(alice, 'default', 'of-two')).json.toString());
  t.equal(orphan.metadata.ownerReferences, undefined);
  t.strictSame(server.faults, []);
});

test('kinds of Kubernetes begin as they do there', async (t) => {
  const server = await TestApi.start(t);
  const namespace = await server.resource('namespaces').create(alice, '', { metadata: { name: 'n' } });
  t.match(namespace.object(), { status: { phase: 'Active' } });
  t.match((await server.resource('pods').create(alice, 'default', pod('p'))).object(), {
    status: { phase: 'Pending' },
  });
  const secrets = server.resource('secrets');
  const value = { metadata: { name: 's' }, data: { a: 'YQ==' }, stringData: { b: 'b' } };
  const secret = (await secrets.create(alice, 'default', value)).object();
  t.strictSame(secret['data'], { a: 'YQ==', b: 'Yg==' });
  t.equal(secret['stringData'], undefined);
  const more = { type: 'merge', value: { stringData: { a: 'x' }, immutable: true } } as const;
  t.strictSame((await secrets.patch(alice, 'default', 's', more)).object()['data'], { a: 'eA==', b: 'Yg==' });
  await t.rejects(secrets.patch(alice, 'default', 's', { type: 'merge', value: { data: { c: 'Yw==' } } }), {
    code: 'object-invalid',
    causes: [{ field: 'data' }],
  });
  t.match(
    (
      await secrets.patch(alice, 'default', 's', { type: 'merge', value: { metadata: { labels: { a: 'b' } } } })
    ).object(),
    {
      metadata: { labels: { a: 'b' } },
    },
  );
});

test('another version of a type serves the same objects', async (t) => {
  const server = await TestApi.start(t);
  const v1 = server.resource('widgets');
  const v2 = new ResourceApi({ collection: v1.collection, type: { ...widgetType, version: 'v2' } });
  const made = await v2.create(alice, 'default', { ...widget('a'), apiVersion: 'example.com/v2' });
  t.equal(made.object().apiVersion, 'example.com/v2');
  t.match(JSON.parse((await v1.get(alice, 'default', 'a')).json.toString()), { apiVersion: 'example.com/v1' });
  const watch = await v2.watch(alice, { selector: everything, from: 'newest' }, () => undefined);
  t.match(JSON.parse(watch.read(10)[0]?.line.toString() ?? ''), {
    type: 'ADDED',
    object: { apiVersion: 'example.com/v2' },
  });
  watch.close();
  const patched = await v2.patch(alice, 'default', 'a', { type: 'merge', value: { spec: { size: 4 } } });
  t.match(patched.object(), { apiVersion: 'example.com/v2', spec: { size: 4 } });
  const { version } = await v2.get(alice, 'default', 'a');
  await v2.patch(alice, 'default', 'a', { type: 'merge', value: { spec: { size: 4 } } });
  t.equal((await v1.get(alice, 'default', 'a')).version, version, 'no change is no write');
  t.equal((await v2.list(alice, all)).objects[0]?.json.toString().includes('example.com/v2'), true);
});
