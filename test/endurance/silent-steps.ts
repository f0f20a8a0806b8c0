import { once } from 'node:events';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { clientTls, parseTrustBundle, type TlsCredentials } from '../../certs/index.ts';
import { LINK_PATH } from '../../tunnel/index.ts';
import type { TestFleet } from '../support/certificates.ts';

/** How far a peer goes before it says nothing more. */
export interface SilentStep {
  readonly name: string;
  readonly listener: 'link' | 'api' | 'public';
  /** `ready`: it is as far. */
  readonly open: (port: number) => { readonly socket: Socket; readonly ready: Promise<unknown> };
}

/** Whom a silent peer may seem to be; it can be sent to another process. */
export interface SilentCredentials {
  readonly edge: Pick<TlsCredentials, 'chainPem' | 'keyPem'>;
  readonly operator: Pick<TlsCredentials, 'chainPem' | 'keyPem'>;
  readonly trustPem: string;
}

const DRIP_MS = 500;

export async function silentCredentials(certificates: TestFleet): Promise<SilentCredentials> {
  const of = async (name: string) => {
    const { chainPem, keyPem } = await certificates.credentials(name);
    return { chainPem, keyPem };
  };
  const trustPem = certificates.trust.pem;
  return { edge: await of('edge/edge-1'), operator: await of('operator/tester'), trustPem };
}

/** Half-finished handshakes, and silence after whole ones. */
export async function silentSteps(credentials: SilentCredentials): Promise<readonly SilentStep[]> {
  const trust = parseTrustBundle(credentials.trustPem);
  const edge = clientTls({ ...credentials.edge, trust });
  const nobody = clientTls({ trust });
  const operator = clientTls({ ...credentials.operator, trust });
  const hello = await clientHello();
  const upgrade = [
    `GET ${LINK_PATH} HTTP/1.1`,
    'Host: replica',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: causeway.link.v1',
  ].join('\r\n');

  const tcp = (after: (socket: Socket) => void = () => undefined): SilentStep['open'] => {
    return (port) => {
      const socket = quiet(connectTcp({ host: '127.0.0.1', port }));
      const ready = once(socket, 'connect').then(() => after(socket));
      return { socket, ready };
    };
  };
  const tls = (options: typeof edge, after: (socket: Socket) => unknown = () => undefined): SilentStep['open'] => {
    return (port) => {
      const socket = quiet(connectTls({ host: '127.0.0.1', port, ...options }));
      const ready = once(socket, 'secureConnect').then(() => after(socket));
      return { socket, ready };
    };
  };
  const says = (text: string) => async (socket: Socket) => {
    socket.write(text);
    await once(socket, 'data');
  };

  return [
    { name: 'TCP and nothing', listener: 'link', open: tcp() },
    { name: 'a ClientHello and nothing', listener: 'link', open: tcp((socket) => void socket.write(hello)) },
    { name: 'a ClientHello, a byte now and then', listener: 'link', open: tcp((socket) => drip(socket, hello)) },
    { name: 'TLS and nothing', listener: 'link', open: tls(edge) },
    {
      name: 'a request, a byte now and then',
      listener: 'link',
      open: tls(edge, (socket) => drip(socket, Buffer.from(upgrade))),
    },
    { name: 'WebSocket and no HELLO', listener: 'link', open: tls(operator, says(`${upgrade}\r\n\r\n`)) },
    { name: 'a ClientHello and nothing', listener: 'api', open: tcp((socket) => void socket.write(hello)) },
    { name: 'TLS and nothing', listener: 'api', open: tls(operator) },
    { name: 'TLS without a certificate and nothing', listener: 'api', open: tls(nobody) },
    {
      name: 'a request, a byte now and then',
      listener: 'api',
      open: tls(nobody, (socket) => drip(socket, Buffer.from('GET /healthz HTTP/1.1\r\nX: '))),
    },
    { name: 'a ClientHello and nothing', listener: 'public', open: tcp((socket) => void socket.write(hello)) },
    { name: 'TLS and nothing', listener: 'public', open: tls(nobody) },
    {
      name: 'a body, a byte now and then',
      listener: 'public',
      open: tls(nobody, (socket) => {
        socket.write('POST /v1/enrol HTTP/1.1\r\nHost: replica\r\nContent-Length: 1000\r\n\r\n');
        drip(socket, Buffer.from('{"token":'));
      }),
    },
  ];
}

/** Writes a byte at a time, and then spaces, as long as somebody is there. */
function drip(socket: Socket, bytes: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    socket.write(at < bytes.length ? bytes.subarray(at, at + 1) : ' ');
    at++;
  }, DRIP_MS);
  socket.once('close', () => clearInterval(timer));
}

function quiet(socket: Socket): Socket {
  socket.on('error', () => undefined);
  socket.resume();
  return socket;
}

/** The first bytes of a TLS connection, as OpenSSL writes them. */
async function clientHello(): Promise<Buffer> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const client = quiet(connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }));
  const [accepted] = (await once(server, 'connection')) as [Socket];
  const [bytes] = (await once(accepted, 'data')) as [Buffer];
  client.destroy();
  accepted.destroy();
  server.close();
  return bytes;
}
