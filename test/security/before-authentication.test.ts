import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { test } from 'tap';
import { clientTls } from '../../certs/index.ts';
import { defaultLimits } from '../../tunnel/index.ts';
import { silentCredentials, silentSteps } from '../endurance/silent-steps.ts';
import { Cluster } from '../support/cluster.ts';
import { withLeakCheck } from '../support/leak-check.ts';
import { within } from '../support/wait-for.ts';

// Where peers were broken: etcd and Boundary had no deadline before authentication, KubeEdge and ws read without bound.

const KIB = 1024;
const listeners = ['link', 'api', 'public'] as const;

test('there is a deadline before authentication, at each step and on each listener', async (t) => {
  withLeakCheck(t);
  const handshakeMs = 1000;
  const cluster = await Cluster.start(t, { edges: 0, limits: { handshakeMs } });
  await cluster.allow('edge-1');
  // A body has a time of its own.
  const steps = (await silentSteps(await silentCredentials(cluster.certificates))).filter(
    ({ name }) => !name.startsWith('a body'),
  );
  const stood = steps.map(async ({ listener, name, open }) => {
    const begin = performance.now();
    const { socket, ready } = open(cluster.ports[listener]);
    await Promise.all([ready, within(`${listener}, ${name}: the cut`, closed(socket))]);
    return performance.now() - begin;
  });
  for (const [index, ms] of (await Promise.all(stood)).entries())
    t.ok(ms >= handshakeMs * 0.7, `${steps[index]?.listener}, ${steps[index]?.name}: ${ms.toFixed(0)} ms`);
});

test('who is known by then stays, however silent', async (t) => {
  withLeakCheck(t);
  const cluster = await Cluster.start(t, { edges: 1, limits: { handshakeMs: 500 } });
  const [link] = cluster.agent('edge-1').uplink.links;
  const fleet = await cluster.client();
  await t.rejects(fleet.edge('edge-1').fetch('none', '/'), { code: 'service-unknown' });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  t.equal(cluster.agent('edge-1').uplink.links[0]?.link, link?.link);
  await t.rejects(fleet.edge('edge-1').fetch('none', '/'), { code: 'service-unknown' });
});

test('nothing without an end is read before authentication', async (t) => {
  withLeakCheck(t);
  const cluster = await Cluster.start(t, { edges: 0 });
  const { trust } = cluster.certificates;
  const operator = clientTls(await cluster.certificates.credentials('operator/alice'));
  const nobody = clientTls({ trust });
  /** What the socket and the kernel between the two take without anybody reading. */
  const buffered = 8 * KIB * KIB;
  for (const listener of listeners) {
    const port = cluster.ports[listener];
    const tls = listener === 'link' ? operator : nobody;
    t.ok((await flood(plain(port), Buffer.from('160301ffff01', 'hex'))) < buffered, `${listener}: a ClientHello`);
    t.ok((await flood(plain(port), Buffer.from('GET / HTTP/1.1\r\n'))) < buffered, `${listener}: HTTP without TLS`);
    t.ok((await flood(secure(port, tls), Buffer.from('GET / HTTP/1.1\r\nX: '))) < buffered, `${listener}: a field`);
    t.ok((await flood(secure(port, tls), Buffer.from('GET /'))) < buffered, `${listener}: a path`);
  }
  const upgrade = [
    'GET /v1/link HTTP/1.1',
    'Host: replica',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: causeway.link.v1',
  ].join('\r\n');
  const oversize = Buffer.alloc(10);
  oversize.writeUInt16BE(0x827f);
  oversize.writeUInt32BE(defaultLimits.maxMessageBytes * 1000, 6);
  const message = Buffer.concat([Buffer.from(`${upgrade}\r\n\r\n`), oversize]);
  t.ok((await flood(secure(cluster.ports.link, operator), message)) < buffered, 'link: a message before HELLO');
});

/** Writes the bytes and then as much as is taken, until the connection is cut: how much that was. */
async function flood(socket: Socket, first: Buffer): Promise<number> {
  const more = Buffer.alloc(64 * KIB, 'a');
  let sent = 0;
  socket.on('error', () => undefined);
  socket.resume();
  const pump = (): void => {
    while (!socket.destroyed && socket.write(more)) sent += more.length;
  };
  socket.on('drain', pump);
  socket.write(first);
  pump();
  await within('the flood to be cut', closed(socket));
  return sent;
}

function plain(port: number): Socket {
  return connectTcp({ host: '127.0.0.1', port });
}

function secure(port: number, tls: ConnectionOptions): Socket {
  return connectTls({ host: '127.0.0.1', port, ...tls });
}

function closed(socket: Socket): Promise<void> {
  return socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once('close', () => resolve()));
}
