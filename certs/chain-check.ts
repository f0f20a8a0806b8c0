import type { X509Certificate } from 'node:crypto';

import { hasAllowedAlgorithms } from './algorithms.ts';
import { authoritySubject, usagesOf } from './authority.ts';
import { certError } from './cert-error.ts';
import { authorityUri, type Identity } from './identity.ts';
import { checkLeaf, type LeafPolicy } from './leaf-policy.ts';
import { parseCertificates } from './pem.ts';
import { keyUsage, readCertificate } from './x509.ts';

export interface ChainPolicy extends Pick<LeafPolicy, 'trust' | 'kinds'> {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** So long after its end the leaf is still taken. Default 0. */
  readonly graceMs?: number;
  /** `now` is only known to be no later than the true time: what is not valid yet may be valid. Default false. */
  readonly nowIsEarliest?: boolean;
}

/**
 * Checks a chain where OpenSSL's own verification would only say that the time is wrong: of who renews an expired certificate,
 * and of a replica before a machine that has no clock. Nothing but the time is replaced. The chain is leaf, issuer, root, as
 * every chain of ours; OpenSSL checks each signature, the root is one of the trusted, the issuer is one of its kind, and the leaf
 * policy comes on top. That the peer has the leaf's key is the caller's to prove. Throws what `checkLeaf` throws.
 */
export function checkChain(leaf: X509Certificate, issuer: X509Certificate, policy: ChainPolicy): Identity {
  const { trust, kinds, now, graceMs = 0, nowIsEarliest = false } = policy;
  if (!leaf.checkIssued(issuer) || !leaf.verify(issuer.publicKey))
    throw certError('cert-untrusted', 'its issuer has not signed it');
  const root = trust.roots.find((each) => issuer.checkIssued(each) && issuer.verify(each.publicKey));
  if (root === undefined) throw certError('cert-untrusted', 'no trusted root has signed its issuer');
  for (const authority of [issuer, root]) checkTime(authority, now, nowIsEarliest);
  const start = leaf.validFromDate.getTime();
  const end = leaf.validToDate.getTime();
  // Inside of the grace the leaf counts as it did at its end.
  const inGrace = now > end && now <= end + graceMs ? end : now;
  const at = nowIsEarliest ? Math.max(inGrace, start) : inGrace;
  const identity = checkLeaf(leaf, { trust, kinds, now: () => at });
  checkIssuer(issuer, identity);
  return identity;
}

/** The leaf and the issuer of a chain as PEM. Throws `cert-malformed` for anything but the two. */
export function parseChain(pem: string): { readonly leaf: X509Certificate; readonly issuer: X509Certificate } {
  try {
    const [leaf, issuer, ...more] = parseCertificates(pem);
    if (leaf === undefined || issuer === undefined || more.length > 0)
      throw new Error('a chain is a certificate and its issuer');
    return { leaf, issuer };
  } catch (error) {
    throw certError('cert-malformed', undefined, error);
  }
}

/** What OpenSSL would have enforced of the issuer. */
function checkIssuer(issuer: X509Certificate, { kind, trustDomain }: Identity): void {
  const fields = readCertificate(issuer.raw);
  const { uris, dnsNames, ipAddresses } = fields.names;
  const isNamed = uris.length === 1 && uris[0] === authorityUri(trustDomain, kind);
  const isAlone = dnsNames.length + ipAddresses.length + fields.otherNames === 0;
  const signs = fields.isCa && fields.caPathLength === 0 && (fields.keyUsage & keyUsage.keyCertSign) !== 0;
  const usages = usagesOf(kind);
  const isBound =
    fields.extendedKeyUsage.length === usages.length &&
    usages.every((usage) => fields.extendedKeyUsage.includes(usage));
  const isPlain = fields.version === 3 && hasAllowedAlgorithms(issuer) && issuer.subject === authoritySubject(kind);
  if (!isNamed || !isAlone || !signs || !isBound || !isPlain)
    throw certError('cert-issuer', 'not an issuer of its kind');
}

function checkTime({ validFromDate, validToDate }: X509Certificate, now: number, nowIsEarliest: boolean): void {
  if (now > validToDate.getTime()) throw certError('cert-expired', 'an authority of the chain');
  if (!nowIsEarliest && now < validFromDate.getTime())
    throw certError('cert-not-yet-valid', 'an authority of the chain');
}
