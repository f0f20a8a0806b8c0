import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Test, test } from 'tap';
import { root } from './imports.ts';

const run = promisify(execFile);

/** A checkout with nothing in it but the command; outside this one, whose node_modules it would find. */
function makeCheckout(t: Test): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'causeway-command-')));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'bin'));
  copyFileSync(join(root, 'bin/causeway'), join(folder, 'bin/causeway'));
  return folder;
}

function setUp(folder: string, program: string): void {
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
  symlinkSync(process.execPath, join(folder, 'node_modules/.bin/node'));
  mkdirSync(join(folder, 'cli'));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  writeFileSync(join(folder, 'cli/causeway.ts'), program);
}

test('a checkout that is not set up says how to set it up', async (t) => {
  const failed = run(join(makeCheckout(t), 'bin/causeway'), ['version']);
  await t.rejects(failed, { code: 1, stderr: /npm start.*npm ci/ });
});

test('the command passes its arguments and exit code, through a symbolic link too', async (t) => {
  const folder = makeCheckout(t);
  setUp(folder, 'const text: string = process.argv.slice(2).join("|"); console.log(text); process.exitCode = 3;');
  symlinkSync(join(folder, 'bin/causeway'), join(folder, 'link'));
  await t.rejects(run(join(folder, 'link'), ['get', 'a b', '*'], { cwd: '/' }), { code: 3, stdout: 'get|a b|*\n' });
});

test('the process of the command is the program itself, so signals reach it', async (t) => {
  const folder = makeCheckout(t);
  setUp(folder, 'process.on("SIGTERM", () => process.exit(7)); console.log(process.pid); setInterval(() => {}, 1000);');
  const child = spawn(join(folder, 'bin/causeway'), { stdio: ['ignore', 'pipe', 'inherit'] });
  const [pid] = (await once(child.stdout, 'data')) as [Buffer];
  t.equal(Number(pid.toString()), child.pid);
  child.kill('SIGTERM');
  t.strictSame(await once(child, 'exit'), [7, null]);
});
