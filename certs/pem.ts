import { X509Certificate } from 'node:crypto';

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM text in their order; what stands between them is skipped. Throws when one cannot be read. */
export function parseCertificates(pem: string): readonly X509Certificate[] {
  return [...pem.matchAll(block)].map(([text]) => new X509Certificate(text));
}
