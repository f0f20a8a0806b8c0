import { authorityBy, leafOf } from './chain.ts';
import {
  ahead,
  curve,
  ed25519,
  hosts,
  issuer,
  leaf,
  names,
  past,
  rootOf,
  rsa1024,
  rsa2048,
  uri,
  type ChainRow,
} from './chain-row.ts';
import { sequence } from './der.ts';
import {
  alternativeNames,
  basicConstraints,
  extendedKeyUsage,
  extension,
  keyUsage,
  name,
  unknownExtension,
  uriConstraint,
} from './forge.ts';

/** Leaves of the right issuer that are not what they have to be. */
export const badLeaves: readonly ChainRow[] = [
  // What a leaf may do.
  leaf('CA:TRUE', { basicConstraints: basicConstraints(true) }, 'cert-is-ca'),
  leaf('CA:TRUE with a path length', { basicConstraints: basicConstraints(true, 0) }, 'cert-is-ca'),
  leaf(
    'CA:TRUE and keyCertSign',
    { basicConstraints: basicConstraints(true), keyUsage: keyUsage('digitalSignature', 'keyCertSign') },
    'cert-is-ca',
  ),
  leaf('keyCertSign without CA:TRUE', { keyUsage: keyUsage('digitalSignature', 'keyCertSign') }, 'cert-is-ca'),
  leaf('cRLSign', { keyUsage: keyUsage('digitalSignature', 'cRLSign') }, 'cert-is-ca'),
  leaf('no key usage', { keyUsage: null }, 'cert-key-usage'),
  leaf(
    'key usage for encryption only',
    { keyUsage: keyUsage('keyEncipherment') },
    {
      links: 'cert-untrusted INVALID_PURPOSE',
      api: 'cert-untrusted INVALID_PURPOSE',
      peers: 'cert-untrusted INVALID_PURPOSE',
      dialer: 'cert-key-usage',
    },
  ),
  leaf('key usage for key agreement only', { keyUsage: keyUsage('keyAgreement') }, 'cert-key-usage'),
  leaf('no extended key usage', { extendedKeyUsage: null }, 'cert-key-usage'),
  leaf(
    'extended key usage of servers only',
    { extendedKeyUsage: extendedKeyUsage('server') },
    {
      links: 'cert-untrusted INVALID_PURPOSE',
      api: 'cert-untrusted INVALID_PURPOSE',
      peers: 'cert-untrusted INVALID_PURPOSE',
      dialer: 'cert-key-usage',
    },
  ),
  leaf(
    'extended key usage of clients only',
    { extendedKeyUsage: extendedKeyUsage('client') },
    { links: 'accepted', api: 'accepted', peers: 'cert-key-usage', dialer: 'cert-untrusted INVALID_PURPOSE' },
  ),
  leaf(
    'extended key usage of both',
    { extendedKeyUsage: extendedKeyUsage('server', 'client') },
    { links: 'cert-key-usage', api: 'cert-key-usage', peers: 'accepted', dialer: 'accepted' },
  ),
  leaf('any extended key usage', { extendedKeyUsage: extendedKeyUsage('any') }, 'cert-untrusted INVALID_PURPOSE'),
  leaf(
    'any extended key usage beside the right ones',
    { extendedKeyUsage: extendedKeyUsage('server', 'client', 'any') },
    'cert-key-usage',
  ),
  leaf('extended key usage for code', { extendedKeyUsage: extendedKeyUsage('code') }, 'cert-untrusted INVALID_PURPOSE'),
  leaf(
    'extended key usage for OCSP beside the right ones',
    { extendedKeyUsage: extendedKeyUsage('server', 'client', 'ocsp') },
    'cert-key-usage',
  ),
  leaf('an unknown critical extension', { more: [unknownExtension(true)] }, 'cert-untrusted UNSPECIFIED'),
  leaf('name constraints in a leaf', { more: [uriConstraint('fleet.test')] }, 'accepted'),
  leaf(
    'an extension twice',
    { more: [keyUsage('digitalSignature')] },
    'cert-untrusted UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ),
  leaf(
    'an extension that cannot be read',
    { basicConstraints: extension('2.5.29.19', Buffer.from([0x30, 0x7f]), { critical: true }) },
    'cert-untrusted UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ),

  // Whom a leaf names.
  leaf('a common name only', (peer) => ({ subject: peer.uri, names: null }), 'cert-identity'),
  leaf('no subject and no names', { names: null }, 'cert-identity'),
  leaf('an empty list of names', { names: extension('2.5.29.17', sequence(), { critical: true }) }, 'cert-identity'),
  names('no URI', () => [], 'cert-identity'),
  names('two URIs', (peer) => [name.uri(peer.uri), name.uri(`${peer.uri}x`)], 'cert-identity'),
  names('the same URI twice', (peer) => [name.uri(peer.uri), name.uri(peer.uri)], 'cert-identity'),
  names('an e-mail address beside', (peer) => [name.uri(peer.uri), name.email('a@fleet.test')], 'cert-identity'),
  names('a directory name beside', (peer) => [name.uri(peer.uri), name.directory('edge-1')], 'cert-identity'),
  names('a registered id beside', (peer) => [name.uri(peer.uri), name.registered('1.2.3')], 'cert-identity'),
  names('a user principal name beside', (peer) => [name.uri(peer.uri), name.other('root@fleet.test')], 'cert-identity'),
  names('a DNS name beside', (peer) => [name.uri(peer.uri), name.dns('edge-1')], {
    links: 'cert-untrusted UNSPECIFIED',
    api: 'cert-untrusted UNSPECIFIED',
    peers: 'accepted',
    dialer: 'accepted',
  }),
  names('an IPv4 address beside', (peer) => [name.uri(peer.uri), name.ip('10.0.0.1')], {
    links: 'cert-untrusted UNSPECIFIED',
    api: 'cert-untrusted UNSPECIFIED',
    peers: 'accepted',
    dialer: 'accepted',
  }),
  names('an IPv6 address beside', (peer) => [name.uri(peer.uri), name.ip('::1')], {
    links: 'cert-untrusted UNSPECIFIED',
    api: 'cert-untrusted UNSPECIFIED',
    peers: 'accepted',
    dialer: 'accepted',
  }),
  uri('a URI of the web', (peer) => `https://${peer.trustDomain}/${peer.path}`, 'cert-identity'),
  uri('the URI of the root', (peer) => `spiffe://${peer.trustDomain}`, 'cert-identity'),
  uri('the URI of an issuer', (peer) => `spiffe://${peer.trustDomain}/issuer/${peer.kind}`, 'cert-identity'),
  uri('a kind that there is not', (peer) => `spiffe://${peer.trustDomain}/admin/root`, 'cert-identity'),
  uri('a scheme in upper case', (peer) => `SPIFFE://${peer.trustDomain}/${peer.path}`, 'cert-identity'),
  uri(
    'a trust domain in upper case',
    (peer) => `spiffe://${peer.trustDomain.toUpperCase()}/${peer.path}`,
    'cert-identity',
  ),
  uri(
    'a kind in upper case',
    (peer) => `spiffe://${peer.trustDomain}/${peer.path.replace(/^./u, (first) => first.toUpperCase())}`,
    'cert-identity',
  ),
  uri('a name in upper case', (peer) => `${peer.uri}A`, 'cert-identity'),
  uri('an escaped letter', (peer) => `${peer.uri}%61`, 'cert-identity'),
  uri('a port', (peer) => `spiffe://${peer.trustDomain}:443/${peer.path}`, 'cert-identity'),
  uri('a user', (peer) => `spiffe://root@${peer.trustDomain}/${peer.path}`, 'cert-identity'),
  uri('a query', (peer) => `${peer.uri}?a`, 'cert-identity'),
  uri('a fragment', (peer) => `${peer.uri}#a`, 'cert-identity'),
  uri('a slash at the end', (peer) => `${peer.uri}/`, 'cert-identity'),
  uri('two slashes', (peer) => `spiffe://${peer.trustDomain}//${peer.path}`, 'cert-identity'),
  uri('dots in the path', (peer) => `${peer.uri}/../edge-2`, 'cert-identity'),
  uri('more path', (peer) => `${peer.uri}/more`, 'cert-identity'),
  uri('a NUL and more', (peer) => `${peer.uri}\0.evil`, 'cert-identity'),
  uri('a new line', (peer) => `${peer.uri}\n`, 'cert-identity'),
  uri('a letter that is not ASCII', (peer) => `${peer.uri}\xe9`, 'cert-identity'),
  uri(
    'a name of 64 letters',
    (peer) => `spiffe://${peer.trustDomain}/${peer.path.replace(/[^/]+$/u, 'a'.repeat(64))}`,
    'cert-identity',
  ),
  uri('an empty name', (peer) => `spiffe://${peer.trustDomain}/${peer.path.replace(/[^/]+$/u, '')}`, 'cert-identity'),
  uri('another trust domain', (peer) => `spiffe://other.test/${peer.path}`, 'cert-untrusted UNSPECIFIED'),
  uri(
    'a domain below the trust domain',
    (peer) => `spiffe://a.${peer.trustDomain}/${peer.path}`,
    'cert-untrusted UNSPECIFIED',
  ),
  uri(
    'a trust domain that goes on',
    (peer) => `spiffe://${peer.trustDomain}.evil.test/${peer.path}`,
    'cert-untrusted UNSPECIFIED',
  ),
  uri(
    'a dot behind the trust domain',
    (peer) => `spiffe://${peer.trustDomain}./${peer.path}`,
    'cert-untrusted UNSPECIFIED',
  ),
  {
    name: 'another trust domain by an issuer without constraints',
    verdict: 'cert-trust-domain',
    chain: (peer) => {
      const other = name.uri(`spiffe://other.test/${peer.path}`);
      return leafOf(peer, { names: alternativeNames(other, ...peer.hosts) }, authorityBy(rootOf(peer), peer));
    },
  },
  {
    name: 'a name of a host by an issuer without constraints',
    verdict: { links: 'cert-identity', api: 'cert-identity' },
    chain: (peer) => {
      const names = alternativeNames(name.uri(peer.uri), name.dns('localhost'));
      return leafOf(peer, { names }, authorityBy(rootOf(peer), peer));
    },
  },

  // Where a replica listens.
  hosts('no name of a host', [], 'cert-host'),
  hosts('another address', [name.ip('10.0.0.1')], 'cert-host'),
  hosts('the address as a DNS name', [name.dns('127.0.0.1')], 'cert-host'),
  hosts('a name for all', [name.dns('*')], 'cert-host'),
  hosts('the address as a common name only', [], 'cert-host', '127.0.0.1'),

  // When.
  leaf('expired a minute ago', { notBefore: past(60), notAfter: past(1) }, 'cert-expired CERT_HAS_EXPIRED'),
  leaf(
    'expired years ago',
    { notBefore: new Date('1970-01-01'), notAfter: new Date('1971-01-01') },
    'cert-expired CERT_HAS_EXPIRED',
  ),
  leaf('valid in half an hour', { notBefore: ahead(30) }, 'cert-not-yet-valid CERT_NOT_YET_VALID'),
  leaf('valid from after its end', { notBefore: ahead(10), notAfter: past(10) }, 'cert-expired CERT_HAS_EXPIRED'),
  issuer('an expired issuer', { notBefore: past(60), notAfter: past(1) }, 'cert-expired CERT_HAS_EXPIRED'),
  issuer('an issuer that is not valid yet', { notBefore: ahead(30) }, 'cert-not-yet-valid CERT_NOT_YET_VALID'),

  // How.
  leaf('version 1 with extensions', { version: 1 }, 'cert-version'),
  leaf(
    'version 1 without extensions',
    {
      version: 1,
      subject: 'edge-1',
      basicConstraints: null,
      keyUsage: null,
      names: null,
      extendedKeyUsage: null,
      subjectKeyId: null,
      authorityKeyId: null,
    },
    'cert-version',
  ),
  leaf('version 2', { version: 2 }, 'cert-version'),
  leaf('version 4', { version: 4 }, 'cert-version'),
  leaf(
    'a key of RSA 1024',
    { key: rsa1024 },
    {
      links: 'cert-missing',
      api: 'cert-missing',
      peers: 'cert-missing',
      dialer: 'tls-failed ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    },
  ),
  leaf(
    'a key of RSA 2048',
    { key: rsa2048 },
    {
      links: 'cert-missing',
      api: 'cert-missing',
      peers: 'cert-missing',
      dialer: 'tls-failed ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    },
  ),
  leaf(
    'a key on P-224',
    { key: curve('secp224r1') },
    {
      links: 'cert-missing',
      api: 'cert-missing',
      peers: 'cert-missing',
      dialer: 'tls-failed ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    },
  ),
  leaf(
    'a key on P-521',
    { key: curve('secp521r1') },
    {
      links: 'cert-missing',
      api: 'cert-missing',
      peers: 'cert-missing',
      dialer: 'tls-failed ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    },
  ),
  leaf(
    'a key on secp256k1',
    { key: curve('secp256k1') },
    {
      links: 'cert-missing',
      api: 'cert-missing',
      peers: 'cert-missing',
      dialer: 'tls-failed ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    },
  ),
  leaf(
    'a key on brainpoolP256r1',
    { key: curve('brainpoolP256r1') },
    {
      links: 'cert-missing',
      api: 'cert-missing',
      peers: 'cert-missing',
      dialer: 'tls-failed ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    },
  ),
  leaf(
    'a key of Ed25519',
    { key: ed25519 },
    {
      links: 'cert-missing',
      api: 'cert-missing',
      peers: 'cert-missing',
      dialer: 'tls-failed ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    },
  ),
  leaf('signed with MD5', { hash: 'md5' }, 'cert-untrusted CERT_SIGNATURE_FAILURE'),
  leaf('signed with SHA-1', { hash: 'sha1' }, 'cert-untrusted UNSPECIFIED'),
  leaf('signed with SHA-224', { hash: 'sha224' }, 'cert-algorithm'),
  leaf('signed with SHA-512', { hash: 'sha512' }, 'cert-algorithm'),
  leaf(
    'a signature of another algorithm than it names',
    { namedHash: 'sha384' },
    'cert-untrusted CERT_SIGNATURE_FAILURE',
  ),
  leaf('a signature with a wrong bit', { isTampered: true }, 'cert-untrusted CERT_SIGNATURE_FAILURE'),
];
