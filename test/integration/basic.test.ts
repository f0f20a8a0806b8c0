import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import { WebSocket } from 'ws';
import { Cluster } from '../support/cluster.ts';
import { TestFleet } from '../support/certificates.ts';
import type { AskOptions } from '../support/fleet-access.ts';
import { withLeakCheck } from '../support/leak-check.ts';
import { waitFor, within } from '../support/wait-for.ts';
import { begin, codeIn, opened, start, WEB } from './start.ts';
import { startUpstream } from './upstream.ts';

test('HTTP reaches a service of an edge and comes back', async (t) => {
  const { cluster, upstream } = await start(t);

  await t.test('GET', async (t) => {
    const answer = await cluster.ask(`${WEB}/some/path?q=1`);
    t.equal(answer.status, 200);
    t.equal(answer.headers['x-edge'], 'edge-1');
    t.equal(String(answer.body), 'edge-1 GET /some/path?q=1');
  });

  await t.test('POST of a stream in both directions', async (t) => {
    const body = randomBytes(3_000_000);
    const answer = await cluster.ask(`${WEB}/echo`, { method: 'POST', body });
    t.ok(answer.body.equals(body), 'the same bytes');
    const chunked = cluster.open(`${WEB}/hash`, { method: 'POST' });
    chunked.write(body.subarray(0, 1_000_000));
    chunked.end(body.subarray(1_000_000));
    const [response] = (await once(chunked, 'response')) as [IncomingMessage];
    const sha256 = createHash('sha256').update(body).digest('hex');
    t.strictSame(JSON.parse(await text(response)), { bytes: body.length, sha256 });
  });

  await t.test('curl gets the same', async (t) => {
    const { stdout, stderr } = await cluster.curl('-i', `${cluster.apiUrl}${WEB}/via-curl`);
    t.match(stdout, /^HTTP\/1\.1 200 OK/u, stderr);
    t.match(stdout, /edge-1 GET \/via-curl$/u);
    const file = join(cluster.folder, 'upload');
    writeFileSync(file, randomBytes(500_000));
    const upload = await cluster.curl('-T', file, `${cluster.apiUrl}${WEB}/hash`);
    t.match(JSON.parse(upload.stdout), { bytes: 500_000 }, upload.stderr);
  });

  await t.test('a client that goes away is noticed at the service', async (t) => {
    const { request } = await begin(cluster, `${WEB}/endless`);
    t.equal(upstream.endless(), 1);
    request.destroy();
    await waitFor('the service to see it', () => upstream.endless() === 0);
    t.equal((await cluster.ask(`${WEB}/after`)).status, 200);
  });

  await t.test('an answer that the service cuts off is cut off', async (t) => {
    await t.rejects(cluster.ask(`${WEB}/cut`), /aborted|socket hang up/u);
    const curl = await cluster.curl(`${cluster.apiUrl}${WEB}/cut`);
    t.equal(curl.exitCode, 18, 'curl: transfer closed with outstanding data');
  });

  await t.test('server-sent events come one by one', async (t) => {
    const request = cluster.open(`${WEB}/events`, { method: 'POST' });
    request.write('subscribe');
    const [response] = (await within('the head', once(request, 'response'))) as [IncomingMessage];
    const [first] = (await within('the first event', once(response, 'data'))) as [Buffer];
    t.equal(String(first), 'data: one\n\n');
    request.end();
    t.equal(await text(response), 'data: two\n\n');
  });

  await t.test('trailers go both ways', async (t) => {
    const answer = await cluster.ask(`${WEB}/trailers`);
    t.equal(String(answer.body), 'body');
    t.strictSame({ ...answer.trailers }, { 'x-sum': '42' });
    const request = cluster.open(`${WEB}/request-trailers`, { method: 'POST', headers: { trailer: 'x-check' } });
    request.write('sent');
    request.addTrailers({ 'x-check': '7' });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    t.match(JSON.parse(await text(response)), { text: 'sent', trailers: { 'x-check': '7' } });
  });

  await t.test('Expect: 100-continue asks the service before the body is sent', async (t) => {
    const headers = { 'expect': '100-continue', 'content-length': 4 };
    const request = cluster.open(`${WEB}/echo`, { method: 'POST', headers });
    request.flushHeaders();
    await within('100 Continue', once(request, 'continue'));
    request.end('body');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    t.equal(await text(response), 'body');

    const refused = cluster.open(`${WEB}/refuse-body`, { method: 'POST', headers });
    refused.on('continue', () => t.fail('it must not be asked for'));
    refused.on('error', () => undefined);
    refused.flushHeaders();
    const [refusal] = (await within('the refusal', once(refused, 'response'))) as [IncomingMessage];
    t.equal(refusal.statusCode, 413);
    t.equal(await text(refusal), 'too long');
    refused.destroy();
  });

  await t.test('a WebSocket', async (t) => {
    const { chainPem, keyPem, trust } = await cluster.certificates.credentials('operator/tester');
    const socket = new WebSocket(`${cluster.apiUrl.replace('https', 'wss')}${WEB}/ws`, {
      ca: trust.pem,
      cert: chainPem,
      key: keyPem,
    });
    await within('the upgrade', once(socket, 'open'));
    const message = randomBytes(200_000);
    socket.send(message);
    const [echoed] = (await within('the echo', once(socket, 'message'))) as [Buffer];
    t.ok(message.equals(echoed));
    socket.close(1000);
    const [code] = (await within('the close', once(socket, 'close'))) as [number];
    t.equal(code, 1000);
  });

  await t.test('what the service is told of the caller comes from us', async (t) => {
    const headers = { 'x-forwarded-for': '1.2.3.4', 'authorization': 'Bearer stolen', 'x-own': 'kept' };
    const answer = await cluster.ask(`${WEB}/head`, { headers });
    const seen = (JSON.parse(String(answer.body)) as { headers: Record<string, string> }).headers;
    t.equal(seen['x-own'], 'kept');
    t.equal(seen['authorization'], undefined);
    t.notMatch(seen['x-forwarded-for'] ?? '', /1\.2\.3\.4/u);
  });
});

