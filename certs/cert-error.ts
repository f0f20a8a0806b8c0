import { codedError, type CodeDetail, type CodedError, type CodeEntry } from '../base/index.ts';

/** The closed table of what can go wrong with certificates and identities. `docs/errors.md` repeats it. */
export const certCodes = {
  // A peer's certificate, in the order in which the leaf policy looks.
  'cert-missing': {
    status: 401,
    retryable: false,
    text: 'the peer showed no certificate',
    fix: 'connect with a certificate of this fleet',
  },
  'tls-failed': {
    status: 400,
    retryable: false,
    text: 'the TLS handshake failed',
    fix: 'speak TLS 1.3, with a certificate of this fleet',
  },
  'cert-untrusted': {
    status: 401,
    retryable: false,
    text: 'the certificate does not chain to a root of this fleet',
    fix: 'enrol again, or look whether the trust bundle is up to date',
  },
  'cert-malformed': {
    status: 401,
    retryable: false,
    text: 'the certificate cannot be read',
    fix: 'use a certificate that this fleet issued',
  },
  'cert-version': {
    status: 401,
    retryable: false,
    text: 'the certificate is not of version 3',
    fix: 'use a certificate that this fleet issued',
  },
  'cert-expired': {
    status: 401,
    retryable: false,
    text: 'the certificate has expired',
    fix: 'renew it, and check the clock of both machines',
  },
  'cert-not-yet-valid': {
    status: 401,
    retryable: false,
    text: 'the certificate is not valid yet',
    fix: 'check the clock of both machines',
  },
  'cert-algorithm': {
    status: 401,
    retryable: false,
    text: "the certificate's key or signature algorithm is not allowed",
    fix: 'use ECDSA with P-256 or P-384',
  },
  'cert-is-ca': {
    status: 401,
    retryable: false,
    text: 'the certificate is one of an authority, not of a peer',
    fix: 'use a leaf certificate that this fleet issued',
  },
  'cert-key-usage': {
    status: 401,
    retryable: false,
    text: "the certificate's key usage does not fit",
    fix: 'use a certificate that this fleet issued',
  },
  'cert-identity': {
    status: 401,
    retryable: false,
    text: 'the certificate does not name exactly one identity',
    fix: 'use a certificate that this fleet issued',
  },
  'cert-trust-domain': {
    status: 401,
    retryable: false,
    text: 'the certificate is of another trust domain',
    fix: 'use a certificate that this fleet issued',
  },
  'cert-kind': {
    status: 403,
    retryable: false,
    text: 'an identity of this kind is not accepted here',
    fix: 'use the certificate of the right kind for this listener',
  },
  'cert-issuer': {
    status: 401,
    retryable: false,
    text: 'the certificate was not issued by the issuer of its kind',
    fix: 'report it: an issuing key may be in wrong hands',
  },
  'cert-host': {
    status: 502,
    retryable: false,
    text: "the certificate does not name the replica's address",
    fix: 'dial the replica by a name or address that its certificate holds',
  },
  // What is ours.
  'identity-malformed': {
    status: 400,
    retryable: false,
    text: 'this is no identity',
    fix: 'use `edge/ID`, `replica/SITE/NAME`, `component/NAME` or `operator/NAME`',
  },
  'issue-refused': {
    status: 422,
    retryable: false,
    text: 'the authority does not issue such a certificate',
    fix: 'correct what the message names',
  },
  'request-malformed': {
    status: 400,
    retryable: false,
    text: 'this is no certificate request that is signed with its own key',
    fix: 'make the request with `causeway agent enrol`',
  },
  'token-malformed': {
    status: 400,
    retryable: false,
    text: 'this is no join token',
    fix: 'copy the whole token, as `causeway token create` printed it',
  },
  'trust-invalid': {
    status: 500,
    retryable: false,
    text: 'the trust bundle is not usable',
    fix: 'fetch the trust bundle of the fleet again',
  },
  'key-store-missing': {
    status: 500,
    retryable: false,
    text: 'a file of the key store cannot be read',
    fix: 'enrol, or check the path and its permissions',
  },
  'key-password': {
    status: 500,
    retryable: false,
    text: 'the password of a key is missing or wrong',
    fix: 'name a file with it: `keyPassword` of the configuration, or CAUSEWAY_KEY_PASSWORD',
  },
  'key-store-invalid': {
    status: 500,
    retryable: false,
    text: 'a file of the key store is not usable',
    fix: 'enrol again',
  },
} as const satisfies Record<string, CodeEntry>;

export type CertCode = keyof typeof certCodes;

/** An error of the table of `certs/`. */
export function certError(code: CertCode, detail?: string, cause?: unknown): CodedError {
  const known: CodeDetail = { ...(detail === undefined ? {} : { detail }), ...(cause === undefined ? {} : { cause }) };
  return codedError(code, certCodes[code], known);
}
