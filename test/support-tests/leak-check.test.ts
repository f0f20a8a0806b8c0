import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'tap';
import { withLeakCheck } from '../support/leak-check.ts';
import { root } from '../tooling/imports.ts';

/** Runs a test of one body in a process of its own, where it may fail. */
async function outcome(body: string): Promise<{ passed: boolean; output: string }> {
  const text = `
    import { createServer, connect } from 'node:net';
    import { once } from 'node:events';
    import { test } from 'tap';
    import { withLeakCheck } from '${join(root, 'test/support/leak-check.ts')}';
    let streams = 0;
    test('inner', async (t) => { const leaks = withLeakCheck(t); ${body} });`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', text], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', TAP: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { passed: code === 0, output };
}

test('a test that leaves nothing passes', async (t) => {
  const { passed, output } = await outcome(`
    const server = createServer((socket) => socket.end());
    t.teardown(() => server.close());
    server.listen(0);
    await once(server, 'listening');
    const socket = connect(server.address().port);
    socket.resume();
    await once(socket, 'close');
    setTimeout(() => undefined, 50);
    leaks.count('streams', () => streams);
    t.pass('ran');`);
  t.ok(passed, output);
});

const leaks: Readonly<Record<string, [body: string, told: RegExp]>> = {
  'a server': [`const server = createServer(); server.listen(0); server.unref(); t.pass('ran');`, /TCPSERVERWRAP made/],
  'an unreferenced timer': [`setTimeout(() => undefined, 60_000).unref(); t.pass('ran');`, /Timeout made/],
  'a count': [`leaks.count('streams', () => streams); streams++; t.pass('ran');`, /streams: 1, was 0/],
};

for (const [what, [body, told]] of Object.entries(leaks)) {
  test(`a test that leaves ${what} fails and says what is left`, async (t) => {
    const { passed, output } = await outcome(body);
    t.notOk(passed);
    t.match(output, told);
  });
}

test('a check sees what its own test made, and nothing older', async (t) => {
  const older = setTimeout(() => undefined, 60_000);
  t.teardown(() => clearTimeout(older));
  await t.test('inner', async (t) => {
    withLeakCheck(t);
    t.pass('ran');
  });
});