test('what cannot be reached is told apart', async (t) => {
  const { cluster } = await start(t, { addresses: ['127.0.0.1:1'] });
  await cluster.allow('absent');

  const cases = [
    { name: 'an edge that nobody knows', path: '/edges/nowhere/web/', status: 404, code: 'edge-unknown' },
    { name: 'a service that is not declared', path: '/edges/edge-1/nothing/', status: 404, code: 'service-unknown' },
    { name: 'a service of another kind', path: '/edges/edge-1/echo/', status: 404, code: 'service-unknown' },
    { name: 'a name that is none', path: '/edges/Edge_1/web/', status: 404, code: 'name-invalid' },
    { name: 'a service that does not listen', path: '/edges/edge-1/refuses/', status: 502, code: 'upstream-refused' },
    { name: 'a service that does not answer', path: '/edges/edge-1/hangs/', status: 504, code: 'upstream-timeout' },
  ];
  for (const { name, path, status, code } of cases) {
    await t.test(name, async (t) => {
      const answer = await cluster.ask(path);
      t.equal(answer.status, status);
      t.equal(codeIn(answer), code);
      t.match(JSON.parse(String(answer.body)), { kind: 'Status', status: 'Failure', code: status });
    });
  }

  await t.test('an address that the agent does not allow', async (t) => {
    const { stderr } = await cluster.curl(...proxyArgs(cluster), '-p', 'http://10.1.2.3.edge-1.edge.causeway:80/');
    t.match(stderr, /403/u);
    const fleet = await cluster.client();
    await t.rejects(opened(fleet.edge('edge-1').dial('10.1.2.3:80')), { code: 'address-denied' });
    await t.rejects(opened(fleet.edge('edge-1').dial('127.0.0.1:1')), { code: 'upstream-refused' });
  });
});

test('who shows no certificate of ours is not served', async (t) => {
  const { cluster } = await start(t);
  const stranger = await (await TestFleet.create()).credentials('operator/tester');
  const expired = await cluster.certificates.credentials('operator/tester', {
    at: Date.now() - 7_200_000,
    validMs: 3_600_000,
  });
  const edge = await cluster.certificates.credentials('edge/edge-1');
  const cases: Record<string, NonNullable<AskOptions['credentials']>> = {
    'no certificate': {},
    'another fleet': stranger,
    'an expired certificate': expired,
    "an edge's certificate": edge,
  };
  for (const [name, credentials] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const answer = await cluster.ask(`${WEB}/`, { credentials });
      t.equal(answer.status, 401);
      t.equal(codeIn(answer), 'unauthenticated');
      t.equal((await cluster.ask('/apis/causeway.io/v1/edgenodes', { credentials })).status, 401);
    });
  }
  t.equal((await cluster.ask('/healthz', { credentials: {} })).status, 200, 'health needs none');
});

test('CONNECT and absolute-form through the gateway as a proxy', async (t) => {
  const upstream = await startUpstream(t, 'edge-1');
  const cluster = await Cluster.start(t, {
    services: () => upstream.services,
    addresses: [`127.0.0.1:${upstream.web.port}`],
  });

  await t.test('absolute-form names a service', async (t) => {
    const { stdout, stderr } = await cluster.curl(...proxyArgs(cluster), 'http://web.edge-1.edge.causeway/absolute');
    t.equal(stdout, 'edge-1 GET /absolute', stderr);
  });

  await t.test('CONNECT reaches an address that the agent allows', async (t) => {
    const url = `http://127.0.0.1.edge-1.edge.causeway:${upstream.web.port}/connect`;
    const { stdout, stderr } = await cluster.curl(...proxyArgs(cluster), '-p', url);
    t.equal(stdout, 'edge-1 GET /connect', stderr);
  });

  await t.test('CONNECT to what is no edge is refused', async (t) => {
    const { stderr } = await cluster.curl(...proxyArgs(cluster), '-p', 'http://example.com/');
    t.match(stderr, /404/u);
  });
});

test('two edges do not disturb each other', async (t) => {
  withLeakCheck(t);
  const upstreams = new Map([
    ['edge-1', await startUpstream(t, 'edge-1')],
    ['edge-2', await startUpstream(t, 'edge-2')],
  ]);
  const services = (edge: string) => upstreams.get(edge)?.services ?? [];
  const cluster = await Cluster.start(t, { edges: 2, weak: true, services });
  const { response } = await begin(cluster, '/edges/edge-2/web/endless');
  cluster.weak('edge-1').blackHole();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => cluster.ask(`/edges/edge-2/web/${index}`)),
  );
  t.ok(answers.every(({ status }) => status === 200));
  await cluster.stopAgent('edge-1');
  t.equal(String((await cluster.ask('/edges/edge-2/web/still')).body), 'edge-2 GET /still');
  t.equal(upstreams.get('edge-2')?.endless(), 1, 'a long request goes on');
  response.destroy();
  cluster.weak('edge-1').restore();
});

function proxyArgs(cluster: Cluster): readonly string[] {
  const { ca, cert, key } = cluster.tlsFiles;
  return ['-x', cluster.apiUrl, '--proxy-cacert', ca, '--proxy-cert', cert, '--proxy-key', key];
}
