import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { test } from 'tap';
import { clientTls, type TlsCredentials } from '../../certs/index.ts';
import { dialLink } from '../../tunnel/index.ts';
import { Cluster } from '../support/cluster.ts';
import { withLeakCheck } from '../support/leak-check.ts';
import { within } from '../support/wait-for.ts';

// Where a peer was broken: OpenZiti read the identity from a certificate other than the one that the handshake had proved.

test('an identity is read from the proven certificate, whatever others lie beside it', async (t) => {
  withLeakCheck(t);
  const cluster = await Cluster.start(t, { edges: 0 });
  await cluster.allow('edge-1');
  const { certificates, ports } = cluster;
  const own = await certificates.credentials('edge/edge-2');
  const admitted = await certificates.credentials('edge/edge-1');
  const operator = await certificates.credentials('operator/tester');
  /** The first has a key, the others are copied. */
  const beside = (first: TlsCredentials, ...others: TlsCredentials[]): TlsCredentials => {
    return { ...first, chainPem: [first, ...others].map(({ chainPem }) => chainPem).join('') };
  };
  const link = `127.0.0.1:${ports.link}`;

  await t.rejects(dialLink(link, clientTls(beside(own, admitted, operator))), { code: 'edge-denied' }, 'still edge-2');
  const version = { path: '/version', credentials: beside(own, operator) };
  t.equal((await cluster.ask(version.path, version)).status, 401, 'still an edge');
  const nodes = '/apis/causeway.io/v1/edgenodes';
  t.equal(
    (await cluster.ask(nodes, { credentials: beside(operator, own, admitted) })).status,
    200,
    'still an operator',
  );
  const wire = await dialLink(link, clientTls(beside(admitted, own)));
  wire.destroy();

  // A certificate in front for which there is no key does not get as far as a handshake.
  t.throws(() => connect({ ...clientTls({ ...beside(admitted, own), keyPem: own.keyPem }), port: ports.link }), {
    code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
  });
});

test('no listener resumes a session, so that each handshake proves a certificate', async (t) => {
  withLeakCheck(t);
  const cluster = await Cluster.start(t, { edges: 0 });
  const edge = clientTls(await cluster.certificates.credentials('edge/edge-1'));
  const operator = clientTls(await cluster.certificates.credentials('operator/tester'));
  for (const [listener, tls] of [
    ['link', edge],
    ['api', operator],
    ['public', clientTls({ trust: cluster.certificates.trust })],
  ] as const) {
    const sessions = new Set<Buffer>();
    const reused: boolean[] = [];
    for (let round = 0; round < 5; round++) {
      // The newest that it gave, if it gave any.
      const session = [...sessions].at(-1);
      const socket = await handshake(cluster.ports[listener], {
        ...tls,
        ...(session === undefined ? {} : { session }),
      });
      reused.push(socket.isSessionReused());
      const ticket = socket.getSession();
      if (ticket !== undefined) sessions.add(ticket);
      for (const each of tickets.get(socket) ?? []) sessions.add(each);
      socket.destroy();
    }
    t.ok(sessions.size > 0, `${listener}: there is something to offer`);
    t.strictSame(reused, [false, false, false, false, false], listener);
  }
});

const tickets = new WeakMap<TLSSocket, Buffer[]>();

/** Connects, asks for something, and reads the answer: by then every ticket has come. */
function handshake(port: number, tls: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ...tls });
  const got: Buffer[] = [];
  tickets.set(socket, got);
  socket.on('session', (session) => got.push(session));
  socket.write('GET /healthz HTTP/1.1\r\nHost: replica\r\n\r\n');
  const answered = new Promise<TLSSocket>((resolve, reject) => {
    socket.on('error', reject);
    socket.once('data', () => resolve(socket));
  });
  return within('an answer', answered);
}
