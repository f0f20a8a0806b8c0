import { once } from 'node:events';
import { connect, createServer, type ConnectionOptions, type TLSSocket, type TlsOptions } from 'node:tls';

import {
  issueFreshLeaf,
  parseTrustBundle,
  type FleetAuthority,
  type LeafRequest,
  type TlsCredentials,
} from '../../certs/index.ts';

/** What came of one handshake, seen from both ends. */
export interface Handshake {
  /** Why the dialer did not get through to the end. */
  readonly dialerError: Error | undefined;
  /** What `accept` returned or threw; undefined when the server never saw a finished handshake. */
  readonly accepted: unknown;
}

type Accept = (socket: TLSSocket) => unknown;

/** A TLS server on loopback that looks at each socket, says `done` and ends it. */
export class TlsPair {
  readonly #server;
  #accepted: unknown;

  constructor(options: TlsOptions, accept: Accept) {
    this.#server = createServer(options, (socket) => {
      socket.on('error', () => undefined);
      try {
        this.#accepted = accept(socket);
      } catch (error) {
        this.#accepted = error;
      }
      socket.end('done');
    });
    this.#server.on('tlsClientError', () => undefined);
  }

  /** Dials the server once and waits until the connection is gone. */
  async dial(client: ConnectionOptions, onSession: (session: Buffer) => void = () => undefined): Promise<Handshake> {
    if (!this.#server.listening) await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const address = this.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    this.#accepted = undefined;
    let text = '';
    let failure: Error | undefined;
    const socket = connect({ host: '127.0.0.1', port, ...client });
    socket.on('session', onSession);
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', (error: Error) => (failure = error));
    await new Promise((resolve) => socket.once('close', resolve));
    return { dialerError: failure ?? (text === 'done' ? undefined : new Error('cut off')), accepted: this.#accepted };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** One handshake with a server of its own. */
export async function handshake(
  server: TlsOptions,
  client: ConnectionOptions,
  accept: Accept = () => undefined,
): Promise<Handshake> {
  await using pair = new TlsPair(server, accept);
  return await pair.dial(client);
}

/** Credentials of a fresh leaf of a fleet. */
export async function credentialsOf({ root, issuers }: FleetAuthority, request: LeafRequest): Promise<TlsCredentials> {
  const { chainPem, keyPem } = await issueFreshLeaf(issuers[request.identity.kind], request);
  return { chainPem, keyPem, trust: parseTrustBundle(root.certPem) };
}
