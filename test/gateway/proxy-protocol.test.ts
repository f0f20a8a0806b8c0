import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { test } from 'tap';
import { createLog } from '../../base/index.ts';
import { clientTls } from '../../certs/index.ts';
import { parseProxyHeader } from '../../gateway/proxy-protocol.ts';
import { Cluster } from '../support/cluster.ts';
import { waitFor } from '../support/wait-for.ts';

const signature = '0d0a0d0a000d0a515549540a';
/** 192.0.2.7:4660 to 198.51.100.1:443. */
const version2 = Buffer.from(`${signature}2111000cc0000207c6336401123401bb`, 'hex');
/** The same over IPv6, 2001:db8::7 to 2001:db8::1, with a field behind. */
const version6 = Buffer.from(
  `${signature}2121002820010db800000000000000000000000720010db8000000000000000000000001123401bb04000141`,
  'hex',
);
const local = Buffer.from(`${signature}20000000`, 'hex');

test('a header says where the connection comes from, and where TLS begins', (t) => {
  const source = { address: '192.0.2.7', port: 4660 };
  const line = Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\r\n\x16\x03\x01');
  t.strictSame(parseProxyHeader(line), { length: line.length - 3, source });
  t.strictSame(parseProxyHeader(version2), { length: 28, source });
  t.strictSame(parseProxyHeader(version6), { length: 56, source: { address: '2001:db8::7', port: 4660 } });
  const line6 = 'PROXY TCP6 2001:db8::7 2001:db8::1 4660 443\r\n';
  t.match(parseProxyHeader(Buffer.from(line6)), { source: { address: '2001:db8::7' } });
  t.strictSame(parseProxyHeader(Buffer.from('PROXY UNKNOWN whatever\r\n')), { length: 24, source: undefined });
  t.strictSame(parseProxyHeader(local), { length: 16, source: undefined }, "the load balancer's own connection");
  t.end();
});

test('a header that is not whole is waited for, byte for byte', (t) => {
  for (const header of [Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\r\n'), version2, version6, local]) {
    for (let length = 1; length < header.length; length++)
      t.equal(parseProxyHeader(header.subarray(0, length)), undefined);
    t.ok(parseProxyHeader(header));
  }
  t.end();
});

test('what is no header is refused as soon as that is known', (t) => {
  const refused = [
    '\x16\x03\x01',
    'GET / HTTP/1.1',
    'PROXY TCP4 192.0.2.7 198.51.100.1 4660\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 4660 443 more\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 4660 65536\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 04660 443\r\n',
    'PROXY TCP4 192.0.2.07 198.51.100.1 4660 443\r\n',
    'PROXY TCP4 2001:db8::7 2001:db8::1 4660 443\r\n',
    'PROXY TCP6 192.0.2.7 198.51.100.1 4660 443\r\n',
    'PROXY UDP4 192.0.2.7 198.51.100.1 4660 443\r\n',
    'proxy TCP4 192.0.2.7 198.51.100.1 4660 443\r\n',
    `PROXY UNKNOWN ${'x'.repeat(107)}`,
    Buffer.from(`${signature}31110000`, 'hex'),
    Buffer.from(`${signature}2211000c`, 'hex'),
    Buffer.from(`${signature}2112000cc0000207c6336401123401bb`, 'hex'),
    Buffer.from(`${signature}21110004c0000207`, 'hex'),
    Buffer.from(`${signature}21110800`, 'hex'),
  ];
  for (const bytes of refused) {
    const header = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    t.throws(() => parseProxyHeader(header), { code: 'proxy-header' }, String(bytes));
  }
  t.end();
});

test('behind a load balancer a listener knows where a connection comes from, and takes none without a header', async (t) => {
  const events: { event: string; remote?: string }[] = [];
  const write = (line: string): void => void events.push(JSON.parse(line) as { event: string; remote?: string });
  const log = createLog({ name: 'replica', level: 'debug', destination: { write } });
  const behind = { host: '127.0.0.1', port: 0, proxyProtocol: 'v1v2' };
  const cluster = await Cluster.start(t, { edges: 0, log, gateway: { link: behind } });
  const port = cluster.ports.link;
  const stranger = clientTls({ trust: cluster.certificates.trust });

  for (const [header, address] of [
    [Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\r\n'), '192.0.2.7'],
    [version6, '2001:db8::7'],
    [local, '127.0.0.1'],
  ] as const) {
    events.length = 0;
    const socket = await begin(port);
    // Not all at once, and the last of it together with TLS.
    socket.write(header.subarray(0, 5));
    await new Promise(setImmediate);
    socket.write(header.subarray(5));
    const tls = connectTls({ ...stranger, socket, host: '127.0.0.1' });
    tls.on('error', () => undefined);
    await closed(tls);
    const failed = await waitFor('the refusal', () => events.find(({ event }) => event === 'link-handshake-failed'));
    t.match(failed, { remote: address, error: { code: 'cert-missing' } });
  }

  const operator = clientTls(await cluster.certificates.credentials('operator/alice'));
  const socket = await begin(port);
  socket.write(version2);
  const known = connectTls({ ...operator, socket, host: '127.0.0.1' });
  known.write(
    'GET /v1/link HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n',
  );
  known.write('Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: causeway.link.v1\r\n\r\n');
  const [answer] = (await once(known, 'data')) as [Buffer];
  t.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /u);
  known.destroy();
  t.ok(await waitFor('the link to be closed', () => events.find(({ event }) => event === 'link-closed')));

  events.length = 0;
  const without = connectTls({ port, host: '127.0.0.1', ...operator });
  without.on('error', () => undefined);
  await closed(without);
  t.match(events, [{ event: 'proxy-header-refused', remote: '127.0.0.1' }]);
});

/** At `close`, whatever came before it. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function begin(port: number): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  return socket;
}
