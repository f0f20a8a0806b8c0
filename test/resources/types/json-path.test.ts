import t from 'tap';
import { compileJsonPath, jsonPathProblem } from '../../../resources/types/json-path.ts';

const object = {
  metadata: { name: 'a', labels: { 'x.y/z': 'dotted' } },
  spec: { list: [{ n: 1 }, { n: 2 }, { n: 3 }], deep: { er: true } },
  status: {
    conditions: [
      { type: 'Ready', status: 'True', count: 3 },
      { type: 'Synced', status: 'False', count: 12 },
    ],
  },
};

t.test('a path finds what printer columns ask for', async (t) => {
  const rows: [string, unknown[]][] = [
    ['.metadata.name', ['a']],
    ['$.metadata.name', ['a']],
    [String.raw`.metadata.labels.x\.y/z`, ['dotted']],
    [`.metadata.labels['x.y/z']`, ['dotted']],
    [String.raw`.metadata.labels['x\.y/z']`, ['dotted']],
    ['.spec.list[0].n', [1]],
    ['.spec.list[-1].n', [3]],
    ['.spec.list[*].n', [1, 2, 3]],
    ['.spec.deep.*', [true]],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [`.status.conditions[?(@.type == 'Synced')].status`, ['False']],
    ['.status.conditions[?(@.type!="Ready")].type', ['Synced']],
    ['.status.conditions[?(@.count>3)].type', ['Synced']],
    ['.status.conditions[?(@.count<=3)].type', ['Ready']],
    ['.spec.list[?(@.missing)]', []],
    ['.spec.list[?(@.n)].n', [1, 2, 3]],
    ['.spec.list[9].n', []],
    ['.metadata.name.more', []],
    ['.constructor', []],
    ['.spec.list.length', []],
  ];
  for (const [path, found] of rows) t.same(compileJsonPath(path)(object), found, path);
});

t.test('what is no such path is refused with the place', async (t) => {
  for (const path of ['', 'spec', '.', '.a..b', '.a[', '.a[x]', '.a[0:2]', '.a[?(@.b==c)]', '.a[?(1)]', '.a b'])
    t.ok(jsonPathProblem(path), path);
  t.match(jsonPathProblem('.a[0:2]'), /"\[0:2\]"/);
  t.throws(() => compileJsonPath('.a..b'), { code: 'definition-invalid' });
});

t.test('a path is bounded in length, steps and results', async (t) => {
  t.match(jsonPathProblem(`.${'a'.repeat(2000)}`), /1024/);
  t.match(jsonPathProblem('.a'.repeat(65)), /64 steps/);
  const list = Array.from({ length: 1500 }, () => Array.from({ length: 1500 }, () => 1));
  t.ok(compileJsonPath('[*][*]')(list).length <= 1000);
});
