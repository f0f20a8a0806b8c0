import { test } from 'tap';
import { applyJsonPatch } from '../../../resources/engine/json-patch.ts';
import { applyMergePatch } from '../../../resources/engine/merge-patch.ts';
import { applyPatchTo } from '../../../resources/engine/patch.ts';
import { applyStrategicMergePatch } from '../../../resources/engine/strategic-merge-patch.ts';
import { typeNamed, widgetType } from '../http/test-types.ts';

test('a merge patch does what the examples of RFC 7396 say', async (t) => {
  const rows: readonly (readonly [unknown, unknown, unknown])[] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of rows) {
    const before = JSON.stringify(target);
    t.strictSame(applyMergePatch(target, patch), result, JSON.stringify(patch));
    t.equal(JSON.stringify(target), before, 'the target stays as it was');
  }
  t.equal(JSON.stringify(applyMergePatch({}, { constructor: { a: 1 } })), '{"constructor":{"a":1}}');
});

test('a JSON patch does what the examples of RFC 6902 say', async (t) => {
  const rows: readonly (readonly [unknown, readonly object[], unknown])[] = [
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { baz: 'qux', foo: 'bar' }],
    [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [{ foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
    [{ baz: 'qux' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo' }],
    [
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
    ],
    [
      { foo: ['all', 'grass', 'cows', 'eat'] },
      [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
      { foo: ['all', 'cows', 'eat', 'grass'] },
    ],
    [
      { baz: 'qux', foo: ['a', 2, 'c'] },
      [
        { op: 'test', path: '/baz', value: 'qux' },
        { op: 'test', path: '/foo/1', value: 2 },
      ],
      { baz: 'qux', foo: ['a', 2, 'c'] },
    ],
    [
      { foo: 'bar' },
      [{ op: 'add', path: '/child', value: { grandchild: {} } }],
      { foo: 'bar', child: { grandchild: {} } },
    ],
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux', xyz: 123 }], { foo: 'bar', baz: 'qux' }],
    [{ '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
    [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }], { foo: ['bar', ['abc', 'def']] }],
    [{ a: null }, [{ op: 'test', path: '/a', value: null }], { a: null }],
    [{ a: 1 }, [{ op: 'copy', from: '/a', path: '/b' }], { a: 1, b: 1 }],
    [{ a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
    [{ a: 1 }, [{ op: 'add', path: '/a', value: null }], { a: null }],
    [{ 'a/b': 1 }, [{ op: 'replace', path: '/a~1b', value: 2 }], { 'a/b': 2 }],
    [{ '': 1 }, [{ op: 'replace', path: '/', value: 2 }], { '': 2 }],
  ];
  for (const [target, patch, result] of rows) {
    const before = JSON.stringify(target);
    t.strictSame(applyJsonPatch(target, patch), result, JSON.stringify(patch));
    t.equal(JSON.stringify(target), before, 'the target stays as it was');
  }
});

test('a JSON patch fails as a whole, and names the operation that does not fit', async (t) => {
  const target = { foo: 'bar', list: [1, 2], text: 'abc', deep: { er: 1 } };
  const bad: readonly object[] = [
    { op: 'test', path: '/foo', value: 'baz' },
    { op: 'test', path: '/none', value: null },
    { op: 'add', path: '/baz/bat', value: 'qux' },
    { op: 'add', path: '/list/3', value: 1 },
    { op: 'add', path: '/list/01', value: 1 },
    { op: 'add', path: '/list/x', value: 1 },
    { op: 'add', path: '/text/0', value: 1 },
    { op: 'remove', path: '/none' },
    { op: 'remove', path: '/list/-' },
    { op: 'remove', path: '/list/2' },
    { op: 'remove', path: '/list/length' },
    { op: 'replace', path: '/list/length', value: 4_000_000_000 },
    { op: 'replace', path: '/list/1e0', value: 1 },
    { op: 'replace', path: '/text/length', value: 1 },
    { op: 'replace', path: '/toString', value: 1 },
    { op: 'add', path: '/toString/x', value: 1 },
    { op: 'add', path: '/__proto__/x', value: 1 },
    { op: 'add', path: '/constructor/prototype/x', value: 1 },
    { op: 'move', from: '/deep', path: '/deep/er' },
    { op: 'move', from: '/none', path: '/a' },
    { op: 'copy', from: '/__proto__', path: '/a' },
    { op: 'copy', from: '/list/length', path: '/a' },
  ];
  for (const operation of bad) {
    const patch = [{ op: 'add', path: '/ok', value: 1 }, operation];
    t.throws(
      () => applyJsonPatch(target, patch),
      { code: 'patch-inapplicable', causes: [{ field: '[1]' }] },
      JSON.stringify(operation),
    );
  }
  t.strictSame(target, { foo: 'bar', list: [1, 2], text: 'abc', deep: { er: 1 } });
  t.equal(({} as { x?: unknown }).x, undefined);
  for (const patch of [
    {},
    null,
    'x',
    [1],
    [{ op: 'add', path: 'a', value: 1 }],
    [{ op: 'copy', path: '/a' }],
    [{ op: 'add', path: '/a' }],
  ])
    t.throws(() => applyJsonPatch(target, patch), { code: 'object-malformed' }, JSON.stringify(patch));
});

test('a JSON patch that doubles itself again and again is stopped', async (t) => {
  const patch = Array.from({ length: 64 }, (_, index) => ({ op: 'copy', from: '', path: `/x${index}` }));
  t.throws(() => applyJsonPatch({ a: 'x'.repeat(100) }, patch), {
    code: 'patch-inapplicable',
    message: /copies too much/,
  });
  const deep = Array.from({ length: 60 }, (_, index) => ({
    op: 'add',
    path: `/a${'/b/b/b/b/b'.repeat(index)}`,
    value: { b: { b: { b: { b: { b: {} } } } } },
  }));
  t.throws(() => applyPatchTo(widgetType, {}, { type: 'json', value: deep }), {
    code: 'patch-inapplicable',
    message: /nested/,
  });
});

const podType = typeNamed('pods');
const strategic = (target: unknown, patch: unknown): unknown => applyStrategicMergePatch(target, patch, podType);

test('a strategic merge patch merges the lists whose items have keys', async (t) => {
  const target = {
    metadata: { finalizers: ['a'], ownerReferences: [{ uid: '1', name: 'x' }], labels: { a: '1', b: '2' } },
    spec: {
      containers: [
        {
          name: 'c1',
          image: 'i1',
          env: [{ name: 'A', value: '1' }],
          args: ['x'],
          ports: [{ containerPort: 80, name: 'http' }],
        },
        { name: 'c2', image: 'i2' },
      ],
      tolerations: [{ key: 'a' }],
    },
  };
  const before = JSON.stringify(target);
  const result = strategic(target, {
    metadata: { finalizers: ['b', 'a'], ownerReferences: [{ uid: '2', name: 'y' }], labels: { a: null, c: '3' } },
    spec: {
      containers: [
        { name: 'c2', image: 'i3' },
        {
          name: 'c1',
          env: [{ name: 'B', value: '2' }],
          args: ['y'],
          ports: [{ containerPort: 80, name: 'web' }, { containerPort: 81 }],
        },
        { name: 'c3', image: 'i4', env: [{ name: 'C', value: null }] },
      ],
      tolerations: [{ key: 'b' }],
    },
  });
  t.strictSame(result, {
    metadata: {
      finalizers: ['a', 'b'],
      ownerReferences: [
        { uid: '1', name: 'x' },
        { uid: '2', name: 'y' },
      ],
      labels: { b: '2', c: '3' },
    },
    spec: {
      containers: [
        {
          name: 'c1',
          image: 'i1',
          env: [
            { name: 'A', value: '1' },
            { name: 'B', value: '2' },
          ],
          args: ['y'],
          ports: [{ containerPort: 80, name: 'web' }, { containerPort: 81 }],
        },
        { name: 'c2', image: 'i3' },
        { name: 'c3', image: 'i4', env: [{ name: 'C' }] },
      ],
      tolerations: [{ key: 'b' }],
    },
  });
  t.equal(JSON.stringify(target), before, 'the target stays as it was');
});

test('the directives of a strategic merge patch delete, replace, keep and order', async (t) => {
  const containers = [
    { name: 'a', image: '1' },
    { name: 'b', image: '2' },
    { name: 'c', image: '3' },
  ];
  const namesAfter = (patch: object, list: readonly object[] = containers): unknown => {
    const { spec } = strategic({ spec: { containers: list } }, { spec: patch }) as {
      spec: { containers: { name: string }[] };
    };
    return spec.containers.map(({ name }) => name).join();
  };
  t.equal(namesAfter({ containers: [{ name: 'b', $patch: 'delete' }] }), 'a,c');
  t.equal(namesAfter({ containers: [{ name: 'x', $patch: 'delete' }] }), 'a,b,c');
  t.equal(namesAfter({ containers: [{ $patch: 'replace' }, { name: 'x' }] }), 'x');
  t.equal(namesAfter({ '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }, { name: 'b' }] }), 'c,a,b');
  t.equal(
    namesAfter({ '$setElementOrder/containers': [{ name: 'd' }, { name: 'a' }], 'containers': [{ name: 'd' }] }),
    'd,a,b,c',
    'what the order does not name stays behind what it stood behind',
  );
  t.equal(namesAfter({ '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }] }), 'a,c,b');

  t.strictSame(
    strategic({ metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'replace', b: '2', c: null } } }),
    {
      metadata: { labels: { b: '2' } },
    },
  );
  t.strictSame(strategic({ spec: { a: 1 } }, { spec: { $patch: 'delete' } }), { spec: {} });
  t.strictSame(
    strategic(
      { metadata: { finalizers: ['a', 'b', 'c'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['b'] } },
    ),
    { metadata: { finalizers: ['a', 'c'] } },
  );
  t.strictSame(
    strategic(
      { spec: { volumes: [{ name: 'v', emptyDir: {}, other: 1 }] } },
      { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] } },
    ),
    { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } },
  );
  t.strictSame(
    strategic(
      { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
      { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
    ),
    { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
  );
});

test('a strategic merge patch that makes no sense is refused with the place', async (t) => {
  const bad: readonly (readonly [unknown, string])[] = [
    [[], ''],
    [{ spec: { $patch: 'remove' } }, 'spec.$patch'],
    [{ spec: { containers: [{ image: 'x' }] } }, 'spec.containers[0]'],
    [{ spec: { containers: ['x'] } }, 'spec.containers[0]'],
    [{ spec: { $retainKeys: 'x' } }, 'spec.$retainKeys'],
    [{ metadata: { '$setElementOrder/finalizers': 'x' } }, 'metadata.$setElementOrder/finalizers'],
    [{ metadata: { '$deleteFromPrimitiveList/finalizers': 'x' } }, 'metadata.$deleteFromPrimitiveList/finalizers'],
  ];
  for (const [patch, field] of bad)
    t.throws(() => strategic({}, patch), { code: 'patch-inapplicable', causes: [{ field }] }, JSON.stringify(patch));
});

test('where a schema leaves a part open, lists of the core kinds are merged all the same', async (t) => {
  const open = {
    schema: {
      type: 'object',
      properties: { spec: { 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    },
  };
  t.strictSame(
    applyStrategicMergePatch(
      {
        spec: {
          template: { containers: [{ name: 'a', ports: [{ containerPort: 1 }] }], words: [1] },
          ports: [{ port: 1 }],
        },
      },
      {
        spec: {
          template: { containers: [{ name: 'b' }, { name: 'a', ports: [{ containerPort: 2 }] }], words: [2] },
          ports: [{ port: 2 }],
        },
      },
      open,
    ),
    {
      spec: {
        template: {
          containers: [{ name: 'a', ports: [{ containerPort: 1 }, { containerPort: 2 }] }, { name: 'b' }],
          words: [2],
        },
        ports: [{ port: 1 }, { port: 2 }],
      },
    },
  );
});
