import { X509Certificate, constants } from 'node:crypto';
import { isIP } from 'node:net';
import type { ConnectionOptions, PeerCertificate, SecureContextOptions, TlsOptions } from 'node:tls';

import { certError } from './cert-error.ts';
import { checkLeaf } from './leaf-policy.ts';
import type { TrustBundle } from './trust-bundle.ts';

/** What one end shows and whom it trusts. */
export interface TlsCredentials {
  /** The leaf, then its issuer. */
  readonly chainPem: string;
  readonly keyPem: string;
  readonly trust: TrustBundle;
}

/** Of TLS 1.3: ECDSA with keys on P-256 and P-384. */
const allowedSignatures = 'ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384';

/** After this an unfinished handshake is cut. */
const handshakeTimeoutMs = 10_000;

/** Of the link listener: a certificate that OpenSSL accepts or no connection. `identifyPeer` comes on top, after the handshake. */
export function linkServerTls(credentials: TlsCredentials): TlsOptions {
  return { ...serverTls(credentials), requestCert: true, rejectUnauthorized: true };
}

/**
 * Of the api listener: a certificate is asked for and may be missing, since a token may stand for it. One that OpenSSL
 * refuses gets as far as `identifyPeer`, which refuses it with its reason.
 */
export function apiServerTls(credentials: TlsCredentials): TlsOptions {
  return { ...serverTls(credentials), requestCert: true, rejectUnauthorized: false };
}

/**
 * Of an end that dials a replica: an agent, the SDK, the CLI, another replica. The server's leaf has to be a replica's by
 * the leaf policy, and to name the address that was dialed. Without `chainPem` and `keyPem` it shows no certificate.
 */
export function clientTls(credentials: Pick<TlsCredentials, 'trust'> & Partial<TlsCredentials>): ConnectionOptions {
  return {
    ...secureContextOf(credentials),
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    checkServerIdentity: (host, certificate) => checkReplica(host, certificate, credentials.trust),
  };
}

function serverTls(credentials: TlsCredentials): TlsOptions {
  return { ...secureContextOf(credentials), ALPNProtocols: ['http/1.1'], handshakeTimeout: handshakeTimeoutMs };
}

/** The part of the options above that can be replaced while a server listens: `server.setSecureContext`. */
export function secureContextOf({
  chainPem,
  keyPem,
  trust,
}: Pick<TlsCredentials, 'trust'> & Partial<TlsCredentials>): SecureContextOptions {
  return {
    ...(chainPem === undefined ? {} : { cert: chainPem }),
    ...(keyPem === undefined ? {} : { key: keyPem }),
    // The roots only: who sends no issuer shows no chain.
    ca: trust.pem,
    // 1.2 could renegotiate, and show another certificate after the policy has looked.
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    // Keys that the leaf policy would refuse do not get as far. Node itself would not survive some of them where it reads a
    // server's certificate: see shown-certificates.ts.
    sigalgs: allowedSignatures,
    // A resumed session passes what a full handshake would refuse. In TLS 1.3 this leaves session ids that no cache
    // of ours answers, so every handshake is a full one.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Runs after OpenSSL has accepted the chain. Node takes an error as an answer here, and would fall back to the common name. */
function checkReplica(host: string, certificate: PeerCertificate, trust: TrustBundle): Error | undefined {
  try {
    const leaf = new X509Certificate(certificate.raw);
    checkLeaf(leaf, { trust, kinds: ['replica'] });
    checkHost(host, leaf);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : certError('cert-malformed', undefined, error);
  }
}

/** Throws `cert-host` unless the leaf names the address that was dialed. */
export function checkHost(host: string, leaf: X509Certificate): void {
  const named = isIP(host) === 0 ? leaf.checkHost(host, { subject: 'never', wildcards: false }) : leaf.checkIP(host);
  if (named === undefined) throw certError('cert-host', host);
}
