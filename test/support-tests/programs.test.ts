import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'tap';
import { startGitServer } from '../support/git-server.ts';
import { withLeakCheck } from '../support/leak-check.ts';
import { missing, Program, freePort, temporaryFolder } from '../support/program.ts';
import { startNginx, startPostgres, startRedis, startSshServer } from '../support/programs.ts';

const run = promisify(execFile);

test('nginx serves its folder', { skip: missing('nginx') }, async (t) => {
  withLeakCheck(t);
  const nginx = await startNginx('location = /hello { return 200 "from nginx"; }');
  t.teardown(() => nginx.stop());
  writeFileSync(join(nginx.folder, 'www', 'file.txt'), 'content');
  t.equal((await run('curl', ['-s', `http://127.0.0.1:${nginx.port}/file.txt`])).stdout, 'content');
  t.equal((await run('curl', ['-s', `http://127.0.0.1:${nginx.port}/hello`])).stdout, 'from nginx');
});

test('redis answers', { skip: missing('redis-server') }, async (t) => {
  withLeakCheck(t);
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  t.equal((await run('redis-cli', ['-p', String(redis.port), 'ping'])).stdout, 'PONG\n');
});

test('postgres takes queries', { skip: missing('/usr/lib/postgresql/*/bin/postgres', 'postgresql') }, async (t) => {
  withLeakCheck(t);
  const postgres = await startPostgres();
  t.teardown(() => postgres.stop());
  const args = ['-h', '127.0.0.1', '-p', String(postgres.port), '-U', 'postgres', '-Atc', 'select 6 * 7'];
  t.equal((await run('psql', args)).stdout, '42\n');
});

test('sshd runs a command', { skip: missing('/usr/sbin/sshd', 'openssh-server') }, async (t) => {
  withLeakCheck(t);
  const { program, user, clientOptions } = await startSshServer();
  t.teardown(() => program.stop());
  const { stdout } = await run('ssh', [
    ...clientOptions,
    '-p',
    String(program.port),
    `${user}@127.0.0.1`,
    'echo $((6 * 7))',
  ]);
  t.equal(stdout, '42\n');
});

test('a Git repository can be pushed to and cloned', { skip: missing('git') }, async (t) => {
  withLeakCheck(t);
  const server = await startGitServer();
  t.teardown(() => server.stop());
  server.addRepository('demo');
  const url = `http://127.0.0.1:${server.port}/demo.git`;
  const work = join(t.testdir(), 'work');
  mkdirSync(work);
  const git = (...args: string[]): Promise<unknown> =>
    run('git', ['-C', work, '-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args]);
  await git('init', '--quiet', '--initial-branch=main');
  writeFileSync(join(work, 'file.bin'), Buffer.alloc(2_000_000, 'abc'));
  await git('add', '.');
  await git('commit', '--quiet', '-m', 'first');
  await git('push', '--quiet', url, 'main');
  await git('clone', '--quiet', url, 'again');
  t.ok(readFileSync(join(work, 'again', 'file.bin')).equals(Buffer.alloc(2_000_000, 'abc')));
});

test('a program that cannot start says why, and leaves nothing', async (t) => {
  withLeakCheck(t);
  const folder = temporaryFolder('broken');
  const port = await freePort();
  const broken = Program.start({
    package: 'dash',
    command: 'sh',
    args: ['-c', 'echo no such luck; exit 3'],
    port,
    folder,
  });
  await t.rejects(broken, /no such luck/);
  t.notOk(existsSync(folder));
});

test('a command that is not installed names its package', async (t) => {
  const folder = temporaryFolder('absent');
  const absent = Program.start({ package: 'absent-package', command: 'absent', args: [], port: 1, folder });
  await t.rejects(absent, /apt-get install absent-package/);
});
