import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import {
  certError,
  checkLeaf,
  identifyPeer,
  identityName,
  issuerKeyId,
  keyPinOf,
  lifeOf,
  type Identity,
  type LeafPolicy,
} from '../certs/index.ts';
import type { KeyFacts } from './revocation/index.ts';

/** Who is at the other end of a connection, as its handshake proved it. */
export interface Peer extends KeyFacts {
  readonly identity: Identity;
  /** `identityName` of it. */
  readonly principal: string;
  /** When its certificate ends, milliseconds since 1970. */
  readonly notAfter: number;
  /** Key identifier of its certificate's issuer. */
  readonly issuer: string;
  /** Whether this authority has signed its certificate: whatever that says of its issuer. */
  isIssuedBy(issuer: X509Certificate): boolean;
}

/** Reads it once, after the handshake, where the connection was accepted. Throws what `identifyPeer` throws. */
export function peerOf(socket: TLSSocket, policy: LeafPolicy): Peer {
  const identity = identifyPeer(socket, policy);
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) throw certError('cert-missing');
  // The socket has it as long as it is open: nothing is kept besides.
  return peerIn(leaf, identity, () => socket.getPeerX509Certificate());
}

/**
 * The same at the end that dialed, with `clientTls`: OpenSSL has verified the chain. There node takes the certificate away from the socket when
 * it gives it (24.21: who asks twice gets nothing). Throws what `checkLeaf` throws.
 */
export function answeringPeerOf(socket: TLSSocket, policy: LeafPolicy): Peer {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined || !socket.authorized) throw certError('cert-missing');
  return peerIn(leaf, checkLeaf(leaf, policy), () => leaf);
}

function peerIn(leaf: X509Certificate, identity: Identity, shown: () => X509Certificate | undefined): Peer {
  const { notAfter } = lifeOf(leaf);
  return {
    identity,
    principal: identityName(identity),
    keyPin: keyPinOf(leaf),
    serial: leaf.serialNumber,
    notAfter,
    issuer: issuerKeyId(leaf),
    isIssuedBy: (authority) => {
      const certificate = shown();
      return certificate !== undefined && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
    },
  };
}
