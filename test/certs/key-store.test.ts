import { readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import {
  createFleetAuthority,
  identityOf,
  issueFreshLeaf,
  loadKeyStore,
  saveKeyStore,
  saveTrust,
  type KeyStoreContent,
} from '../../certs/index.ts';

const fleet = await createFleetAuthority('causeway.example');

async function content(id = 'edge-1'): Promise<KeyStoreContent> {
  const leaf = await issueFreshLeaf(fleet.issuers.edge, { identity: identityOf('causeway.example', `edge/${id}`) });
  return { ...leaf, trustPem: fleet.root.certPem };
}

t.test('what was saved is loaded, the key for its owner only, and no temporary file stays', async (t) => {
  const directory = join(t.testdir(), 'deep', 'keys');
  const saved = await content();
  await saveKeyStore(directory, saved);
  const { chainPem, keyPem, identity, trust } = await loadKeyStore(directory);
  t.strictSame({ chainPem, keyPem }, { chainPem: saved.chainPem, keyPem: saved.keyPem });
  t.match(identity, { kind: 'edge', id: 'edge-1' });
  t.equal(trust.trustDomain, 'causeway.example');
  t.equal((await stat(join(directory, 'key.pem'))).mode & 0o777, 0o600);
  t.strictSame((await readdir(directory)).toSorted(), ['ca.pem', 'cert.pem', 'key.pem']);
});

t.test('a crash at any point of a renewal leaves a pair that belongs together', async (t) => {
  const directory = t.testdir();
  const [first, second] = [await content(), await content()];
  const at = (name: string): string => join(directory, name);
  await saveKeyStore(directory, first);

  await writeFile(at('key.next.pem'), second.keyPem);
  t.equal((await loadKeyStore(directory)).keyPem, first.keyPem, 'after the new key, before its certificate');

  await writeFile(at('cert.pem'), second.chainPem);
  t.equal((await loadKeyStore(directory)).keyPem, second.keyPem, 'after the certificate, before the rename');

  await rename(at('key.next.pem'), at('key.pem'));
  t.equal((await loadKeyStore(directory)).keyPem, second.keyPem);
});

t.test('an expired certificate still loads: renewal needs it', async (t) => {
  const leaf = await issueFreshLeaf(fleet.issuers.edge, {
    identity: identityOf('causeway.example', 'edge/old'),
    validMs: -60_000,
  });
  await saveKeyStore(t.testdir(), { ...leaf, trustPem: fleet.root.certPem });
  t.match((await loadKeyStore(t.testdirName)).identity, { id: 'old' });
});

t.test('an error names the file and the reason', async (t) => {
  const directory = t.testdir();
  const good = await content();
  const other = await createFleetAuthority('other.example');
  const broken: [string, string | undefined, object][] = [
    ['ca.pem', undefined, { code: 'key-store-missing', message: /ca\.pem/ }],
    ['ca.pem', 'x', { code: 'key-store-invalid', message: /ca\.pem/ }],
    [
      'ca.pem',
      other.root.certPem,
      { code: 'key-store-invalid', message: /cert\.pem/, cause: { message: /other\.example/ } },
    ],
    ['cert.pem', undefined, { code: 'key-store-missing', message: /cert\.pem/ }],
    ['cert.pem', good.trustPem, { code: 'key-store-invalid', message: /cert\.pem/ }],
    ['cert.pem', good.chainPem.slice(0, 200), { code: 'key-store-invalid', message: /cert\.pem/ }],
    ['cert.pem', 'x'.repeat(1024 * 1024), { code: 'key-store-invalid', message: /longer/ }],
    ['key.pem', undefined, { code: 'key-store-missing', message: /key\.pem/ }],
    ['key.pem', '', { code: 'key-store-invalid', message: /key\.pem/ }],
    ['key.pem', (await content()).keyPem, { code: 'key-store-invalid', message: /not the key/ }],
  ];
  for (const [name, text, expected] of broken) {
    await saveKeyStore(directory, good);
    if (text === undefined) await rm(join(directory, name));
    else await writeFile(join(directory, name), text);
    t.match(await loadKeyStore(directory).catch((error: unknown) => error), expected, name);
  }
});

t.test('the trust bundle is replaced alone', async (t) => {
  const directory = t.testdir();
  await saveKeyStore(directory, await content());
  const next = await createFleetAuthority('causeway.example');
  await saveTrust(directory, fleet.root.certPem + next.root.certPem);
  t.equal((await loadKeyStore(directory)).trust.roots.length, 2);
  t.match(await readFile(join(directory, 'ca.pem'), 'utf8'), next.root.certPem);
});
