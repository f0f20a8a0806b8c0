import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { test } from 'tap';
import { causeway } from './causeway.ts';

test(
  "an operator's key is exported and encrypted by the command, and a password never stands on its line",
  { timeout: 200_000 },
  async (t) => {
    const folder = t.testdir();
    const fleet = join(folder, 'fleet');
    t.equal((await causeway(['init', fleet])).exitCode, 0);
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, 'correct horse\n');
    const keys = join(fleet, 'operator');

    const p12 = join(folder, 'admin.p12');
    const exported = ['ca', 'export', '--keys', keys, '--p12', p12, '--password-file', passwordFile];
    t.match(await causeway(exported), { exitCode: 0, stderr: '' });
    t.ok(createSecureContext({ pfx: await readFile(p12), passphrase: 'correct horse' }));
    t.equal((await stat(p12)).mode & 0o777, 0o600);
    t.match(await causeway(exported), { exitCode: 1, stderr: /never overwritten/u });

    t.match(await causeway(['ca', 'encrypt', keys, '--password-file', passwordFile]), { exitCode: 0 });
    t.match(await readFile(join(keys, 'key.pem'), 'utf8'), /^-----BEGIN ENCRYPTED/u);
    const again = ['ca', 'export', '--keys', keys, '--p12', join(folder, 'more.p12'), '--password-file', passwordFile];
    t.match(await causeway(again), { exitCode: 2, stderr: /key\.pem is encrypted[^]*fix: .*CAUSEWAY_KEY_PASSWORD/u });
    t.match(await causeway(again, { env: { CAUSEWAY_KEY_PASSWORD: passwordFile } }), { exitCode: 0 });

    const another = join(folder, 'another');
    await writeFile(another, 'something else\n');
    const wrong = await causeway(again, { env: { CAUSEWAY_KEY_PASSWORD: another } });
    t.match(wrong, { exitCode: 2, stderr: /does not open .*key\.pem/u });
    const silent = ['ca', 'export', '--keys', keys, '--p12', join(folder, 'x.p12')];
    const env = { CAUSEWAY_KEY_PASSWORD: passwordFile };
    t.match(await causeway(silent, { env }), { exitCode: 2, stderr: /no terminal/u });
    await writeFile(another, 'short\n');
    t.match(await causeway([...silent, '--password-file', another], { env }), { exitCode: 2, stderr: /at least 8/u });
    const edge = ['ca', 'export', '--keys', join(fleet, 'edges/edge-1/keys'), '--p12', join(folder, 'e.p12')];
    t.match(await causeway([...edge, '--password-file', passwordFile]), { exitCode: 2, stderr: /no client/u });
  },
);

test('the authorities are shown by their certificates', { timeout: 100_000 }, async (t) => {
  const fleet = join(t.testdir(), 'fleet');
  await causeway(['init', fleet]);
  const { stdout } = await causeway(['ca', 'show', '--dir', join(fleet, 'ca'), '--output', 'json']);
  const shown = JSON.parse(String(stdout)) as { name: string; pin: string; hasKey: boolean }[];
  t.strictSame(
    shown.map(({ name }) => name),
    ['root', 'edge', 'replica', 'component', 'operator'],
  );
  t.match(shown[0], { pin: /^sha256\/[\w-]{43}$/u, hasKey: true });
  t.match(await causeway(['ca', 'show', '--dir', fleet]), { exitCode: 2, stderr: /no authority/u });
});
