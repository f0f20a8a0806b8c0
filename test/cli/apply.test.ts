import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { threeWayPatch } from '../../cli/three-way-patch.ts';
import { start } from './kube-cli.ts';

const twoMaps = `apiVersion: v1
kind: ConfigMap
metadata:
  name: one
data:
  a: "1"
  b: "2"
---
# A comment, and an empty document.
---
apiVersion: v1
kind: ConfigMap
metadata: { name: two, namespace: shop }
`;

test('apply creates, changes to what the file says, and leaves alone what is so already', async (t) => {
  const { cli, edge, server } = await start(t);
  const file = join(t.testdir(), 'maps.yaml');
  writeFileSync(file, twoMaps);
  const created = await cli(['apply', '-f', file, '--edge', 'edge-1']);
  t.equal(String(created.stdout), 'configmap/one created\nconfigmap/two created\n', created.stderr);
  t.equal(created.exitCode, 0);
  t.match(await edge.resources('cm').get('two', { namespace: 'shop' }), { metadata: { name: 'two' } });

  server.requests.length = 0;
  const again = await cli(['apply', '-f', file, '--edge', 'edge-1']);
  t.equal(String(again.stdout), 'configmap/one unchanged\nconfigmap/two unchanged\n', again.stderr);
  t.notOk(
    server.requests.some((request) => !request.startsWith('GET ')),
    'nothing is written',
  );

  await edge.resources('cm').patch('one', { data: { others: 'stay' }, metadata: { labels: { by: 'another' } } });
  const changed = twoMaps.replace('  a: "1"\n', '').replace('b: "2"', 'b: "3"');
  const dry = await cli(['apply', '-f', '-', '-e', 'edge-1', '--dry-run'], changed);
  t.match(String(dry.stdout), /configmap\/one configured \(dry run\)/u);
  t.match(await edge.resources('cm').get('one'), { data: { b: '2' } });
  const configured = await cli(['apply', '-f', '-', '-e', 'edge-1'], changed);
  t.equal(String(configured.stdout), 'configmap/one configured\nconfigmap/two unchanged\n', configured.stderr);
  const one = await edge.resources('cm').get('one');
  t.strictSame(one['data'], { b: '3', others: 'stay' });
  t.strictSame(one.metadata.labels, { by: 'another' });
  const last = JSON.parse(
    one.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'] ?? '',
  ) as unknown;
  t.match(last, { kind: 'ConfigMap', metadata: { name: 'one', namespace: 'default' }, data: { b: '3' } });

  const shown = await cli(['get', 'cm', 'one', '-e', 'edge-1', '-o', 'yaml']);
  const back = await cli(['apply', '-f', '-', '-e', 'edge-1'], String(shown.stdout));
  t.match(String(back.stdout), /configmap\/one (?:configured|unchanged)/u, 'what get shows can be applied');
});

test('apply takes JSON and lists, and kinds of a group', async (t) => {
  const { cli, fleet } = await start(t);
  const site = (name: string) => ({ apiVersion: 'test.io/v1', kind: 'Site', metadata: { name }, spec: { racks: 3 } });
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [site('a'), site('b')] });
  const { stdout, stderr } = await cli(['apply', '-f', '-'], list);
  t.equal(String(stdout), 'site.test.io/a created\nsite.test.io/b created\n', stderr);
  t.equal((await fleet.resources('sites').list()).items.length, 2);
});

test('apply checks everything before the first write', async (t) => {
  const { cli, server } = await start(t);
  const good = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n';
  const refusal = async (text: string): Promise<string> => {
    const refused = await cli(['apply', '-f', '-', '-n', 'z'], `${good}---\n${text}\n`);
    t.equal(refused.exitCode, 1, text);
    t.equal(String(refused.stdout), '');
    return refused.stderr;
  };
  t.match(await refusal('kind: ['), /stdin:\d+: /u);
  const wrong: readonly (readonly [text: string, says: string])[] = [
    ['- 1', 'no object'],
    ['kind: ConfigMap\nmetadata: {name: x}', 'apiVersion is missing'],
    ['apiVersion: v1\nmetadata: {name: x}', 'kind is missing'],
    ['apiVersion: v1\nkind: ConfigMap', 'ConfigMap without metadata'],
    ['apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}', 'ConfigMap without metadata.name'],
    ['apiVersion: v1\nkind: Nothing\nmetadata: {name: x}', 'there is no such resource: v1 Nothing'],
    ['apiVersion: test.io/v1\nkind: Site\nmetadata: {name: x, namespace: y}', 'Site x belongs to no namespace'],
    ['apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: y}', 'and --namespace says z'],
    ['apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}', 'ConfigMap good is there twice'],
  ];
  const all = await refusal(wrong.map(([text]) => text).join('\n---\n'));
  for (const [, says] of wrong) t.ok(all.includes(says), `${says}, in one go with all others`);
  t.equal((await cli(['apply', '-f', '/nowhere.yaml'])).exitCode, 2);
  t.equal((await cli(['apply'])).exitCode, 2);
  t.equal((await cli(['apply', '-f', '-'], '')).exitCode, 1);
  t.notOk(server.requests.some((request) => !request.startsWith('GET ')));
  const invalid = await cli(
    ['apply', '-f', '-'],
    'apiVersion: test.io/v1\nkind: Site\nmetadata: {name: x}\nspec: {racks: many}\n',
  );
  t.equal(invalid.exitCode, 1);
  t.match(invalid.stderr, /stdin:1: [\s\S]*spec\.racks/u, 'what the server refuses names the file and the field');
});

test('delete takes names and files', async (t) => {
  const { cli, edge } = await start(t);
  await cli(['apply', '-f', '-', '-e', 'edge-1'], twoMaps);
  await edge.resources('cm').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'three' } });
  const dry = await cli(['delete', 'cm', 'three', '-e', 'edge-1', '--dry-run']);
  t.equal(String(dry.stdout), 'configmap/three deleted (dry run)\n', dry.stderr);
  t.equal(String((await cli(['delete', 'cm/three', '-e', 'edge-1'])).stdout), 'configmap/three deleted\n');
  const both = await cli(['delete', '-f', '-', '-e', 'edge-1'], twoMaps);
  t.equal(String(both.stdout), 'configmap/two deleted\nconfigmap/one deleted\n', both.stderr);
  t.equal((await edge.resources('cm').list()).items.length, 0);
});

test('a three-way patch sets what is wanted, takes away what is wanted no more, and leaves the rest', (t) => {
  t.equal(threeWayPatch({ a: 1 }, { a: 1 }, { a: 1, b: 2 }), undefined);
  t.strictSame(threeWayPatch({ a: 1, b: { c: 1, d: 1 } }, { b: { d: 2 } }, { a: 1, b: { c: 1, d: 1, e: 1 } }), {
    a: null,
    b: { c: null, d: 2 },
  });
  t.strictSame(threeWayPatch(undefined, { a: { b: 1 } }, { a: 'text' }), { a: { b: 1 } });
  t.strictSame(threeWayPatch({ l: [1, 2] }, { l: [1] }, { l: [1, 2, 3] }), { l: [1] });
  t.equal(threeWayPatch({ a: 1 }, {}, {}), undefined, 'what is gone already');
  t.equal(threeWayPatch('rubbish', { a: 1 }, { a: 1 }), undefined);
  t.strictSame(threeWayPatch({}, { a: null }, { a: 1 }), { a: null });
  t.end();
});
