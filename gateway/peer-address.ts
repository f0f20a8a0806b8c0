import { Socket } from 'node:net';

export interface PeerAddress {
  readonly address: string;
  readonly port: number;
}

/** What a load balancer said of connections, which would else all be its own. */
const toldAddresses = new WeakMap<Socket, PeerAddress>();

/** Where a connection comes from, as the load balancer before this listener says (PROXY protocol). */
export function tellAddress(connection: Socket, address: PeerAddress): void {
  toldAddresses.set(connection, address);
}

/** What was told of the connection below a TLS one. */
export function toldAddress(socket: Socket): PeerAddress | undefined {
  return toldAddresses.get(connectionBelow(socket));
}

/** The IP address of the peer, for logs; also when the handshake has failed and the connection is gone. */
export function remoteOf(socket: Socket): string | undefined {
  return (toldAddress(socket)?.address ?? socket.remoteAddress) || connectionBelow(socket).remoteAddress;
}

/**
 * The TCP connection below a TLS one. Node has it in a property that it does not document, and knows no other way from a
 * TLS connection whose handshake failed to where it came from.
 */
export function connectionBelow(socket: Socket): Socket {
  const below: unknown = Reflect.get(socket, '_parent');
  return below instanceof Socket ? below : socket;
}
