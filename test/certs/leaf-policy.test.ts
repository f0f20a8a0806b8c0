import { X509Certificate, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import t from 'tap';

import {
  checkLeaf,
  createFleetAuthority,
  identityOf,
  issueFreshLeaf,
  issueLeaf,
  keyPinOf,
  parseTrustBundle,
  type Authority,
  type IdentityKind,
} from '../../certs/index.ts';
import { extendedKeyUsage, keyUsage, writeCertificate, type CertificateTemplate } from '../../certs/x509.ts';

const fleet = await createFleetAuthority('causeway.example');
const trust = parseTrustBundle(fleet.root.certPem);
const all: readonly IdentityKind[] = ['edge', 'replica', 'component', 'operator'];
const minuteMs = 60_000;

/** A leaf that an authority signed without looking: what a stolen issuing key can make. */
async function forge(by: Authority, change: Partial<CertificateTemplate> = {}): Promise<X509Certificate> {
  const signer = new X509Certificate(by.certPem);
  const pem = await writeCertificate({
    subject: '',
    names: names(`spiffe://causeway.example/edge/edge-1`),
    publicKey: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey,
    notBefore: new Date(Date.now() - minuteMs),
    notAfter: new Date(Date.now() + minuteMs),
    keyUsage: keyUsage.digitalSignature,
    extendedKeyUsage: [extendedKeyUsage.clientAuth],
    issuer: {
      subject: signer.subject.replaceAll('\n', ', '),
      publicKey: signer.publicKey,
      privateKey: createPrivateKey(by.keyPem),
    },
    ...change,
  });
  return new X509Certificate(pem);
}

function names(...uris: string[]) {
  return { uris, dnsNames: [], ipAddresses: [] };
}

function check(leaf: X509Certificate, kinds = all) {
  return checkLeaf(leaf, { trust, kinds });
}

t.test('a leaf of each kind is accepted as what it names', async (t) => {
  for (const name of ['edge/edge-1', 'replica/site-a/r0', 'component/vm-control', 'operator/anna']) {
    const identity = identityOf('causeway.example', name);
    const hosts = identity.kind === 'replica' ? { hosts: ['localhost', '127.0.0.1', '::1'] } : {};
    const { chainPem } = await issueFreshLeaf(fleet.issuers[identity.kind], { identity, ...hosts });
    const leaf = new X509Certificate(chainPem);
    t.strictSame(check(leaf), identity);
    t.notOk(leaf.subject, 'the subject is empty');
    t.match(leaf.serialNumber, /^[4-7][0-9A-F]{31}$/);
    t.ok(leaf.validFromDate.getTime() < Date.now() - 9 * minuteMs, 'backdated');
  }
});

t.test('a key has one pin, whatever certificate holds it', async (t) => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const [one, two, other] = [
    await forge(fleet.issuers.edge, { publicKey }),
    await forge(fleet.issuers.edge, { publicKey }),
    await forge(fleet.issuers.edge),
  ];
  t.match(keyPinOf(one), /^sha256\/[\w-]{43}$/);
  t.equal(keyPinOf(one), keyPinOf(two));
  t.not(keyPinOf(one), keyPinOf(other));
});

t.test('the common name is never read', async (t) => {
  t.match(check(await forge(fleet.issuers.edge, { subject: 'CN=edge-2' })), { id: 'edge-1' });
  const nameless = await forge(fleet.issuers.edge, {
    subject: 'CN=spiffe://causeway.example/edge/edge-1',
    names: names(),
  });
  t.throws(() => check(nameless), { code: 'cert-identity' });
});

t.test('exactly one name is accepted', async (t) => {
  const uri = 'spiffe://causeway.example/edge/edge-1';
  const refused: CertificateTemplate['names'][] = [
    names(uri, 'spiffe://causeway.example/edge/edge-2'),
    names(uri, uri),
    names('https://causeway.example/edge/edge-1'),
    names('spiffe://causeway.example'),
    names('spiffe://causeway.example/issuer/edge'),
    { ...names(uri), dnsNames: ['edge-1'] },
    { ...names(uri), ipAddresses: ['127.0.0.1'] },
  ];
  for (const each of refused) {
    const leaf = await forge(fleet.issuers.edge, { names: each });
    t.throws(() => check(leaf), { code: 'cert-identity' }, JSON.stringify(each));
  }
});

