import { X509Certificate } from 'node:crypto';
import t from 'tap';

import {
  createFleetAuthority,
  createIssuer,
  createRoot,
  identityOf,
  issueFreshLeaf,
  parseAuthority,
  parseTrustBundle,
} from '../../certs/index.ts';

const fleet = await createFleetAuthority('causeway.example');
const edge = identityOf('causeway.example', 'edge/edge-1');

t.test('an issuer issues for its own kind and trust domain only', async (t) => {
  await t.rejects(issueFreshLeaf(fleet.issuers.operator, { identity: edge }), { code: 'issue-refused' });
  await t.rejects(issueFreshLeaf(fleet.root, { identity: edge }), { code: 'issue-refused' });
  await t.rejects(issueFreshLeaf(fleet.issuers.edge, { identity: identityOf('other.example', 'edge/edge-1') }), {
    code: 'issue-refused',
  });
  await t.rejects(issueFreshLeaf(fleet.issuers.edge, { identity: { ...edge, id: 'a/b' } as never }), {
    code: 'identity-malformed',
  });
  await t.rejects(createIssuer(fleet.issuers.edge, 'replica'), { code: 'issue-refused' });
  await t.rejects(createRoot({ trustDomain: 'Not A Domain' }), { code: 'issue-refused' });
});

t.test('replicas name where they listen, others name no host', async (t) => {
  const identity = identityOf('causeway.example', 'replica/a/r0');
  await t.rejects(issueFreshLeaf(fleet.issuers.replica, { identity }), { code: 'issue-refused' });
  for (const hosts of [['1.2.3'], ['a b'], ['*.example'], ['::zz'], ['']]) {
    await t.rejects(
      issueFreshLeaf(fleet.issuers.replica, { identity, hosts }),
      { code: 'issue-refused' },
      hosts.join(),
    );
  }
  await t.rejects(issueFreshLeaf(fleet.issuers.edge, { identity: edge, hosts: ['localhost'] }), {
    code: 'issue-refused',
  });
  const { chainPem } = await issueFreshLeaf(fleet.issuers.replica, {
    identity,
    hosts: ['gw.example', '10.0.0.1', 'fd00::1'],
  });
  const leaf = new X509Certificate(chainPem);
  t.ok(leaf.checkHost('gw.example') && leaf.checkIP('10.0.0.1') && leaf.checkIP('fd00::1'));
});

t.test('a leaf lives a day and never longer than its issuer', async (t) => {
  const { notAfter } = await issueFreshLeaf(fleet.issuers.edge, { identity: edge, at: 1_800_000_000_000 });
  t.equal(notAfter.getTime(), 1_800_000_000_000 + 24 * 3_600_000);
  const brief = await createIssuer(fleet.root, 'edge', { validMs: 60_000 });
  const leaf = await issueFreshLeaf(brief, { identity: edge });
  t.equal(leaf.notAfter.getTime(), new X509Certificate(brief.certPem).validToDate.getTime());
});

t.test('an authority reads back from its files, and only its own', async (t) => {
  for (const authority of [fleet.root, fleet.issuers.edge])
    t.strictSame(parseAuthority(authority.certPem, authority.keyPem), authority);
  const leaf = await issueFreshLeaf(fleet.issuers.edge, { identity: edge });
  t.throws(() => parseAuthority(fleet.root.certPem, fleet.issuers.edge.keyPem), { code: 'trust-invalid' });
  t.throws(() => parseAuthority(leaf.chainPem, leaf.keyPem), { code: 'trust-invalid' });
  t.throws(() => parseAuthority('nonsense', leaf.keyPem), { code: 'trust-invalid' });
});

t.test('a trust bundle holds roots of one trust domain and nothing else', async (t) => {
  const second = await createRoot({ trustDomain: 'causeway.example' });
  t.match(parseTrustBundle(fleet.root.certPem + second.certPem), {
    trustDomain: 'causeway.example',
    roots: { length: 2 },
  });
  const foreign = await createRoot({ trustDomain: 'other.example' });
  const leaf = await issueFreshLeaf(fleet.issuers.edge, { identity: edge });
  const refused = [
    '',
    'x',
    fleet.issuers.edge.certPem,
    leaf.chainPem,
    fleet.root.certPem + foreign.certPem,
    fleet.root.certPem.repeat(9),
    fleet.root.certPem.replace(/M/g, 'N'),
  ];
  for (const pem of refused) t.throws(() => parseTrustBundle(pem), { code: 'trust-invalid' }, pem.slice(0, 60));
});
