import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { run } from '../support/fleet-access.ts';
import { startGitServer } from '../support/git-server.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { missing } from '../support/program.ts';

test('git clones and pushes over HTTP through the gateway', { skip: missing('git'), timeout: 120_000 }, async (t) => {
  const server = await startGitServer();
  t.teardown(() => server.stop());
  server.addRepository('demo');
  const cluster = await ProcessCluster.start(t, {
    services: () => [{ name: 'git', kind: 'http', url: `http://127.0.0.1:${server.port}` }],
  });
  const { ca, cert, key } = cluster.tlsFiles;
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.com'];
  // By the environment: it goes before what the machine's own says.
  const plain = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0', GIT_SSL_CAINFO: ca };
  const tls = { ...plain, GIT_SSL_CERT: cert, GIT_SSL_KEY: key };
  const folder = t.testdir();
  const git = async (where: string, ...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run('git', ['-C', where, ...identity, ...args], tls);
    if (exitCode !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const url = `${cluster.apiUrl}/edges/edge-1/git/demo.git`;
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];

  await t.test('a push of many commits, and of a pack too large for one buffer', async (t) => {
    mkdirSync(first);
    await git(first, 'init', '--quiet', '--initial-branch=main');
    for (let index = 0; index < 20; index++) {
      writeFileSync(join(first, `file-${index}`), `${index}\n`.repeat(1000));
      await git(first, 'add', '.');
      await git(first, 'commit', '--quiet', '-m', `commit ${index}`);
    }
    writeFileSync(join(first, 'large.bin'), randomBytes(16 * 1024 * 1024));
    await git(first, 'add', '.');
    await git(first, 'commit', '--quiet', '-m', 'large');
    await git(first, 'push', '--quiet', url, 'main');
    t.equal(await git(join(server.folder, 'demo.git'), 'rev-parse', 'main'), await git(first, 'rev-parse', 'main'));
  });

  await t.test('a clone is the same, and sound', async (t) => {
    await git(folder, 'clone', '--quiet', url, 'second');
    t.equal(await git(second, 'rev-parse', 'HEAD'), await git(first, 'rev-parse', 'HEAD'));
    t.equal(await git(second, 'rev-list', '--count', 'HEAD'), '21');
    t.ok(readFileSync(join(second, 'large.bin')).equals(readFileSync(join(first, 'large.bin'))));
    await git(second, 'fsck', '--strict');
  });

  await t.test('a push from the clone reaches the first by a fetch', async (t) => {
    writeFileSync(join(second, 'more'), 'more\n');
    await git(second, 'add', '.');
    await git(second, 'commit', '--quiet', '-m', 'more');
    await git(second, 'push', '--quiet', 'origin', 'main');
    await git(first, 'fetch', '--quiet', url, 'main');
    t.equal(await git(first, 'rev-parse', 'FETCH_HEAD'), await git(second, 'rev-parse', 'HEAD'));
  });

  await t.test('without a certificate nothing is served', async (t) => {
    const { exitCode, stderr } = await run('git', ['ls-remote', url], plain);
    t.not(exitCode, 0);
    t.match(stderr, /401|could not read Username|Authentication/u);
  });
});
