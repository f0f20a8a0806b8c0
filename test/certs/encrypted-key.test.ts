import { createPrivateKey } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { LiveKeyStore, loadKeyStore, saveKeyStore } from '../../certs/index.ts';
import { decryptKey, encryptKey } from '../../certs/encrypted-key.ts';
import { TestFleet } from '../support/certificates.ts';

const fleet = await TestFleet.create();

test('an encrypted key opens with its password, in OpenSSL too', async (t) => {
  const { keyPem } = await fleet.credentials('operator/alice');
  const encrypted = encryptKey(keyPem, 'correct horse');
  t.match(encrypted, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/u);
  t.equal(decryptKey(encrypted, 'correct horse', 'key.pem'), keyPem);
  t.ok(createPrivateKey({ key: encrypted, passphrase: 'correct horse' }));
  t.not(encryptKey(keyPem, 'correct horse'), encrypted, 'with another salt each time');
  for (const wrong of ['', 'wrong', 'correct horse '])
    t.throws(() => decryptKey(encrypted, wrong, 'key.pem'), { code: 'key-password', message: /key\.pem/u }, wrong);
});

test('a key store with an encrypted key loads by the file with its password, and says what is wrong', async (t) => {
  const directory = t.testdir();
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, 'correct horse\nand a comment\n');
  const { chainPem, keyPem, trust } = await fleet.credentials('operator/alice');
  const keys = join(directory, 'keys');
  await saveKeyStore(keys, { chainPem, keyPem, trustPem: trust.text }, passwordFile);
  t.match(await readFile(join(keys, 'key.pem'), 'utf8'), /^-----BEGIN ENCRYPTED/u);
  t.equal((await loadKeyStore(keys, passwordFile)).keyPem, keyPem);

  const wrong: [string | undefined, RegExp][] = [
    [undefined, /key\.pem is encrypted/u],
    ['another\n', /does not open .*key\.pem/u],
    ['\n', /password is empty/u],
    ['x'.repeat(2000), /longer than/u],
  ];
  for (const [text, message] of wrong) {
    if (text !== undefined) await writeFile(passwordFile, text);
    await t.rejects(loadKeyStore(keys, text === undefined ? undefined : passwordFile), {
      code: 'key-password',
      message,
    });
  }
  await rm(passwordFile);
  await t.rejects(loadKeyStore(keys, passwordFile), { code: 'key-password', message: /cannot be read/u });
});

test('a renewed key is encrypted as the one before', async (t) => {
  const directory = t.testdir();
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, 'correct horse');
  const { chainPem, keyPem, trust } = await fleet.credentials('edge/edge-1');
  const keys = join(directory, 'keys');
  await saveKeyStore(keys, { chainPem, keyPem, trustPem: trust.text }, passwordFile);
  const store = await LiveKeyStore.open(keys, passwordFile);
  const next = await fleet.credentials('edge/edge-1');
  await store.replace(next);
  t.equal(store.keyPem, next.keyPem);
  t.match(await readFile(join(keys, 'key.pem'), 'utf8'), /^-----BEGIN ENCRYPTED/u);
  t.equal(await store.reload(), false, 'what is there is what is in use');
  t.equal((await loadKeyStore(keys, passwordFile)).keyPem, next.keyPem);
});
