import { connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { parseAuditRecord, type AuditRecord } from '../../api/index.ts';
import type { Cluster } from '../support/cluster.ts';
import { waitFor, within } from '../support/wait-for.ts';
import { begin, closed, opened, start, WEB } from './start.ts';

async function records(cluster: Cluster, query = ''): Promise<AuditRecord[]> {
  const { status, body } = await cluster.ask(`/v1/audit?${query}`);
  if (status !== 200) throw new Error(`HTTP ${status}: ${String(body)}`);
  return String(body)
    .split('\n')
    .flatMap((line) => parseAuditRecord(line) ?? []);
}

function untilRecord(cluster: Cluster, query: string, like: Partial<AuditRecord>): Promise<AuditRecord> {
  return waitFor(`${JSON.stringify(like)} in ${query}`, async () =>
    (await records(cluster, query)).find((record) =>
      Object.entries(like).every(([name, value]) => record[name as keyof AuditRecord] === value),
    ),
  );
}

test('links are told of when they come, when they are refused, and when they end', async (t) => {
  const { cluster } = await start(t);
  await untilRecord(cluster, 'action=link&edge=edge-1', { outcome: 'allowed', principal: 'edge/edge-1' });
  await cluster.startAgent('edge-x');
  const refused = await untilRecord(cluster, 'action=link&outcome=refused', { principal: 'edge/edge-x' });
  t.match(refused, { edge: 'edge-x', code: 'edge-denied', remote: '127.0.0.1', reason: /whitelist/ });
  await cluster.stopAgent('edge-x');
  await cluster.setAdmission('edge-1', 'Denied');
  const cut = await untilRecord(cluster, 'action=link-cut', { edge: 'edge-1' });
  t.match(cut, { code: 'edge-denied', principal: 'edge/edge-1' });
  const ended = await untilRecord(cluster, 'action=link&outcome=done', { edge: 'edge-1' });
  t.ok((ended.durationMs ?? -1) >= 0);
  await untilRecord(cluster, 'action=patch', { edge: 'edge-1', principal: 'operator/tester', outcome: 'done' });
});

test('whoever shows no certificate is told of without a name, with his address', async (t) => {
  const { cluster } = await start(t);
  for (const port of [cluster.ports.link, cluster.ports.api]) {
    const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    // TLS 1.3: the client is done before the server has looked.
    await once(socket, 'secureConnect').catch(() => undefined);
    socket.write('GET /apis/causeway.io/v1/edgenodes?token=abc HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.resume();
    const told = await waitFor('the refusal', async () =>
      (await records(cluster, 'outcome=refused')).find(
        ({ principal, action, remote }) =>
          principal === '' && remote === '127.0.0.1' && action === (port === cluster.ports.link ? 'link' : 'list'),
      ),
    );
    t.notMatch(JSON.stringify(told), /abc/);
    socket.destroy();
  }
});

test('connections are told of at their begin and at their end, with bytes, by either way', async (t) => {
  const { cluster } = await start(t);
  const fleet = await cluster.client();
  const stream = fleet.edge('edge-1').dial('echo');
  await opened(stream);
  stream.on('data', () => undefined);
  stream.write(Buffer.alloc(10_000));
  const query = 'action=connect&edge=edge-1';
  const allowed = await untilRecord(cluster, query, { outcome: 'allowed', service: 'echo' });
  t.match(allowed, { principal: 'operator/tester', rule: /\S/, remote: '127.0.0.1' });
  stream.end();
  await within('the end', closed(stream));
  const done = await untilRecord(cluster, query, { outcome: 'done', service: 'echo' });
  t.ok((done.bytes ?? 0) >= 20_000, `${done.bytes} bytes`);
  t.type(done.durationMs, 'number');
});

test('writes to an edge are told of, reads are not, and no query and no body is', async (t) => {
  const { cluster } = await start(t);
  const secret = randomBytes(16).toString('hex');
  await cluster.ask(`${WEB}/read?q=${secret}`);
  await cluster.ask(`${WEB}/write?q=${secret}`, {
    method: 'POST',
    body: secret,
    headers: { authorization: `Bearer ${secret}`, cookie: secret },
  });
  const written = await untilRecord(cluster, 'action=create&edge=edge-1', { service: 'web' });
  t.match(written, { outcome: 'done', path: '/write', principal: 'operator/tester', reason: /^HTTP \d+$/ });
  t.strictSame(await records(cluster, 'action=get&edge=edge-1'), []);
  const fleet = await cluster.client();
  const answer = await fleet.edge('edge-1').fetch('web', `/linked?q=${secret}`, { method: 'PUT', body: secret });
  await answer.arrayBuffer();
  await untilRecord(cluster, 'action=update&edge=edge-1', { path: '/linked', outcome: 'done' });
  await cluster.ask(`/apis/causeway.io/v1/edgenodes?token=${secret}`, { method: 'POST', body: `{"spec":"${secret}"}` });
  await untilRecord(cluster, 'action=create', { path: '/apis/causeway.io/v1/edgenodes', outcome: 'failed' });
  for (const name of await readdir(cluster.folder))
    if (name.startsWith('audit')) t.notOk((await readFile(join(cluster.folder, name), 'utf8')).includes(secret), name);
});

test('an object that is made is named', async (t) => {
  const { cluster } = await start(t);
  await cluster.allow('edge-new');
  const made = await untilRecord(cluster, 'action=create', { edge: 'edge-new', outcome: 'done' });
  t.match(made, { path: '/apis/causeway.io/v1/edgenodes/edge-new', principal: 'operator/tester', reason: 'HTTP 201' });
});

test('connections that say nothing, or nonsense, cost the log no more than their bound', async (t) => {
  const { cluster } = await start(t);
  for (let index = 0; index < 120; index++) {
    const socket = tcpConnect({ host: '127.0.0.1', port: cluster.ports.link });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.end('nonsense\r\n\r\n');
    socket.resume();
    await within('the cut', closed(socket));
  }
  const single = await waitFor('refusals', async () => {
    const found = (await records(cluster, 'action=link&outcome=refused')).filter(({ principal }) => principal === '');
    return found.length >= 30 ? found : undefined;
  });
  t.ok(single.length < 60, `${single.length} lines for 120`);
});

test('a request that is not answered whole is told of as failed', async (t) => {
  const { cluster } = await start(t);
  const { request, response } = await begin(cluster, `${WEB}/endless`, { method: 'POST' });
  const gone = closed(response);
  request.destroy();
  await within('the end', gone);
  t.match(await untilRecord(cluster, 'action=create&edge=edge-1', { outcome: 'failed' }), {
    code: 'canceled',
    path: '/endless',
  });
});
