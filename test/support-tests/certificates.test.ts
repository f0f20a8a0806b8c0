import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { test } from 'tap';
import { clientTls, identifyPeer, linkServerTls, loadKeyStore, type TlsCredentials } from '../../certs/index.ts';
import { TestFleet } from '../support/certificates.ts';
import { withLeakCheck } from '../support/leak-check.ts';

test('an edge and a replica of one fleet accept each other', async (t) => {
  withLeakCheck(t);
  const fleet = await TestFleet.create();
  t.equal(
    await handshake(await fleet.credentials('replica/site-a/r0'), await fleet.credentials('edge/edge-1')),
    'edge',
  );
});

test('an edge of another fleet with the same name is refused', async (t) => {
  withLeakCheck(t);
  const [fleet, other] = [await TestFleet.create(), await TestFleet.create()];
  const stranger = { ...(await other.credentials('edge/edge-1')), trust: fleet.trust };
  await t.rejects(handshake(await fleet.credentials('replica/site-a/r0'), stranger));
});

test('an expired certificate is refused', async (t) => {
  withLeakCheck(t);
  const fleet = await TestFleet.create();
  const expired = await fleet.credentials('edge/edge-1', { at: Date.now() - 10_000, validMs: 5_000 });
  await t.rejects(handshake(await fleet.credentials('replica/site-a/r0'), expired));
});

test('a key store that was written can be loaded', async (t) => {
  const fleet = await TestFleet.create();
  const store = await loadKeyStore(await fleet.keyStore(t.testdir(), 'component/inventory'));
  t.match(store.identity, { kind: 'component', name: 'inventory' });
});

/** Connects with mTLS; returns the kind of the client as the server sees it. */
async function handshake(server: TlsCredentials, client: TlsCredentials): Promise<string> {
  const listener = createServer(linkServerTls(server), (socket) => {
    socket.on('error', () => undefined);
    socket.end(identifyPeer(socket, { trust: server.trust, kinds: ['edge'] }).kind);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    ...clientTls(client),
  });
  try {
    for await (const answer of socket) return String(answer);
    throw new Error('the server closed the connection');
  } finally {
    socket.destroy();
    listener.close();
  }
}
