import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { createFront, type ExchangeOutcome } from '../../gateway/front/index.ts';
import { RecordWriter, tunnelError } from '../../tunnel/index.ts';
import { fetchOnce, listen, until, exchangeBytes } from '../support/edge-path.ts';
import { MemoryOpener, type PairedStream } from '../support/stream-pair.ts';

const WEB = '/edges/edge-1/web/';
const ok = { status: 200, statusText: 'OK', headers: [] as string[] };

/** A front before an agent that does what the test says. */
async function openFront(t: Pick<Test, 'teardown'>, onStream: (stream: PairedStream, writer: RecordWriter) => void) {
  const opener = new MemoryOpener((stream) => {
    stream.resume();
    onStream(stream, new RecordWriter(stream));
  });
  const outcomes: ExchangeOutcome[] = [];
  const front = createFront({
    opener,
    principalOf: () => 'operator/test',
    onDone: (_target, outcome) => outcomes.push(outcome),
  });
  const server = await listen(createServer((request, response) => void front.request(request, response)));
  server.server.on('upgrade', (request, socket, head) => void front.upgrade(request, socket, head));
  t.teardown(() => server.close());
  return { port: server.port, outcomes, opener };
}

t.test('an agent that answers nonsense costs that request and nothing else', async (t) => {
  const answers: [string, (stream: PairedStream, writer: RecordWriter) => void][] = [
    ['no record', (stream) => stream.end('HTTP/1.1 200 OK\r\n\r\n')],
    ['nothing', (stream) => stream.end()],
    [
      'a body without a head',
      (_stream, writer) => {
        writer.data(Buffer.from('x'));
        writer.end();
      },
    ],
    ['a header that is none', (_stream, writer) => writer.head({ ...ok, headers: ['a b', '1'] })],
    ['a header that breaks the line', (_stream, writer) => writer.head({ ...ok, headers: ['a', '1\r\nX: y'] })],
    ['a status text that breaks the line', (_stream, writer) => writer.head({ ...ok, statusText: 'OK\r\nX: y' })],
    [
      'two lengths',
      (_stream, writer) => writer.head({ ...ok, headers: ['Content-Length', '1', 'content-length', '2'] }),
    ],
    ['a length that is none', (_stream, writer) => writer.head({ ...ok, headers: ['Content-Length', '+1'] })],
    [
      '101 that nobody asked for',
      (_stream, writer) => {
        writer.head({ ...ok, status: 101 });
        writer.raw();
      },
    ],
  ];
  for (const [what, answer] of answers) {
    const { port, outcomes, opener } = await openFront(t, answer);
    const { status, headers } = await fetchOnce(port, { path: WEB });
    t.equal(status, 502, what);
    t.equal(headers['causeway-code'], 'record-malformed', what);
    await until(() => opener.streams.size === 0);
    t.match(outcomes, [{ status: 502, code: 'record-malformed' }]);
  }
});

t.test('a body that does not keep to its length never reaches into the next answer', async (t) => {
  const { port, opener } = await openFront(t, (stream, writer) => {
    writer.head({ ...ok, headers: ['Content-Length', '2'] });
    writer.data(Buffer.from(stream.target.path === '/long' ? 'okHTTP/1.1 200 OK\r\n\r\n' : 'o'));
    writer.end();
  });
  const text = await exchangeBytes(
    port,
    `GET ${WEB}long HTTP/1.1\r\nHost: x\r\n\r\nGET ${WEB} HTTP/1.1\r\nHost: x\r\n\r\n`,
  ).catch(() => '');
  t.notMatch(text, /HTTP.*HTTP/s);
  await t.rejects(fetchOnce(port, { path: WEB }), 'a short one is cut');
  await until(() => opener.streams.size === 0);
});

t.test('a body for an answer that has none is refused', async (t) => {
  const { port, opener } = await openFront(t, (_stream, writer) => {
    writer.head({ ...ok, status: 204 });
    writer.data(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'));
    writer.end();
  });
  const text = await exchangeBytes(port, `GET ${WEB} HTTP/1.1\r\nHost: x\r\n\r\n`).catch(() => '');
  t.notMatch(text, /HTTP.*HTTP/s);
  await until(() => opener.streams.size === 0);
});

t.test("the tunnel's reasons reach the client as status and code", async (t) => {
  for (const [code, status] of [
    ['not-opened', 503],
    ['outcome-unknown', 502],
    ['edge-unknown', 404],
    ['denied', 403],
    ['upstream-timeout', 504],
    ['overloaded', 503],
  ] as const) {
    const { port } = await openFront(t, (stream) => stream.destroy(tunnelError(code)));
    const answer = await fetchOnce(port, { path: WEB });
    t.equal(answer.status, status, code);
    t.equal(answer.headers['causeway-code'], code);
    t.equal(answer.headers['retry-after'], status === 503 ? '1' : undefined);
    t.match(JSON.parse(answer.body.toString()), { code: status, details: { causes: [{ reason: code }] } });
  }
});

t.test('a stream that is lost in the middle of an answer cuts it', async (t) => {
  const { port, outcomes } = await openFront(t, (stream, writer) => {
    writer.head(ok);
    writer.data(Buffer.from('part'));
    setImmediate(() => stream.destroy(tunnelError('stream-lost')));
  });
  await t.rejects(fetchOnce(port, { path: WEB }));
  t.match(outcomes, [{ status: 200, code: 'stream-lost', responseBytes: 4 }]);
});

t.test('an end without END cuts the answer', async (t) => {
  const { port, outcomes } = await openFront(t, (stream, writer) => {
    writer.head(ok);
    writer.data(Buffer.from('part'));
    setImmediate(() => stream.end());
  });
  await t.rejects(fetchOnce(port, { path: WEB }));
  t.match(outcomes, [{ code: 'record-malformed' }]);
});

t.test('a connection that switched is cut when its stream is', async (t) => {
  const { port, opener } = await openFront(t, (stream, writer) => {
    writer.head({ ...ok, status: 101, headers: ['Upgrade', 'x'] });
    writer.raw();
    stream.write('hello');
    setImmediate(() => setImmediate(() => stream.destroy(tunnelError('stream-lost'))));
  });
  await t.rejects(exchangeBytes(port, `GET ${WEB} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`), {
    code: 'ECONNRESET',
  });
  await until(() => opener.streams.size === 0);
});
