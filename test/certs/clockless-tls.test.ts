import t from 'tap';
import type { TLSSocket } from 'node:tls';
import { clocklessTls, createFleetAuthority, identityOf, linkServerTls } from '../../certs/index.ts';
import { connect, createServer } from 'node:tls';
import { once } from 'node:events';
import { credentialsOf } from './tls-pair.ts';

const yearMs = 365 * 24 * 3_600_000;
const trustDomain = 'causeway.example';
/** What a machine sees whose clock is years behind: everything is from its future. */
const soon = Date.now() + 3 * yearMs;
const fleet = await createFleetAuthority(trustDomain, { at: soon });
const strangers = await createFleetAuthority(trustDomain, { at: soon });
const hosts = ['127.0.0.1'];
const identity = identityOf(trustDomain, 'replica/site-a/r0');

/** What `verify` comes to: undefined when the server is accepted. */
async function dial(
  server: Awaited<ReturnType<typeof credentialsOf>>,
  { trust = server.trust, earliest = soon, host = '127.0.0.1' } = {},
): Promise<unknown> {
  const listener = createServer({ ...linkServerTls(server), requestCert: false, rejectUnauthorized: false });
  listener.on('tlsClientError', () => undefined);
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { tls, verify } = clocklessTls({ trust }, host, earliest);
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, ...tls });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  try {
    t.equal(socket.authorized, false, 'OpenSSL goes by the machine’s clock');
    verify(socket);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    socket.destroy();
    listener.close();
  }
}

t.test('a replica is known by its roots where the clock is behind', async (t) => {
  const replica = await credentialsOf(fleet, { identity, hosts, at: soon });
  t.equal(await dial(replica), undefined);
  t.equal(await dial(replica, { earliest: soon - yearMs }), undefined, 'also when only an earlier time is known');
});

t.test('nothing but the clock is overlooked', async (t) => {
  const replica = await credentialsOf(fleet, { identity, hosts, at: soon });
  const stranger = await credentialsOf(strangers, { identity, hosts, at: soon });
  t.match(await dial(stranger, { trust: replica.trust }), { code: 'cert-untrusted' });
  t.match(await dial(replica, { host: '127.0.0.2' }), { code: 'cert-host' });
  const edge = await credentialsOf(fleet, { identity: identityOf(trustDomain, 'edge/edge-1'), at: soon });
  t.match(await dial(edge), { code: 'cert-kind' }, 'an edge is no replica');
  const ended = await credentialsOf(fleet, { identity, hosts, at: soon, validMs: 1000 });
  t.match(await dial(ended, { earliest: soon + 60_000 }), { code: 'cert-expired' });
});
