import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { builtAgent } from './built-agent.ts';
import { run } from './hand-out.ts';

void test('the agent of one file', { timeout: 120_000 }, async (t) => {
  const folder = await builtAgent();
  const file = join(folder, `linux-${process.arch}`);

  await t.test('says its version, and runs nothing but the agent', async (t) => {
    const packageFile = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    t.equal((await run(file, ['version'])).stdout, `${packageFile.version}\n`);
    t.equal((await run(file, ['dev'])).code, 2);
    t.match((await run(file, ['agent', '--help'])).stdout, /run .*\n.*enrol .*\n.*status /su);
  });

  await t.test('reads its configuration, services included, and names what is wrong with it', async (t) => {
    const folder = t.testdir({
      'agent.yaml': 'gateways: [127.0.0.1:1]\nkeys: keys\nservices: [{ name: kube, kind: embedded }]\n',
    });
    const config = join(folder, 'agent.yaml');
    const missing = await run(file, ['agent', 'run', '--config', config]);
    t.equal(missing.code, 2);
    t.match(missing.stderr, /a file of the key store cannot be read/);
    writeFileSync(config, 'gateways: 7\n');
    t.match((await run(file, ['agent', 'run', '--config', config])).stderr, /agent\.yaml:1.*gateways/su);
    t.equal((await run(file, ['agent', 'status', '--data', folder])).code, 5, 'no agent runs');
  });

  await t.test('is not built again from the same sources', async (t) => {
    const { mtimeMs, ino } = statSync(file);
    await builtAgent();
    t.match(statSync(file), { mtimeMs, ino });
  });
});
