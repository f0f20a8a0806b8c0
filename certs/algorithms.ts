import type { KeyObject, X509Certificate } from 'node:crypto';

/** Curves of keys, as Node names them: P-256 and P-384. */
const curves: readonly string[] = ['prime256v1', 'secp384r1'];

/** ecdsa-with-SHA256, ecdsa-with-SHA384. */
const signatures: readonly string[] = ['1.2.840.10045.4.3.2', '1.2.840.10045.4.3.3'];

/** Whether certificates may be issued for this public key. */
export function isAllowedKey(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ec' && curves.includes(key.asymmetricKeyDetails?.namedCurve ?? '');
}

/** Whether a certificate's key and the signature on it are of the short list. */
export function hasAllowedAlgorithms(certificate: X509Certificate): boolean {
  return isAllowedKey(certificate.publicKey) && signatures.includes(certificate.signatureAlgorithmOid);
}
