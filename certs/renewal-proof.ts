import { createHash, createPrivateKey, sign, verify, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** RFC 5705, 4: labels that no document registers begin so. */
const exporterLabel = 'EXPERIMENTAL causeway renewal';
const exporterBytes = 32;

/** What a renewal with an expired certificate is proved by. */
export interface RenewalClaim {
  /** The connection that the claim is made on, whichever end. */
  readonly socket: Pick<TLSSocket, 'exportKeyingMaterial'>;
  /** The certificate that has expired. */
  readonly leaf: X509Certificate;
  readonly csrPem: string;
}

/** Proves the old key: base64url. */
export function signRenewal(claim: RenewalClaim, keyPem: string): string {
  return sign('sha256', renewalStatement(claim), createPrivateKey(keyPem)).toString('base64url');
}

/** Whether the holder of the old certificate's key asks for the new certificate, on this very connection. */
export function provesRenewal(claim: RenewalClaim, signature: string): boolean {
  try {
    return verify('sha256', renewalStatement(claim), claim.leaf.publicKey, Buffer.from(signature, 'base64url'));
  } catch {
    // What cannot be read proves nothing.
    return false;
  }
}

/**
 * What the old key signs:
 *
 *     causeway renewal v1
 *     hex of 32 bytes that TLS derives from the connection's own secrets (RFC 5705, RFC 8446 7.5)
 *     hex of SHA-256 of the old certificate
 *     hex of SHA-256 of the request for the new one, its PEM as it is sent
 *
 * The second line binds it to one TLS connection, as RFC 9266 does: what is signed for one replica proves nothing to another, and
 * nothing later; no nonce has to be kept. No certificate or request begins with these letters, so no such signature is ever
 * taken for this one.
 */
function renewalStatement({ socket, leaf, csrPem }: RenewalClaim): Buffer {
  const hash = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');
  const bound = socket.exportKeyingMaterial(exporterBytes, exporterLabel, Buffer.alloc(0)).toString('hex');
  return Buffer.from(['causeway renewal v1', bound, hash(leaf.raw), hash(csrPem)].join('\n'));
}
