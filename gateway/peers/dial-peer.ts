import type { CodedError } from '../../base/index.ts';
import { certError, clientTls, type TlsCredentials } from '../../certs/index.ts';
import { dialLink, tunnelError, type Wire } from '../../tunnel/index.ts';
import { answeringPeerOf, type Peer } from '../peer.ts';

/**
 * Opens the wire of a link to the replica that is to be at an address. Before anything is sent it has to prove to be that very one, by a
 * certificate that nobody has revoked. Errors: `link-refused`.
 */
export async function dialPeer(
  replica: string,
  target: string,
  credentials: TlsCredentials,
  refusal: (peer: Peer) => CodedError | undefined,
): Promise<{ readonly wire: Wire; readonly peer: Peer }> {
  const answered: Peer[] = [];
  const wire = await dialLink(target, clientTls(credentials), undefined, (socket) => {
    const peer = answeringPeerOf(socket, { trust: credentials.trust, kinds: ['replica'] });
    if (peer.principal !== `replica/${replica}`)
      throw tunnelError('link-refused', { detail: `${peer.principal} answers in place of replica/${replica}` });
    const refused = refusal(peer);
    if (refused !== undefined) throw refused;
    answered.push(peer);
  });
  const [peer] = answered;
  if (peer === undefined) throw certError('cert-missing');
  return { wire, peer };
}