t.test('a certificate of another trust domain or of a kind that is not accepted here is refused', async (t) => {
  const foreign = await forge(fleet.issuers.edge, { names: names('spiffe://other.example/edge/edge-1') });
  t.throws(() => check(foreign), { code: 'cert-trust-domain' });
  const edge = await forge(fleet.issuers.edge);
  t.throws(() => check(edge, ['replica', 'operator']), { code: 'cert-kind' });
});

t.test('an authority is no peer', async (t) => {
  t.throws(() => check(new X509Certificate(fleet.issuers.edge.certPem)), { code: 'cert-is-ca' });
  const asCa = await forge(fleet.issuers.edge, { caPathLength: 0 });
  t.throws(() => check(asCa), { code: 'cert-is-ca' });
  const signing = await forge(fleet.issuers.edge, { keyUsage: keyUsage.digitalSignature | keyUsage.keyCertSign });
  t.throws(() => check(signing), { code: 'cert-is-ca' });
});

t.test('key usage has to be what the kind needs, no less and no more', async (t) => {
  const mute = await forge(fleet.issuers.edge, { keyUsage: 8 });
  t.throws(() => check(mute), { code: 'cert-key-usage' });
  const usages = [
    [],
    [extendedKeyUsage.serverAuth],
    [extendedKeyUsage.clientAuth, extendedKeyUsage.serverAuth],
    ['2.5.29.37.0'],
  ];
  for (const usage of usages) {
    const leaf = await forge(fleet.issuers.edge, { extendedKeyUsage: usage });
    t.throws(() => check(leaf), { code: 'cert-key-usage' }, usage.join());
  }
});

t.test('validity counts', async (t) => {
  const hourMs = 60 * minuteMs;
  const expired = await forge(fleet.issuers.edge, {
    notBefore: new Date(Date.now() - hourMs),
    notAfter: new Date(Date.now() - minuteMs),
  });
  t.throws(() => check(expired), { code: 'cert-expired' });
  const early = await forge(fleet.issuers.edge, {
    notBefore: new Date(Date.now() + minuteMs),
    notAfter: new Date(Date.now() + hourMs),
  });
  t.throws(() => check(early), { code: 'cert-not-yet-valid' });
});

t.test('a certificate that is not of version 3 is refused', async (t) => {
  const leaf = await forge(fleet.issuers.edge);
  const version = leaf.raw.indexOf(Buffer.from([0xa0, 0x03, 0x02, 0x01, 0x02]));
  const older = Buffer.from(leaf.raw);
  older.writeUInt8(0, version + 4);
  t.throws(() => check(new X509Certificate(older)), { code: 'cert-version' });
});

t.test('keys and signatures outside the short list are refused', async (t) => {
  for (const publicKey of [
    generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey,
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey,
  ]) {
    const leaf = await forge(fleet.issuers.edge, { publicKey });
    t.throws(() => check(leaf), { code: 'cert-algorithm' });
    const identity = identityOf('causeway.example', 'edge/edge-1');
    await t.rejects(issueLeaf(fleet.issuers.edge, { identity, publicKey }), { code: 'issue-refused' });
  }
});

t.test("an edge's issuer cannot name a replica, an operator or a component", async (t) => {
  for (const name of ['operator/anna', 'component/vm-control']) {
    const leaf = await forge(fleet.issuers.edge, { names: names(`spiffe://causeway.example/${name}`) });
    t.throws(() => check(leaf), { code: 'cert-issuer' }, name);
  }
  const replica = await forge(fleet.issuers.edge, {
    names: names('spiffe://causeway.example/replica/a/r0'),
    extendedKeyUsage: [extendedKeyUsage.serverAuth, extendedKeyUsage.clientAuth],
  });
  t.throws(() => check(replica), { code: 'cert-issuer' });
});

t.test('a root issues no leaf', async (t) => {
  const leaf = await forge(fleet.root);
  t.throws(() => check(leaf), { code: 'cert-issuer' });
});
