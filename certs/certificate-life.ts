import type { X509Certificate } from 'node:crypto';

import { backdateMs } from './authority.ts';
import { leafFields } from './leaf-policy.ts';
import { readCertificate } from './x509.ts';

/** When a leaf was issued, and when it ends, milliseconds since 1970. */
export interface CertificateLife {
  readonly issuedAt: number;
  readonly notAfter: number;
}

/** `notBefore` lies before the moment of issue, by as much as issuers backdate. */
export function lifeOf(leaf: X509Certificate): CertificateLife {
  return { issuedAt: leaf.validFromDate.getTime() + backdateMs, notAfter: leaf.validToDate.getTime() };
}

/** The key identifier of an authority, hex: what its leaves say of their issuer. Two authorities of one name differ in it. */
export function authorityKeyId(authority: X509Certificate): string {
  return readCertificate(authority.raw).keyId.toLowerCase();
}

/** Which authority issued a leaf, as `authorityKeyId` names it. */
export function issuerKeyId(leaf: X509Certificate): string {
  return leafFields(leaf).issuerKeyId.toLowerCase();
}
