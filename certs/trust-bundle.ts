import type { X509Certificate } from 'node:crypto';

import { isDnsName } from '../base/index.ts';
import { hasAllowedAlgorithms } from './algorithms.ts';
import { certError } from './cert-error.ts';
import { authorityUri } from './identity.ts';
import { parseCertificates } from './pem.ts';
import { keyUsage, readCertificate } from './x509.ts';

/** While a root is rolled there are two; more are a mistake. */
const maxRoots = 8;

/** The roots that a fleet trusts; all of one trust domain, which they name themselves. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** What TLS takes as `ca`: the roots and nothing else. */
  readonly pem: string;
  readonly roots: readonly X509Certificate[];
}

/** Reads a bundle of roots. Throws `trust-invalid`. */
export function parseTrustBundle(pem: string): TrustBundle {
  const roots = certificatesOf(pem);
  if (roots.length === 0 || roots.length > maxRoots)
    throw certError('trust-invalid', `${roots.length} roots instead of 1 to ${maxRoots}`);
  const domains = new Set(roots.map(trustDomainOf));
  const [trustDomain = ''] = domains;
  if (domains.size !== 1)
    throw certError('trust-invalid', `roots of several trust domains: ${[...domains].join(', ')}`);
  return { trustDomain, pem: roots.map((root) => root.toString()).join(''), roots };
}

function certificatesOf(pem: string): readonly X509Certificate[] {
  try {
    return parseCertificates(pem);
  } catch (error) {
    throw certError('trust-invalid', undefined, error);
  }
}

function trustDomainOf(root: X509Certificate): string {
  const fields = readCertificate(root.raw);
  const [uri = ''] = fields.names.uris;
  const trustDomain = uri.slice('spiffe://'.length);
  const named = fields.names.uris.length === 1 && isDnsName(trustDomain) && uri === authorityUri(trustDomain);
  if (!named) throw certError('trust-invalid', 'a root that names no trust domain');
  const signs = fields.isCa && (fields.keyUsage & keyUsage.keyCertSign) !== 0;
  if (!signs || !hasAllowedAlgorithms(root)) throw certError('trust-invalid', 'a certificate that is no root');
  if (!root.checkIssued(root) || !root.verify(root.publicKey))
    throw certError('trust-invalid', 'a root that did not sign itself');
  return trustDomain;
}
