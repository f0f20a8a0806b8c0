import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'tap';
import type { Test } from 'tap';
import { silentLog, systemClock } from '../../../base/index.ts';
import { EdgeFeeds, feedConfigSchema } from '../../../edge-agent/feed/index.ts';
import { serviceTransport } from '../../../edge-agent/feed/service-transport.ts';
import { ServiceTable, type ServiceConfig } from '../../../edge-agent/services/index.ts';
import { MemoryOpener } from '../../support/stream-pair.ts';
import { waitFor } from '../../support/wait-for.ts';

const target = { edge: 'edge-1', service: 'kube', kind: 'sync', verb: 'connect', path: '' };
const hello = Buffer.from(JSON.stringify({ version: 1, cursors: {} }));

test('Only a replica is fed, and only from a service that is', async (t) => {
  const { feeds } = await setUp(t, () => undefined);
  const opener = new MemoryOpener((stream) => feeds.dispatchStream(stream));
  const refusal = async (service: string, principal: string, head = hello): Promise<string> => {
    const stream = opener.open({ ...target, service, principal }, { head });
    const [error] = (await once(stream, 'error')) as [Error & { code: string }];
    return error.code;
  };
  t.equal(await refusal('kube', 'operator/alice'), 'denied');
  t.equal(await refusal('kube', ''), 'denied');
  t.equal(await refusal('kube', 'component/replica/x'), 'denied');
  t.equal(await refusal('hello', 'replica/site-a/r0'), 'service-unknown');
  t.equal(await refusal('kube', 'replica/site-a/r0', Buffer.from('{')), 'record-malformed');
  t.equal(feeds.feeds.get('kube')?.kinds.length, 0, 'nothing is watched for those');
  const stream = opener.open({ ...target, principal: 'replica/site-a/r0' }, { head: hello });
  const [first] = (await once(stream, 'data')) as [Buffer];
  t.ok(first.length > 0);
  stream.destroy();
});

test('The watches of the API end when nobody has asked for a while', async (t) => {
  const { feeds } = await setUp(t, () => undefined, { idleStopMs: 30 });
  const opener = new MemoryOpener((stream) => feeds.dispatchStream(stream));
  const stream = opener.open({ ...target, principal: 'replica/site-a/r0' }, { head: hello });
  await once(stream, 'data');
  t.equal(feeds.feeds.get('kube')?.kinds.length, 1);
  stream.destroy();
  await waitFor('they have ended', () => feeds.feeds.get('kube')?.kinds.length === 0);
});

test('The agent’s own requests have the service’s credentials, and come back piece by piece', async (t) => {
  const seen: IncomingMessage[] = [];
  const { services } = await setUp(t, (request, response) => {
    seen.push(request);
    response.setHeader('X-Version', '1');
    response.write('first ');
    response.end('second');
  });
  const transport = serviceTransport(services.http('kube'));
  const signal = new AbortController().signal;
  const answer = await transport({
    method: 'GET',
    path: '/api/v1/pods?limit=1',
    headers: { accept: 'application/json', authorization: 'Bearer mine' },
    signal,
  });
  t.equal(answer.status, 200);
  t.equal(answer.headers['x-version'], '1');
  let text = '';
  for await (const chunk of answer.body) text += Buffer.from(chunk).toString();
  t.equal(text, 'first second');
  t.equal(seen[0]?.url, '/base/api/v1/pods?limit=1');
  t.equal(seen[0]?.headers['authorization'], 'Bearer of-the-edge');
});

test('A request of the agent is ended by its signal, and by whoever stops reading', async (t) => {
  let closed = 0;
  const { services } = await setUp(t, (request, response) => {
    request.on('close', () => closed++);
    if (request.url?.endsWith('/silent') !== true) response.write('x'.repeat(1000));
  });
  const transport = serviceTransport(services.http('kube'));
  const abort = new AbortController();
  const asked = transport({ method: 'GET', path: '/silent', headers: {}, signal: abort.signal });
  setTimeout(() => abort.abort(new Error('enough')), 20);
  await t.rejects(asked, { message: 'enough' });
  const answer = await transport({ method: 'GET', path: '/', headers: {}, signal: new AbortController().signal });
  for await (const chunk of answer.body) {
    t.ok(chunk.length > 0);
    break;
  }
  await waitFor('both connections are closed', () => closed === 2);
});

test('An answer that is cut off is an error of its reader', async (t) => {
  const { services } = await setUp(t, (_request, response) => {
    response.setHeader('Content-Length', '1000');
    response.write('part');
    setImmediate(() => response.destroy());
  });
  const transport = serviceTransport(services.http('kube'));
  const answer = await transport({ method: 'GET', path: '/', headers: {}, signal: new AbortController().signal });
  await t.rejects(async () => {
    for await (const chunk of answer.body) void chunk;
  });
});

test('What is fed has to be a service of kind http', (t) => {
  const services = new ServiceTable({ services: [{ name: 'db', kind: 'tcp', address: 'localhost:1' }] });
  const feeds = new Map([['db', feedConfigSchema.parse({ resources: ['pods'] })]]);
  t.throws(() => new EdgeFeeds({ services, feeds, clock: systemClock, log: silentLog }), { code: 'service-invalid' });
  t.end();
});

async function setUp(
  t: Pick<Test, 'teardown'>,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  config: Record<string, unknown> = {},
) {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const kube: ServiceConfig = {
    name: 'kube',
    kind: 'http',
    url: `http://127.0.0.1:${port}/base`,
    headers: { Authorization: 'Bearer of-the-edge' },
  };
  const services = new ServiceTable({ services: [kube] });
  const feeds = new EdgeFeeds({
    services,
    feeds: new Map([['kube', feedConfigSchema.parse({ resources: ['pods'], ...config })]]),
    clock: systemClock,
    log: silentLog,
  });
  t.teardown(async () => {
    await feeds.close();
    await services.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { services, feeds };
}
