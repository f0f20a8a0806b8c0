import { createPublicKey, generateKeyPairSync, createPrivateKey, type KeyObject } from 'node:crypto';

import { isAllowedKey } from './algorithms.ts';
import { certError } from './cert-error.ts';
import { readRequest, writeRequest } from './x509.ts';

/** A request for a P-256 key is shorter than 400 bytes; this leaves room for the names that others write. */
const maxRequestBytes = 8 * 1024;

const block =
  /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/;

/** A request for a certificate, and the key that it is for; the key never leaves the machine that made it. */
export interface CertificateRequest {
  readonly csrPem: string;
  /** PKCS#8. */
  readonly keyPem: string;
}

/** Makes a request with a new P-256 key, or with a given one. It names nobody: who the certificate is for is not the asker's to say. */
export async function makeCertificateRequest(keyPem?: string): Promise<CertificateRequest> {
  const privateKey =
    keyPem === undefined
      ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
      : createPrivateKey(keyPem);
  const csrPem = await writeRequest({ privateKey, publicKey: createPublicKey(privateKey) });
  return { csrPem, keyPem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
}

/**
 * The public key of a request whose signature shows that the asker has the private one. Names and extensions in it are not
 * looked at. Throws `request-malformed`, and `cert-algorithm` for a key that nothing is issued for.
 */
export async function readCertificateRequest(csrPem: string): Promise<KeyObject> {
  const [, base64] = csrPem.length > maxRequestBytes ? [] : (block.exec(csrPem) ?? []);
  if (base64 === undefined) throw certError('request-malformed', 'no PEM of one request');
  const { publicKey, isSigned } = parsed(Buffer.from(base64, 'base64'));
  if (!isAllowedKey(publicKey)) throw certError('cert-algorithm', 'of the request');
  // Whatever the library says of a signature that it cannot read: it proves nothing.
  const proves = await isSigned().catch(() => false);
  if (!proves) throw certError('request-malformed', 'its signature is not of its key');
  return publicKey;
}

function parsed(der: Buffer): ReturnType<typeof readRequest> {
  try {
    // The library does not mind what stands behind a request.
    if (der.length !== lengthOf(der)) throw new Error('it has another length than it says');
    return readRequest(der);
  } catch (error) {
    throw certError('request-malformed', undefined, error);
  }
}

/** Of a DER element with its header; it is below 64 KiB here. */
function lengthOf(der: Buffer): number {
  const first = der.readUInt8(1);
  if (first === 0x81) return 3 + der.readUInt8(2);
  return first === 0x82 ? 4 + der.readUInt16BE(2) : 2 + first;
}
