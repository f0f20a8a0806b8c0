import { createHash, type KeyObject, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

import { BoundedMap, codeOf, type CodedError } from '../base/index.ts';
import { hasAllowedAlgorithms } from './algorithms.ts';
import { authoritySubject, usagesOf } from './authority.ts';
import { certError } from './cert-error.ts';
import { parseIdentity, type Identity, type IdentityKind } from './identity.ts';
import type { TrustBundle } from './trust-bundle.ts';
import { keyUsage, readCertificate, type CertificateFields } from './x509.ts';

export interface LeafPolicy {
  readonly trust: TrustBundle;
  /** Who is accepted here. */
  readonly kinds: readonly IdentityKind[];
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * The identity of the peer of a socket whose handshake is done: from the certificate that the handshake proved, nothing
 * else. Read it once a socket, it is not free. Throws an error of the table: `cert-missing` when there is no certificate,
 * `cert-untrusted` when OpenSSL did not accept its chain (listeners that only *request* one get here with such), and what
 * `checkLeaf` throws.
 */
export function identifyPeer(socket: TLSSocket, policy: LeafPolicy): Identity {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) throw certError('cert-missing');
  if (!socket.authorized) throw untrusted(socket.authorizationError);
  if (socket.isSessionReused()) throw certError('cert-untrusted', 'a resumed session proves no certificate');
  return checkLeaf(leaf, policy);
}

/**
 * Why a handshake that a listener saw failed (`tlsClientError`), for its log: `cert-missing`, what OpenSSL said of the chain,
 * or `tls-failed` for whatever has nothing to do with certificates.
 */
export function handshakeFailure(error: Error, socket: TLSSocket): CodedError {
  if (socket.authorizationError) return untrusted(socket.authorizationError);
  const code = codeOf(error);
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return certError('cert-missing');
  return certError('tls-failed', code);
}

/**
 * The leaf policy, on top of a chain that OpenSSL has verified: it accepts more than it should.
 *
 * The issuer is known by the name that the proven leaf gives it. OpenSSL proved that an authority of this name signed the
 * leaf, that a root of ours signed that authority (an issuer's path length is 0, so nothing can stand between but what bears
 * the issuer's own name and was signed by its key, RFC 5280, 6.1.4 (l)), and a root signs no authority under another kind's name. The certificates that the peer sent beside its leaf are not looked at: a
 * false issuer with the right name and key may lie beside the real one, and which of them OpenSSL used cannot be asked
 * (Node 24.21 does not even give them to a server, https://github.com/nodejs/node/issues/65579).
 */
export function checkLeaf(leaf: X509Certificate, policy: LeafPolicy): Identity {
  const { fields, allowedAlgorithms, issuer } = factsOf(leaf);
  const nowMs = policy.now?.() ?? Date.now();
  if (fields.version !== 3) throw certError('cert-version');
  checkValidity(fields, nowMs);
  if (!allowedAlgorithms) throw certError('cert-algorithm');
  if (fields.isCa || (fields.keyUsage & (keyUsage.keyCertSign | keyUsage.crlSign)) !== 0) throw certError('cert-is-ca');
  if ((fields.keyUsage & keyUsage.digitalSignature) === 0) throw certError('cert-key-usage', 'no digital signature');

  const identity = identityIn(fields);
  if (identity.trustDomain !== policy.trust.trustDomain) throw certError('cert-trust-domain', identity.trustDomain);
  if (!policy.kinds.includes(identity.kind)) throw certError('cert-kind', identity.kind);
  const usages = usagesOf(identity.kind);
  const exact =
    fields.extendedKeyUsage.length === usages.length &&
    usages.every((usage) => fields.extendedKeyUsage.includes(usage));
  if (!exact) throw certError('cert-key-usage', `extended key usage ${fields.extendedKeyUsage.join(', ') || 'none'}`);

  if (issuer !== authoritySubject(identity.kind)) throw certError('cert-issuer', JSON.stringify(issuer));
  return identity;
}

/** What the policy looks at in a certificate. */
interface LeafFacts {
  readonly fields: CertificateFields;
  readonly allowedAlgorithms: boolean;
  readonly issuer: string;
  readonly keyPin: string;
}

/** Reading a certificate costs more than all else here, in time and in memory, and the same one comes with every link of its holder. */
const readBefore = new BoundedMap<string, LeafFacts>(1024);

function factsOf(leaf: X509Certificate): LeafFacts {
  const known = readBefore.get(leaf.fingerprint512);
  if (known !== undefined) return known;
  const facts: LeafFacts = {
    fields: readCertificate(leaf.raw),
    allowedAlgorithms: hasAllowedAlgorithms(leaf),
    issuer: leaf.issuer,
    keyPin: keyPinOfKey(leaf.publicKey),
  };
  readBefore.set(leaf.fingerprint512, facts);
  return facts;
}

/** What stands in a leaf; the same one is read once. Throws `cert-malformed`. */
export function leafFields(leaf: X509Certificate): CertificateFields {
  return factsOf(leaf).fields;
}

/** The pin of a key, as `EdgeNode`'s `spec.keyPin` holds it: `sha256/` and the base64url of its SubjectPublicKeyInfo's hash. */
export function keyPinOf(certificate: X509Certificate): string {
  return factsOf(certificate).keyPin;
}

/** The same of a public key that has no certificate yet. */
export function keyPinOfKey(key: KeyObject): string {
  const spki = key.export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(spki).digest('base64url')}`;
}

/** The one identity that the fields of a certificate name. */
export function identityIn({ names, otherNames }: CertificateFields): Identity {
  const [uri, ...more] = names.uris;
  if (uri === undefined) throw certError('cert-identity', 'no URI name');
  if (more.length > 0 || otherNames > 0) throw certError('cert-identity', 'more than one name');
  const identity = parsed(uri);
  const hosts = names.dnsNames.length + names.ipAddresses.length;
  if (identity.kind !== 'replica' && hosts > 0)
    throw certError('cert-identity', `a name of a host beside ${identity.kind}`);
  return identity;
}

function checkValidity({ notBefore, notAfter }: CertificateFields, nowMs: number): void {
  if (nowMs < notBefore.getTime()) throw certError('cert-not-yet-valid', `valid from ${notBefore.toISOString()}`);
  if (nowMs > notAfter.getTime()) throw certError('cert-expired', `valid until ${notAfter.toISOString()}`);
}

function parsed(uri: string): Identity {
  try {
    return parseIdentity(uri);
  } catch (error) {
    throw certError('cert-identity', undefined, error);
  }
}

/** OpenSSL's own reason decides the code, where ours has one. */
function untrusted(reason: Error | string | null | undefined): CodedError {
  const code = String(reason instanceof Error && 'code' in reason ? reason.code : reason);
  if (code === 'CERT_HAS_EXPIRED') return certError('cert-expired', code);
  if (code === 'CERT_NOT_YET_VALID') return certError('cert-not-yet-valid', code);
  return certError('cert-untrusted', code);
}
