import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'tap';
import { run } from '../support/fleet-access.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { missing } from '../support/program.ts';
import { startSshServer } from '../support/programs.ts';
import { waitFor, within } from '../support/wait-for.ts';
import { proxyCommand } from './through.ts';

const skip = missing('/usr/sbin/sshd', 'openssh-server') || missing('ssh', 'openssh-client');

test('ssh with `causeway dial` as its ProxyCommand', { skip, timeout: 120_000 }, async (t) => {
  const { program, user, clientOptions } = await startSshServer();
  t.teardown(() => program.stop());
  const cluster = await ProcessCluster.start(t, {
    services: () => [{ name: 'ssh', kind: 'tcp', address: `127.0.0.1:${program.port}` }],
  });
  const options = [...clientOptions, '-o', `ProxyCommand=${proxyCommand(cluster, 'edge-1', 'ssh')}`];
  const host = `${user}@edge-1`;
  const folder = t.testdir();

  await t.test('a command, its output and its exit code', async (t) => {
    const { exitCode, stdout, stderr } = await run('ssh', [
      ...options,
      host,
      'echo $((6 * 7)); echo problem >&2; exit 3',
    ]);
    t.equal(stdout, '42\n', stderr);
    t.match(stderr, /problem/u);
    t.equal(exitCode, 3);
  });

  await t.test('input goes to the command, and its end too', async (t) => {
    const child = spawn('ssh', [...options, host, 'wc -c'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    child.stdin.end(Buffer.alloc(1_000_000, 'x'));
    await within('the command to end', once(child, 'exit'), 30_000);
    t.equal(output.trim(), '1000000');
  });

  await t.test('an interactive session', async (t) => {
    const child = spawn('ssh', ['-tt', ...options, host], { stdio: ['pipe', 'pipe', 'ignore'] });
    const exited = once(child, 'exit');
    let screen = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (screen += chunk));
    const shows = (text: string): Promise<unknown> =>
      waitFor(`${JSON.stringify(text)} on the screen`, () => screen.includes(text));
    child.stdin.write('PS1=ready\\>; stty cols 80; tty\n');
    await shows('/dev/pts/');
    child.stdin.write('echo sum-$((6 * 7))\n');
    await shows('sum-42');
    t.match(screen, /echo sum-\$\(\(6 \* 7\)\)/u, 'what was typed is echoed');
    // Ctrl-C reaches the program in the foreground.
    child.stdin.write("sh -c 'echo sum-$((8 * 7)); exec sleep 1000'\n");
    await shows('sum-56');
    child.stdin.write('\x03');
    await shows('^C');
    child.stdin.write('echo sum-$((7 * 7))\n');
    await shows('sum-49');
    child.stdin.write('exit 5\n');
    const [code] = (await within('the session to end', exited)) as [number];
    t.equal(code, 5);
  });

  await t.test('scp both ways', async (t) => {
    const content = randomBytes(32 * 1024 * 1024);
    const local = join(folder, 'local');
    const remote = join(folder, 'remote');
    const back = join(folder, 'back');
    writeFileSync(local, content);
    const up = await run('scp', ['-q', ...options, local, `${host}:${remote}`]);
    t.equal(up.exitCode, 0, up.stderr);
    t.ok(readFileSync(remote).equals(content), 'the same bytes at the edge');
    const down = await run('scp', ['-q', ...options, `${host}:${remote}`, back]);
    t.equal(down.exitCode, 0, down.stderr);
    t.ok(readFileSync(back).equals(content), 'and back');
  });

  await t.test('a service that is not there is told by ssh', async (t) => {
    const wrong = [...clientOptions, '-o', `ProxyCommand=${proxyCommand(cluster, 'edge-1', 'nothing')}`];
    const { exitCode, stderr } = await run('ssh', [...wrong, host, 'true']);
    t.equal(exitCode, 255);
    t.match(stderr, /no such service/u);
  });
});
