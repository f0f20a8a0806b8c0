import { authorityBy, leafKey, leafOf, signerOf } from './chain.ts';
import {
  by,
  foreignChain,
  issuer,
  otherIssuer,
  otherLeaf,
  ownCertificate,
  rootOf,
  rsa1024,
  rsa2048,
  sent,
  strangerRoot,
  type ChainRow,
} from './chain-row.ts';
import { basicConstraints, extendedKeyUsage, keyUsage, unknownExtension, uriConstraint } from './forge.ts';

/** Leaves that are right but for who signed them, and for what comes with them. */
export const badIssuers: readonly ChainRow[] = [
  // By whom.
  {
    name: 'signed by itself',
    chain: (peer) => leafOf(peer, { subject: 'me' }, { ...peer.issuer, subject: 'me', privateKey: leafKey.privateKey }),
    verdict: 'cert-untrusted UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  },
  {
    name: 'the certificate of the issuer',
    chain: (peer) => ownCertificate(peer.issuer, rootOf(peer)),
    verdict: 'cert-untrusted INVALID_PURPOSE',
  },
  {
    name: 'the certificate of the root',
    chain: (peer) => ownCertificate(rootOf(peer)),
    verdict: 'cert-untrusted INVALID_PURPOSE',
  },
  by('the root itself', rootOf, 'cert-issuer'),
  by('the issuer of another kind', otherIssuer, {
    links: 'cert-issuer',
    api: 'cert-issuer',
    peers: 'cert-untrusted UNSPECIFIED',
    dialer: 'cert-untrusted UNSPECIFIED',
  }),
  by(
    'the issuer of another kind, under the name of the right one',
    (peer) => ({ ...otherIssuer(peer), subject: peer.issuer.subject }),
    'cert-untrusted UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ),
  by(
    'the same, with the right issuer sent along',
    (peer) => ({ ...otherIssuer(peer), subject: peer.issuer.subject }),
    'cert-untrusted UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    (peer) => [otherIssuer(peer).certPem, peer.issuer.certPem],
  ),
  by(
    'an authority of the right name below another issuer',
    (peer) => authorityBy(otherIssuer(peer), peer),
    {
      links: 'cert-untrusted PATH_LENGTH_EXCEEDED',
      api: 'cert-untrusted PATH_LENGTH_EXCEEDED',
      peers: 'cert-untrusted UNSPECIFIED',
      dialer: 'cert-untrusted UNSPECIFIED',
    },
    (peer) => [authorityBy(otherIssuer(peer), peer).certPem, otherIssuer(peer).certPem],
  ),
  by(
    'an authority of the right name below the right issuer',
    (peer) => authorityBy(peer.issuer, peer),
    'accepted',
    (peer) => [authorityBy(peer.issuer, peer).certPem, peer.issuer.certPem],
  ),
  by(
    'an authority of the right name that signed itself',
    (peer) => authorityBy('itself', peer),
    'cert-untrusted SELF_SIGNED_CERT_IN_CHAIN',
  ),
  by(
    'an authority of the right name below a foreign root',
    (peer) => authorityBy(strangerRoot(peer), peer),
    'cert-untrusted SELF_SIGNED_CERT_IN_CHAIN',
    (peer) => [authorityBy(strangerRoot(peer), peer).certPem, strangerRoot(peer).certPem],
  ),
  by(
    'the same issuer of another fleet',
    ({ stranger, kind }) => signerOf(stranger.authority.issuers[kind]),
    'cert-untrusted UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  ),
  by(
    'the same issuer of another fleet, with its root',
    ({ stranger, kind }) => signerOf(stranger.authority.issuers[kind]),
    'cert-untrusted SELF_SIGNED_CERT_IN_CHAIN',
    (peer) => foreignChain(peer),
  ),
  by('another leaf', otherLeaf, 'cert-untrusted UNSPECIFIED', (peer) => [otherLeaf(peer).certPem, peer.issuer.certPem]),
  issuer('an issuer without CA:TRUE', { basicConstraints: basicConstraints(false) }, 'cert-untrusted INVALID_PURPOSE'),
  issuer('an issuer without basic constraints', { basicConstraints: null }, 'cert-untrusted INVALID_CA'),
  issuer('an issuer without keyCertSign', { keyUsage: keyUsage('digitalSignature') }, 'cert-untrusted UNSPECIFIED'),
  issuer('an issuer for code', { extendedKeyUsage: extendedKeyUsage('code') }, 'cert-untrusted INVALID_PURPOSE'),
  issuer('an issuer of version 1', { version: 1 }, 'accepted'),
  issuer(
    'an issuer with an unknown critical extension',
    { more: [unknownExtension(true)] },
    'cert-untrusted UNSPECIFIED',
  ),
  issuer(
    'an issuer constrained to another trust domain',
    { more: [uriConstraint('other.test')] },
    'cert-untrusted UNSPECIFIED',
  ),
  issuer('an issuer that is signed with SHA-1', { hash: 'sha1' }, 'cert-untrusted UNSPECIFIED'),
  issuer('an issuer with a tampered signature', { isTampered: true }, 'cert-untrusted CERT_SIGNATURE_FAILURE'),
  issuer('an issuer with a key of RSA 2048', { key: rsa2048 }, 'cert-algorithm'),
  issuer('an issuer with a key of RSA 1024', { key: rsa1024 }, 'cert-untrusted UNSPECIFIED'),
  issuer('an issuer of another name', { subject: 'causeway super issuer' }, 'cert-issuer'),

  // What comes with it.
  sent('no issuer', () => [], 'cert-untrusted UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
  sent(
    'the root in place of the issuer',
    (peer) => [rootOf(peer).certPem],
    'cert-untrusted UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ),
  sent(
    'the issuer of another kind in place of the right one',
    (peer) => [otherIssuer(peer).certPem],
    'cert-untrusted UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ),
  sent(
    'a false issuer of the right name and key identifier before the real one',
    (peer) => [authorityBy('itself', peer, { claimsKeyId: peer.issuer.keyId }).certPem, peer.issuer.certPem],
    'cert-untrusted CERT_SIGNATURE_FAILURE',
  ),
  sent(
    'a false issuer in place of the real one',
    (peer) => [authorityBy('itself', peer, { claimsKeyId: peer.issuer.keyId }).certPem],
    'cert-untrusted CERT_SIGNATURE_FAILURE',
  ),
  sent(
    'more certificates than a handshake may bring',
    (peer) => [peer.issuer.certPem, ...Array.from({ length: 250 }, () => rootOf(peer).certPem)],
    'tls-failed ERR_SSL_EXCESSIVE_MESSAGE_SIZE',
  ),
];
