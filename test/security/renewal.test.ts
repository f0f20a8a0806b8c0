import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { IncomingMessage } from 'node:http';
import { test } from 'tap';
import { clientTls, makeCertificateRequest, parseChain, signRenewal } from '../../certs/index.ts';
import { renewPath } from '../../api/index.ts';
import { TestFleet } from '../support/certificates.ts';
import { Cluster } from '../support/cluster.ts';
import { readAnswer, type Answer } from '../support/edge-path.ts';
import { withLeakCheck } from '../support/leak-check.ts';

const expired = { validMs: -60_000 };

async function dial(cluster: Cluster): Promise<TLSSocket> {
  const tls: ConnectionOptions = clientTls({ trust: cluster.certificates.trust });
  const socket = connect({ host: '127.0.0.1', port: cluster.ports.public, ...tls });
  await once(socket, 'secureConnect');
  return socket;
}

async function post(socket: TLSSocket, body: unknown): Promise<Answer> {
  const text = JSON.stringify(body);
  const headers = { 'host': '127.0.0.1', 'connection': 'close', 'content-length': Buffer.byteLength(text) };
  const request = httpsRequest({ createConnection: () => socket, method: 'POST', path: renewPath, headers });
  request.end(text);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return await readAnswer(response);
}

test('an expired certificate is renewed for who has its key, on one connection, and for nobody else', async (t) => {
  withLeakCheck(t);
  const cluster = await Cluster.start(t);
  const mine = await cluster.certificates.credentials('edge/edge-1', expired);
  const { csrPem } = await makeCertificateRequest();
  const claim = (socket: TLSSocket, credentials = mine, csr = csrPem) => ({
    chain: credentials.chainPem,
    csr,
    signature: signRenewal({ socket, leaf: parseChain(credentials.chainPem).leaf, csrPem: csr }, credentials.keyPem),
  });
  const refused = async (what: string, bodyOf: (socket: TLSSocket) => unknown): Promise<void> => {
    const socket = await dial(cluster);
    const answer = await post(socket, bodyOf(socket));
    t.equal(answer.status, 403, what);
    t.match(JSON.parse(String(answer.body)), { message: 'refused' }, `${what}: the wire says no more`);
  };

  const good = await dial(cluster);
  const body = claim(good);
  const renewed = await post(good, body);
  t.equal(renewed.status, 200);
  t.match(JSON.parse(String(renewed.body)), { chain: /BEGIN CERTIFICATE/u, trust: /BEGIN CERTIFICATE/u });

  await refused('what was signed for another connection', () => body);
  const other = await cluster.certificates.credentials('edge/edge-2', expired);
  await refused('a certificate without its key', (socket) => ({ ...claim(socket, other), chain: mine.chainPem }));
  const swapped = await makeCertificateRequest();
  await refused('a request for another key', (socket) => ({ ...claim(socket), csr: swapped.csrPem }));
  const strangers = await TestFleet.create();
  const stranger = await strangers.credentials('edge/edge-1', expired);
  await refused('a certificate of another fleet of the same name', (socket) => claim(socket, stranger));
  const operator = await cluster.certificates.credentials('operator/tester', expired);
  await refused('an operator’s certificate', (socket) => claim(socket, operator));
  const replica = await cluster.certificates.credentials('replica/site-a/r0', expired);
  await refused('a replica’s certificate', (socket) => claim(socket, replica));
  const { authority } = cluster.certificates;
  const leafOnly = parseChain(mine.chainPem).leaf.toString();
  await refused('a chain with a false issuer', (socket) => ({
    ...claim(socket),
    chain: leafOnly + authority.issuers.operator.certPem,
  }));
  await refused('a chain that ends at the root', (socket) => ({
    ...claim(socket),
    chain: leafOnly + authority.root.certPem,
  }));
});

test('an edge opens control streams in its own name only', async (t) => {
  withLeakCheck(t);
  const cluster = await Cluster.start(t, { edges: 2 });
  const { endpoint } = cluster.agent('edge-1');
  const ask = async (target: {
    readonly edge: string;
    readonly kind: string;
    readonly service?: string;
  }): Promise<string> => {
    const core = endpoint.open({
      service: '',
      verb: 'connect',
      path: '/v1/trust',
      principal: 'operator/tester',
      ...target,
    });
    return await new Promise((resolve) => {
      core.user = {
        onAccepted: () => resolve('accepted'),
        onReadable: () => resolve('accepted'),
        onWritable: () => undefined,
        onClosed: (error) => resolve(error?.code ?? 'closed'),
      };
      core.end();
    });
  };
  t.equal(await ask({ edge: 'edge-1', kind: 'control' }), 'accepted');
  t.equal(await ask({ edge: 'edge-2', kind: 'control' }), 'denied');
  t.equal(await ask({ edge: 'edge-2', kind: 'http', service: 'web' }), 'denied');
  t.equal(await ask({ edge: 'edge-1', kind: 'tcp', service: 'echo' }), 'denied');
  t.equal(await ask({ edge: 'edge-1', kind: 'sync', service: 'kube' }), 'denied');
});
