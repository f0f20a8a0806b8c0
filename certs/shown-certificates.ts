import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** No chain of a fleet is as long. */
const maxLength = 10;

/**
 * The certificates that a server has shown, the leaf first, at the end that dialed it; they need not belong together. For who
 * cannot leave the judgement to OpenSSL: without a trusted root, or without a clock.
 *
 * `getPeerCertificate` would end the whole process, with a segmentation fault, where a key is on a curve that NIST has no name for
 * (Node 24.21, brainpoolP256r1 say); anyone in between can show such a certificate.
 */
export function shownCertificates(socket: TLSSocket): readonly X509Certificate[] {
  const shown: X509Certificate[] = [];
  let at = socket.getPeerX509Certificate();
  while (at !== undefined && shown.length < maxLength) {
    shown.push(at);
    const issuer: X509Certificate | undefined = at.issuerCertificate;
    // A root that came along may be its own issuer.
    at = issuer?.fingerprint512 === at.fingerprint512 ? undefined : issuer;
  }
  return shown;
}
