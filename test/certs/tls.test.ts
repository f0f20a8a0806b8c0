import { X509Certificate, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import type { TLSSocket, TlsOptions } from 'node:tls';
import t from 'tap';

import {
  apiServerTls,
  clientTls,
  createFleetAuthority,
  identifyPeer,
  identityOf,
  linkServerTls,
  type Authority,
  type IdentityKind,
} from '../../certs/index.ts';
import { extendedKeyUsage, keyUsage, writeCertificate, type CertificateTemplate } from '../../certs/x509.ts';
import { TlsPair, credentialsOf, handshake } from './tls-pair.ts';

const domain = 'causeway.example';
const fleet = await createFleetAuthority(domain);
const stranger = await createFleetAuthority(domain);
const replica = await credentialsOf(fleet, {
  identity: identityOf(domain, 'replica/site-a/r0'),
  hosts: ['localhost', '127.0.0.1'],
});
const edge = await credentialsOf(fleet, { identity: identityOf(domain, 'edge/edge-1') });

function accept(...kinds: IdentityKind[]) {
  return (socket: TLSSocket) => identifyPeer(socket, { trust: replica.trust, kinds });
}

t.test('a link server knows the edge that dials it, and the edge its replica', async (t) => {
  const { dialerError, accepted } = await handshake(linkServerTls(replica), clientTls(edge), accept('edge'));
  t.equal(dialerError, undefined);
  t.strictSame(accepted, { kind: 'edge', trustDomain: domain, id: 'edge-1' });
});

t.test('a replica can dial a replica', async (t) => {
  const peer = await credentialsOf(fleet, { identity: identityOf(domain, 'replica/site-b/r1'), hosts: ['127.0.0.1'] });
  t.match(await handshake(linkServerTls(replica), clientTls(peer), accept('replica')), {
    dialerError: undefined,
    accepted: { site: 'site-b' },
  });
});

t.test('a link server lets nobody in without a certificate or with one of strangers', async (t) => {
  t.match(await handshake(linkServerTls(replica), clientTls({ trust: replica.trust }), accept('edge')), {
    dialerError: Error,
    accepted: undefined,
  });
  const strange = {
    ...(await credentialsOf(stranger, { identity: identityOf(domain, 'edge/edge-1') })),
    trust: replica.trust,
  };
  t.match(await handshake(linkServerTls(replica), clientTls(strange), accept('edge')), {
    dialerError: Error,
    accepted: undefined,
  });
});

t.test('an api server lets everybody in, and tells who showed what', async (t) => {
  t.match(await handshake(apiServerTls(replica), clientTls({ trust: replica.trust }), accept('operator')), {
    dialerError: undefined,
    accepted: { code: 'cert-missing' },
  });
  const strange = {
    ...(await credentialsOf(stranger, { identity: identityOf(domain, 'operator/anna') })),
    trust: replica.trust,
  };
  t.match(await handshake(apiServerTls(replica), clientTls(strange), accept('operator')), {
    accepted: { code: 'cert-untrusted' },
  });
  const old = await credentialsOf(fleet, { identity: identityOf(domain, 'operator/anna'), validMs: -60_000 });
  t.match(await handshake(apiServerTls(replica), clientTls(old), accept('operator')), {
    accepted: { code: 'cert-expired' },
  });
  t.match(await handshake(apiServerTls(replica), clientTls(edge), accept('operator')), {
    accepted: { code: 'cert-kind' },
  });
});

t.test('a peer that sends no issuer shows no chain', async (t) => {
  const bare = { ...edge, chainPem: new X509Certificate(edge.chainPem).toString() };
  t.match(await handshake(linkServerTls(replica), clientTls(bare), accept('edge')), {
    dialerError: Error,
    accepted: undefined,
  });
});

t.test('the dialer refuses a server whose certificate does not name the address', async (t) => {
  const elsewhere = await credentialsOf(fleet, {
    identity: identityOf(domain, 'replica/site-a/r1'),
    hosts: ['r1.example', '127.0.0.2'],
  });
  t.match(await handshake(linkServerTls(elsewhere), clientTls(edge)), { dialerError: { code: 'cert-host' } });
  t.match(await handshake(linkServerTls(replica), { ...clientTls(edge), servername: 'r1.example' }), {
    dialerError: { code: 'cert-host' },
  });
  t.match(await handshake(linkServerTls(replica), { ...clientTls(edge), servername: 'localhost' }), {
    dialerError: undefined,
  });
});

t.test('the dialer refuses a server that is no replica', async (t) => {
  const { dialerError } = await handshake(linkServerTls(edge), clientTls(edge));
  t.ok(dialerError, 'an edge cannot play a server: OpenSSL sees its usage');
  const strange = await credentialsOf(stranger, {
    identity: identityOf(domain, 'replica/site-a/r0'),
    hosts: ['127.0.0.1'],
  });
  t.match(await handshake(linkServerTls({ ...strange, trust: replica.trust }), clientTls(edge)), {
    dialerError: Error,
  });
});

/** What someone who stole the edges' issuing key can make, and how an api server sees it. */
async function seenOf(change: Partial<CertificateTemplate>, ...others: string[]): Promise<unknown> {
  const { edge: stolen } = fleet.issuers;
  const { publicKey } = new X509Certificate(stolen.certPem);
  const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const leaf = await writeCertificate({
    ...leafTemplate,
    names: { uris: [`spiffe://${domain}/edge/edge-1`], dnsNames: [], ipAddresses: [] },
    publicKey: key.publicKey,
    issuer: { subject: 'CN=causeway edge issuer', publicKey, privateKey: createPrivateKey(stolen.keyPem) },
    ...change,
  });
  const credentials = {
    ...edge,
    chainPem: [leaf, ...others, stolen.certPem].join(''),
    keyPem: String(key.privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
  return (await handshake(apiServerTls(replica), clientTls(credentials), accept('edge', 'replica', 'operator')))
    .accepted;
}

const leafTemplate = {
  subject: '',
  notBefore: new Date(Date.now() - 60_000),
  notAfter: new Date(Date.now() + 60_000),
  keyUsage: keyUsage.digitalSignature,
  extendedKeyUsage: [extendedKeyUsage.clientAuth],
};

t.test('OpenSSL enforces what an issuer is constrained to', async (t) => {
  const uris = [`spiffe://${domain}/edge/edge-1`];
  t.match(await seenOf({}), { id: 'edge-1' }, 'the forged leaf is good as such');
  t.match(
    await seenOf({ names: { uris, dnsNames: ['localhost'], ipAddresses: [] } }),
    { code: 'cert-untrusted' },
    'no host name',
  );
  t.match(
    await seenOf({ names: { uris, dnsNames: [], ipAddresses: ['127.0.0.1'] } }),
    { code: 'cert-untrusted' },
    'no address',
  );
  t.match(
    await seenOf({ names: { uris, dnsNames: [], ipAddresses: ['::1'] } }),
    { code: 'cert-untrusted' },
    'no IPv6 address',
  );
  t.match(
    await seenOf({ names: { uris: ['spiffe://other.example/edge/edge-1'], dnsNames: [], ipAddresses: [] } }),
    { code: 'cert-untrusted' },
    'no other trust domain',
  );
});

t.test("with the edges' issuing key nobody becomes an operator", async (t) => {
  const stolen = fleet.issuers.edge;
  const signer = new X509Certificate(stolen.certPem);
  const names = { uris: [`spiffe://${domain}/operator/anna`], dnsNames: [], ipAddresses: [] };
  const keyOf = (authority: Authority) => ({
    publicKey: new X509Certificate(authority.certPem).publicKey,
    privateKey: createPrivateKey(authority.keyPem),
  });
  t.match(await seenOf({ names }), { code: 'cert-issuer' });
  const asOperators = { subject: 'CN=causeway operator issuer', ...keyOf(stolen) };
  t.match(
    await seenOf({ names, issuer: asOperators }),
    { code: 'cert-untrusted' },
    'signed under the name of the other issuer',
  );
  t.match(
    await seenOf({ names, issuer: asOperators }, fleet.issuers.operator.certPem),
    { code: 'cert-untrusted' },
    'with the real one sent along',
  );

  // A false authority with the other issuer's name, below the stolen one, and as a root of its own.
  const authority = {
    ...leafTemplate,
    subject: 'CN=causeway operator issuer',
    names: { uris: [`spiffe://${domain}/issuer/operator`], dnsNames: [], ipAddresses: [] },
    publicKey: signer.publicKey,
    caPathLength: 0,
    keyUsage: keyUsage.keyCertSign,
  };
  const below = await writeCertificate({
    ...authority,
    issuer: { subject: 'CN=causeway edge issuer', ...keyOf(stolen) },
  });
  t.match(await seenOf({ names, issuer: asOperators }, below), { code: 'cert-untrusted' });
  const ownRoot = await writeCertificate({
    ...authority,
    issuer: { subject: 'CN=causeway root', ...keyOf(stranger.root) },
  });
  t.match(await seenOf({ names, issuer: asOperators }, ownRoot, stranger.root.certPem), { code: 'cert-untrusted' });
});

t.test('a certificate that lies beside the proven one names nobody', async (t) => {
  const operator = await credentialsOf(fleet, { identity: identityOf(domain, 'operator/anna') });
  t.match(await seenOf({}, operator.chainPem), { id: 'edge-1' });
});

t.test('nothing older than TLS 1.3 is spoken', async (t) => {
  const { dialerError } = await handshake(linkServerTls(replica), {
    ...clientTls(edge),
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
  });
  t.match(dialerError, { code: /PROTOCOL_VERSION/ });
});

t.test('a session is never resumed, so that every handshake is checked anew', async (t) => {
  t.strictSame(await resumptions(linkServerTls(replica)), [false, false, false]);
  t.strictSame(await resumptions(apiServerTls(replica)), [false, false, false]);
  t.strictSame(
    await resumptions({ ...linkServerTls(replica), secureOptions: 0 }),
    [false, true, true],
    'it would be without the option',
  );
});

/** Whether each of three connections that offer the session of the one before was resumed. */
async function resumptions(server: TlsOptions): Promise<unknown[]> {
  let session: Buffer | undefined;
  const reused: unknown[] = [];
  await using pair = new TlsPair(server, (socket) => socket.isSessionReused());
  for (let round = 0; round < 3; round++) {
    const client = { ...clientTls(edge), ...(session === undefined ? {} : { session }) };
    const seen = await pair.dial(client, (ticket) => (session = ticket));
    reused.push(seen.dialerError ?? seen.accepted);
  }
  return reused;
}
