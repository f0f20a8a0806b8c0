import type { X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { shownCertificates } from '../../certs/index.ts';
import { dialTarget } from '../../tunnel/index.ts';

/**
 * The certificates that a listener shows, leaf first, from a handshake that is broken off then: nothing is sent, and nothing is
 * verified. Errors: `link-refused`.
 */
export async function presentedChain(target: string, proxy: string | undefined): Promise<readonly X509Certificate[]> {
  const socket = await dialTarget(
    target,
    { rejectUnauthorized: false, minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] },
    proxy,
  );
  try {
    return socket instanceof TLSSocket ? shownCertificates(socket) : [];
  } finally {
    socket.destroy();
  }
}
