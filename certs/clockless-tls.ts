import type { X509Certificate } from 'node:crypto';
import type { ConnectionOptions, TLSSocket } from 'node:tls';

import { certError } from './cert-error.ts';
import { checkChain } from './chain-check.ts';
import { shownCertificates } from './shown-certificates.ts';
import { checkHost, clientTls, type TlsCredentials } from './tls-options.ts';

/** How to dial a replica from a machine whose clock is known to be behind. */
export interface ClocklessTls {
  readonly tls: ConnectionOptions;
  /** To be called when the handshake is done, before anything is sent: throws when it is no replica of this fleet. Returns its leaf. */
  readonly verify: (socket: TLSSocket) => X509Certificate;
}

/**
 * As `clientTls`, where the system's clock is behind, so that OpenSSL finds every certificate not valid yet. Only that verdict of
 * OpenSSL is overruled, and by `checkChain`: its signatures up to a trusted root, its names and its policy are checked as ever, and
 * it may not have ended by `earliest`, a time that is known to have been (milliseconds since 1970).
 */
export function clocklessTls(
  credentials: Pick<TlsCredentials, 'trust'> & Partial<TlsCredentials>,
  host: string,
  earliest: number,
): ClocklessTls {
  const strict = clientTls(credentials);
  return {
    tls: { ...strict, rejectUnauthorized: false, checkServerIdentity: () => undefined },
    verify: (socket) => {
      const { authorizationError } = socket;
      if (!socket.authorized && codeOf(authorizationError) !== 'CERT_NOT_YET_VALID')
        throw certError('cert-untrusted', codeOf(authorizationError));
      const [leaf, issuer] = shownCertificates(socket);
      if (leaf === undefined || issuer === undefined) throw certError('cert-missing');
      checkChain(leaf, issuer, { trust: credentials.trust, kinds: ['replica'], now: earliest, nowIsEarliest: true });
      checkHost(host, leaf);
      return leaf;
    },
  };
}

function codeOf(reason: unknown): string {
  return String(reason instanceof Error && 'code' in reason ? reason.code : reason);
}
