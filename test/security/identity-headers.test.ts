/**
 * "Identity headers not stripped": a service that believes its proxy believed the caller (Rancher, NATS). Nothing that says who
 * calls passes from outside, neither the front nor an agent, whose opener may be any program.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { test, type Test } from 'tap';
import { ServiceTable, type HttpServiceConfig } from '../../edge-agent/services/index.ts';
import { encodeRequestHead, RecordWriter } from '../../tunnel/index.ts';
import { exchangeBytes, listen, openEdgePath, until } from '../support/edge-path.ts';
import { MemoryOpener } from '../support/stream-pair.ts';

/** Ways to write one name that some server reads as it. */
function spellings(name: string): string[] {
  const underscored = name.replaceAll('-', '_');
  return [
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    underscored,
    underscored.toUpperCase(),
    name.replace('-', '_'),
    name.replaceAll('-', '.'),
    name.replaceAll('-', '!'),
    name.replaceAll('-', '~'),
  ];
}

const identityNames = [
  'X-Remote-User',
  'X-Remote-Group',
  'X-Remote-Extra-Scopes',
  'Remote-User',
  'Impersonate-User',
  'Impersonate-Group',
  'Impersonate-Uid',
  'Impersonate-Extra-Scopes',
  'X-Client-Cert',
  'X-Forwarded-Client-Cert',
  'X-Forwarded-User',
  'X-Forwarded-Email',
  'X-Forwarded-Groups',
  'X-Forwarded-Preferred-Username',
  'X-Forwarded-Access-Token',
  'X-Auth-Request-User',
  'X-Authenticated-User',
  'X-WebAuth-User',
  'X-SSL-Client-S-DN',
  'SSL-Client-Verify',
  'Client-Cert',
  'X-Goog-Authenticated-User-Email',
  'X-Causeway-Principal',
  'X-Caller',
];
const forged = [...identityNames.flatMap(spellings), 'Authorization', 'authorization', 'Forwarded', 'FORWARDED'];

/** A server that keeps what it got. */
async function startService(t: Test) {
  const seen: IncomingMessage[] = [];
  const service = await listen(
    createServer((request, response) => {
      seen.push(request);
      request.resume().on('end', () => response.end('ok'));
    }),
  );
  t.teardown(() => service.close());
  return { service, seen };
}

/** Fields that say `forged`, wherever they stand. */
function forgedIn({ rawHeaders, rawTrailers }: IncomingMessage): string[] {
  return [rawHeaders, rawTrailers].flatMap((raw) =>
    raw.filter((_text, index) => index % 2 === 0 && raw[index + 1]?.includes('forged') === true),
  );
}

test('the front passes no name of a caller on, in a head or in trailers, once or twice', async (t) => {
  const seen: IncomingMessage[] = [];
  const path = await openEdgePath(t, {
    handler: (request, response) => {
      seen.push(request);
      request.resume().on('end', () => response.end());
    },
    service: { principalHeader: 'X-Caller' },
  });
  const fields = forged.flatMap((name) => [`${name}: forged`, `${name}: forged twice`]);
  const request = (lines: readonly string[], end: string): string =>
    [...lines, 'Host: gateway', 'Connection: close', 'Kept: yes', '', end].join('\r\n');
  // In parts, since a head has at most so many bytes.
  for (let at = 0; at < fields.length; at += 100) {
    const part = fields.slice(at, at + 100);
    await exchangeBytes(path.port, request(['GET /edges/edge-1/web/ HTTP/1.1', ...part], ''));
    const body = `1\r\nx\r\n0\r\n${part.join('\r\n')}\r\nSum: 1\r\n\r\n`;
    const chunked = ['Transfer-Encoding: chunked', 'Trailer: Sum, X-Remote-User'];
    await exchangeBytes(path.port, request(['POST /edges/edge-1/web/ HTTP/1.1', ...chunked], body));
  }
  t.ok(seen.length >= 4);
  for (const received of seen) {
    t.strictSame(forgedIn(received), []);
    t.equal(received.headers['x-caller'], 'operator/test', 'the one name is the one that was proved');
    t.equal(received.headers['kept'], 'yes');
  }
  t.ok(
    seen.some(({ trailers }) => trailers['sum'] === '1'),
    'other trailers pass',
  );
});

/** Asks an agent's service table as an SDK would, or a replica that somebody broke into. */
async function askAgent(t: Test, config: Partial<HttpServiceConfig>, fields: string[], trailers: string[] = []) {
  const { service, seen } = await startService(t);
  const table = new ServiceTable({
    services: [{ name: 'web', kind: 'http', url: `http://127.0.0.1:${service.port}`, ...config }],
  });
  t.teardown(() => table.destroy());
  const opener = new MemoryOpener((stream) => table.dispatchStream(stream));
  const head = { headers: ['Kept', 'yes', ...fields], ...(trailers.length > 0 ? { body: true, trailers: true } : {}) };
  const target = { edge: 'edge-1', service: 'web', kind: 'http', verb: 'POST', path: '/', principal: 'operator/test' };
  const stream = opener.open(target, { head: encodeRequestHead(head) });
  stream.resume().on('error', () => undefined);
  if (trailers.length === 0) stream.end();
  else {
    const writer = new RecordWriter(stream);
    writer.data(Buffer.from('x'));
    writer.trailers(trailers);
    writer.end();
  }
  await until(() => seen.length === 1 && seen[0]?.complete === true, 'the request');
  await until(() => opener.streams.size === 0, 'the stream to end');
  return seen[0] as IncomingMessage;
}

test('an agent passes no name of a caller on either, whoever opened the stream', async (t) => {
  const fields = forged.flatMap((name) => [name, 'forged']);
  const received = await askAgent(t, { principalHeader: 'X-Caller' }, fields);
  t.strictSame(forgedIn(received), []);
  t.match(received.headers, { 'kept': 'yes', 'x-caller': 'operator/test' });
  const late = await askAgent(t, { principalHeader: 'X-Caller' }, ['Trailer', 'Sum'], [...fields, 'Sum', '1']);
  t.strictSame(forgedIn(late), []);
  t.equal(late.trailers['sum'], '1');
});

test('what an agent sets itself cannot be said by a caller, in any spelling', async (t) => {
  const headers = { 'Authorization': 'Basic of-the-edge', 'X-Api-Key': 'of-the-edge' };
  const fields = [...spellings('X-Api-Key'), 'authorization'].flatMap((name) => [name, 'forged']);
  const received = await askAgent(t, { headers }, fields, [...fields, 'Sum', '1']);
  t.strictSame(forgedIn(received), []);
  t.match(received.headers, { 'authorization': 'Basic of-the-edge', 'x-api-key': 'of-the-edge' });
});

test('the Authorization of a caller passes only where the edge’s owner wants it, and never beside the edge’s own', async (t) => {
  const fields = ['Authorization', 'Bearer of the caller'];
  t.equal((await askAgent(t, {}, fields)).headers.authorization, undefined);
  t.equal((await askAgent(t, { passAuthorization: true }, fields)).headers.authorization, 'Bearer of the caller');
  const both = { headers: { Authorization: 'Basic x' }, passAuthorization: true };
  t.throws(() => new ServiceTable({ services: [{ name: 'web', kind: 'http', url: 'http://127.0.0.1:1', ...both }] }), {
    code: 'service-invalid',
  });
});
