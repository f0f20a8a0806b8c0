import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  createFleetAuthority,
  identityOf,
  issueFreshLeaf,
  LiveKeyStore,
  loadKeyStore,
  saveKeyStore,
  signTrust,
  type KeyStoreContent,
} from '../../certs/index.ts';

const trustDomain = 'causeway.example';
const fleet = await createFleetAuthority(trustDomain);
const strangers = await createFleetAuthority(trustDomain);

async function content(id = 'edge-1', { authority = fleet, validMs = 3_600_000 } = {}): Promise<KeyStoreContent> {
  const leaf = await issueFreshLeaf(authority.issuers.edge, {
    identity: identityOf(trustDomain, `edge/${id}`),
    validMs,
  });
  return { ...leaf, trustPem: authority.root.certPem };
}

async function open(directory: string): Promise<{ store: LiveKeyStore; changes: () => number }> {
  await saveKeyStore(directory, await content());
  const store = await LiveKeyStore.open(directory);
  let changes = 0;
  store.onChange(() => {
    changes += 1;
  });
  return { store, changes: () => changes };
}

t.test('a new key and certificate are in use at once, and after a restart', async (t) => {
  const { store, changes } = await open(t.testdir());
  const next = await content();
  await store.replace(next);
  t.equal(store.chainPem, next.chainPem);
  t.equal(store.keyPem, next.keyPem);
  t.equal(changes(), 1);
  t.equal((await loadKeyStore(t.testdirName)).chainPem, next.chainPem);
});

t.test('what is not this identity’s, or what no root vouches for, is refused and not written', async (t) => {
  const { store, changes } = await open(t.testdir());
  const before = await readFile(join(t.testdirName, 'cert.pem'), 'utf8');
  const [mine, other] = [await content(), await content()];
  const refused = [
    await content('edge-2'),
    await content('edge-1', { authority: strangers }),
    { ...mine, keyPem: other.keyPem },
    { ...mine, chainPem: 'nothing' },
    { ...mine, chainPem: mine.chainPem + other.chainPem },
  ];
  for (const each of refused) await t.rejects(store.replace(each), { code: 'key-store-invalid' });
  t.equal(await readFile(join(t.testdirName, 'cert.pem'), 'utf8'), before);
  t.equal(changes(), 0);
});

t.test('files that have changed are taken when they are good', async (t) => {
  const { store, changes } = await open(t.testdir());
  t.equal(await store.reload(), false, 'nothing has changed');
  const next = await content();
  await saveKeyStore(t.testdirName, next);
  t.equal(await store.reload(), true);
  t.equal(store.chainPem, next.chainPem);
  t.equal(changes(), 1);
});

t.test('a broken file is an error that names it, and the old one stays in use', async (t) => {
  const { store, changes } = await open(t.testdir());
  const { chainPem } = store;
  const broken: readonly (() => Promise<void>)[] = [
    () => writeFile(join(t.testdirName, 'cert.pem'), 'rubbish'),
    async () => saveKeyStore(t.testdirName, await content('edge-2')),
    async () => saveKeyStore(t.testdirName, await content('edge-1', { validMs: -1000 })),
    async () => saveKeyStore(t.testdirName, { ...(await content()), trustPem: strangers.root.certPem }),
  ];
  for (const damage of broken) {
    await damage();
    await t.rejects(store.reload(), { code: 'key-store-invalid', message: new RegExp(t.testdirName, 'u') });
    t.equal(store.chainPem, chainPem);
  }
  t.equal(changes(), 0);
});

t.test('roots are taken when a root that is trusted has signed them', async (t) => {
  const { store, changes } = await open(t.testdir());
  const signed = signTrust(fleet.root.certPem + strangers.root.certPem, 1, [fleet.root]);
  await t.rejects(store.acceptTrust(signTrust(strangers.root.certPem, 1, [strangers.root])), { code: 'trust-invalid' });
  await store.acceptTrust(signed);
  t.equal(store.trust.roots.length, 2);
  t.equal(changes(), 1);
  await store.replace(await content());
  t.equal((await loadKeyStore(t.testdirName)).trust.text, signed, 'a renewal keeps them');
  await store.acceptTrust(signed);
  t.equal(changes(), 2, 'they are no news any more');
});

t.test('changes follow one another', async (t) => {
  const { store } = await open(t.testdir());
  const contents = await Promise.all(Array.from({ length: 5 }, () => content()));
  await Promise.all([...contents.map((each) => store.replace(each)), store.reload()]);
  t.equal(store.chainPem, contents.at(-1)?.chainPem);
  t.equal((await loadKeyStore(t.testdirName)).chainPem, store.chainPem);
});
