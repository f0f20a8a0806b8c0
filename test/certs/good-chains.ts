import { authorityBy, leafOf } from './chain.ts';
import {
  ahead,
  curve,
  issuer,
  leaf,
  ofKind,
  otherIssuer,
  past,
  rootOf,
  sent,
  foreignChain,
  type ChainRow,
} from './chain-row.ts';
import { unknownExtension } from './forge.ts';

/** Chains that are right, and who gets in with them. */
export const goodChains: readonly ChainRow[] = [
  // What is good.
  { name: 'as issued', chain: (peer) => leafOf(peer), verdict: 'accepted' },
  leaf('a key on P-384', { key: curve('secp384r1') }, 'accepted'),
  leaf('signed with SHA-384', { hash: 'sha384' }, 'accepted'),
  leaf('a common name of somebody else beside the URI', { subject: 'operator/root' }, 'accepted'),
  leaf('a serial number of 20 bytes', { serial: Buffer.alloc(20, 0x41) }, 'accepted'),
  leaf('an unknown extension that is not critical', { more: [unknownExtension(false)] }, 'accepted'),
  leaf('no key identifiers', { subjectKeyId: null, authorityKeyId: null }, 'accepted'),
  leaf('no basic constraints', { basicConstraints: null }, 'accepted'),
  leaf('valid for another half an hour', { notAfter: ahead(30) }, 'accepted'),
  leaf('backdated by ten minutes', { notBefore: past(10) }, 'accepted'),
  sent('the root sent along', (peer) => [peer.issuer.certPem, rootOf(peer).certPem], 'accepted'),
  sent('root before issuer', (peer) => [rootOf(peer).certPem, peer.issuer.certPem], 'accepted'),
  sent('the issuer twice', (peer) => [peer.issuer.certPem, peer.issuer.certPem], 'accepted'),
  sent('the leaf once more behind', (peer) => [leafOf(peer).leaf, peer.issuer.certPem], 'accepted'),
  sent(
    'the issuer of another kind before the right one',
    (peer) => [otherIssuer(peer).certPem, peer.issuer.certPem],
    'accepted',
  ),
  sent('a foreign chain before the right one', (peer) => [...foreignChain(peer), peer.issuer.certPem], 'accepted'),
  sent(
    'a false issuer of the right name before the real one',
    (peer) => [authorityBy('itself', peer).certPem, peer.issuer.certPem],
    'accepted',
  ),
  sent(
    'a false issuer of the right name and key identifier behind the real one',
    (peer) => [peer.issuer.certPem, authorityBy('itself', peer, { claimsKeyId: peer.issuer.keyId }).certPem],
    'accepted',
  ),
  issuer('another issuer of the kind, without constraints', {}, 'accepted'),

  ofKind('edge', { links: 'accepted', api: 'cert-kind', peers: 'cert-kind', dialer: 'cert-untrusted INVALID_PURPOSE' }),
  ofKind('replica', { links: 'accepted', api: 'cert-kind', peers: 'accepted', dialer: 'accepted' }),
  ofKind('operator', {
    links: 'accepted',
    api: 'accepted',
    peers: 'cert-kind',
    dialer: 'cert-untrusted INVALID_PURPOSE',
  }),
  ofKind('component', {
    links: 'accepted',
    api: 'accepted',
    peers: 'cert-kind',
    dialer: 'cert-untrusted INVALID_PURPOSE',
  }),
  {
    name: 'no certificate',
    chain: () => ({ certificates: [], keyPem: '' }),
    verdict: { links: 'cert-missing', api: 'cert-missing', peers: 'cert-missing' },
  },
];
