import { Writable } from 'node:stream';
import t from 'tap';
import {
  contentLength,
  decodeRequestHead,
  encodeRequestHead,
  endToEndHeaders,
  endToEndTrailers,
  isIdentityHeader,
} from '../../tunnel/http-head.ts';
import { RecordReader, RecordWriter, type RecordSink } from '../../tunnel/http-record.ts';

/** Writes down what a reader calls. */
class Transcript implements RecordSink {
  readonly calls: unknown[] = [];
  onInfo(head: unknown): void {
    this.calls.push(['info', head]);
  }
  onHead(head: unknown): void {
    this.calls.push(['head', head]);
  }
  onData(chunk: Buffer): void {
    const last = this.calls.at(-1);
    // How a body is cut into chunks means nothing.
    if (Array.isArray(last) && last[0] === 'data') last[1] += chunk.toString('latin1');
    else this.calls.push(['data', chunk.toString('latin1')]);
  }
  onTrailers(trailers: unknown): void {
    this.calls.push(['trailers', trailers]);
  }
  onEnd(): void {
    this.calls.push(['end']);
  }
  onRaw(rest: Buffer): void {
    this.calls.push(['raw', rest.toString('latin1')]);
  }
}

class Collected extends Writable {
  readonly chunks: Buffer[] = [];
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

const head = { status: 200, statusText: 'OK', headers: ['A', '1', 'a', 'ü'] };
const info = { status: 103, statusText: 'Early Hints', headers: ['Link', '</x>'] };

function json(type: number, value: unknown): Buffer {
  return record(type, Buffer.from(JSON.stringify(value)));
}

function record(type: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(type * 2 ** 24 + payload.length);
  return Buffer.concat([header, payload]);
}

t.test('records look as they are documented', async (t) => {
  const out = new Collected();
  const writer = new RecordWriter(out);
  writer.data(Buffer.from('abc'));
  writer.end();
  t.equal(out.bytes.toString('hex'), '0300000361626305000000');
});

t.test('what is written is what is read, in whatever pieces it comes', async (t) => {
  const out = new Collected();
  const writer = new RecordWriter(out);
  writer.info(info);
  writer.head(head);
  const body = Buffer.alloc(20_000, 'xyz');
  writer.data(Buffer.from('small'));
  writer.data(body);
  writer.data(Buffer.alloc(0));
  writer.data(Buffer.from('tail'));
  writer.trailers(['X-Sum', '1']);
  writer.end();
  const expected = [
    ['info', info],
    ['head', head],
    ['data', `small${body.toString()}tail`],
    ['trailers', ['X-Sum', '1']],
    ['end'],
  ];
  for (const size of [1, 2, 3, 5, 4096, out.bytes.length]) {
    const transcript = new Transcript();
    const reader = new RecordReader('head', transcript);
    for (let at = 0; at < out.bytes.length; at += size) reader.push(out.bytes.subarray(at, at + size));
    reader.finish();
    t.same(transcript.calls, expected, `${size} bytes at a time`);
  }
});

t.test('a small message is one write, and a large chunk is not copied', async (t) => {
  const out = new Collected();
  const writer = new RecordWriter(out);
  writer.head(head);
  writer.data(Buffer.alloc(1024));
  writer.end();
  t.equal(out.chunks.length, 1);
  const large = new Collected();
  const chunk = Buffer.alloc(100_000);
  new RecordWriter(large).data(chunk);
  t.ok(large.chunks.includes(chunk));
});

t.test('what is small is not held longer than a turn', async (t) => {
  const out = new Collected();
  const writer = new RecordWriter(out);
  writer.head(head);
  t.equal(out.chunks.length, 0);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(out.chunks.length, 1);
});

t.test('a chunk longer than a record can say becomes several', async (t) => {
  const out = new Collected();
  new RecordWriter(out).data(Buffer.alloc(0x100_0005));
  let read = 0;
  const transcript = new Transcript();
  transcript.onData = (chunk) => {
    read += chunk.length;
  };
  new RecordReader('body', transcript).push(out.bytes);
  t.equal(read, 0x100_0005);
});

t.test('after a 101 everything behind RAW is bytes', async (t) => {
  const transcript = new Transcript();
  const reader = new RecordReader('head', transcript);
  const switched = { status: 101, statusText: '', headers: [] };
  reader.push(Buffer.concat([json(1, switched), record(6), Buffer.from('\x05\0\0\0raw')]));
  t.same(transcript.calls, [
    ['head', switched],
    ['raw', '\x05\0\0\0raw'],
  ]);
  reader.finish();
});

t.test('unknown records from 0x80 up are skipped', async (t) => {
  const transcript = new Transcript();
  new RecordReader('body', transcript).push(
    Buffer.concat([record(0x80, Buffer.alloc(100_000)), record(0xff), record(5)]),
  );
  t.same(transcript.calls, [['end']]);
});

t.test('DATA of any length is passed on before it is whole', async (t) => {
  const transcript = new Transcript();
  new RecordReader('body', transcript).push(Buffer.from('03ffffff6162', 'hex'));
  t.same(transcript.calls, [['data', 'ab']]);
});

t.test('what breaks the format is refused before anything is held', async (t) => {
  const bad: [string, 'head' | 'body' | 'switch' | 'nothing', string | Buffer][] = [
    ['a head over the bound', 'head', '01010001'],
    ['a head of 16 MiB', 'head', '01ffffff'],
    ['trailers over the bound', 'body', '04010001'],
    ['END with a payload', 'body', '05000001'],
    ['type 0', 'body', '00000000'],
    ['type 7', 'body', '07000000'],
    ['DATA before the head', 'head', '03000001'],
    ['END before the head', 'head', '05000000'],
    ["a head in the opener's direction", 'body', '01000002'],
    ['RAW without a switch', 'body', '06000000'],
    ['RAW with a payload', 'switch', '06000001'],
    ['DATA instead of RAW', 'switch', '03000001'],
    ['anything where nothing is due', 'nothing', '05000000'],
    ['anything behind END', 'body', '0500000003000000'],
    ['DATA behind trailers', 'body', Buffer.concat([json(4, []), record(3)])],
    ['a head that is not JSON', 'head', record(1, Buffer.from('{'))],
    ['an empty head', 'head', record(1)],
    ['a head that is a list', 'head', json(1, [])],
    ['a status that is a text', 'head', json(1, { ...head, status: '200' })],
    ['a status out of range', 'head', json(1, { ...head, status: 1000 })],
    ['an odd list of headers', 'head', json(1, { ...head, headers: ['A'] })],
    ['headers that are numbers', 'head', json(1, { ...head, headers: ['A', 1] })],
    ['100 as an answer', 'head', json(1, { ...head, status: 100 })],
    ['200 as an interim answer', 'head', json(2, head)],
    ['101 as an interim answer', 'head', json(2, { ...head, status: 101 })],
    ['two heads', 'head', Buffer.concat([json(1, head), json(1, head)])],
  ];
  for (const [what, expecting, bytes] of bad) {
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : bytes;
    t.throws(() => new RecordReader(expecting, new Transcript()).push(buffer), { code: 'record-malformed' }, what);
    t.throws(
      () => {
        const reader = new RecordReader(expecting, new Transcript());
        for (let at = 0; at < buffer.length; at += 1) reader.push(buffer.subarray(at, at + 1));
      },
      { code: 'record-malformed' },
      `${what}, byte by byte`,
    );
  }
});

t.test('an end without END is a cut', async (t) => {
  for (const bytes of [
    Buffer.alloc(0),
    record(3, Buffer.from('abc')),
    Buffer.from([5]),
    Buffer.concat([json(1, head)]),
  ]) {
    const reader = new RecordReader(bytes[0] === 1 ? 'head' : 'body', new Transcript());
    reader.push(bytes);
    t.throws(() => reader.finish(), { code: 'record-malformed' });
  }
});

t.test('a head that is too long to be read is not written', async (t) => {
  t.throws(() => new RecordWriter(new Collected()).head({ ...head, headers: ['A', 'x'.repeat(70_000)] }), {
    code: 'head-too-long',
  });
});

t.test('request heads are checked', async (t) => {
  const request = { headers: ['A', '1'], body: true, expectContinue: true, trailers: true };
  t.same(decodeRequestHead(encodeRequestHead(request)), request);
  for (const value of [
    null,
    [],
    {},
    { headers: 'x' },
    { headers: ['A'] },
    { headers: [], upgrade: 1 },
    { headers: [], upgrade: 'x', body: true },
  ]) {
    t.throws(() => decodeRequestHead(Buffer.from(JSON.stringify(value))), { code: 'record-malformed' });
  }
});

t.test('only end-to-end headers go on, with their case, order and duplicates', async (t) => {
  const raw = [
    ':path',
    '/',
    'Connection',
    'Close, X-Hop',
    'connection',
    'x-two',
    'X-HOP',
    '1',
    'X-Two',
    '2',
    'Keep-Alive',
    'x',
    'TE',
    'gzip, trailers;q=1',
    'Transfer-Encoding',
    'chunked',
    'Upgrade',
    'h2c',
    'Proxy-Authorization',
    'x',
    'B',
    '1',
    'b',
    '2',
    'Dropped',
    'x',
  ];
  t.same(
    endToEndHeaders(raw, (name) => name === 'dropped'),
    ['TE', 'trailers', 'B', '1', 'b', '2'],
  );
  t.same(
    endToEndHeaders(['TE', 'gzip'], () => false),
    [],
  );
});

t.test('identity headers are known in every spelling', async (t) => {
  for (const name of [
    'x-remote-user',
    'x_remote_user',
    'x-remote-extra-scopes',
    'impersonate-user',
    'impersonate_group',
    'x-forwarded-client-cert',
    'ssl_client_s_dn',
    'x.remote.user',
    'x!remote~user',
    'x-forwarded-preferred-username',
    'x-auth-request-email',
    'client-cert',
  ])
    t.ok(isIdentityHeader(name), name);
  for (const name of [
    'x-remote',
    'authorization',
    'x-forwarded-for',
    'x-forwarded-proto',
    'user-agent',
    'x-user-agent',
  ])
    t.notOk(isIdentityHeader(name), name);
});

t.test('trailers carry what they are for, and nothing that belongs in a head', async (t) => {
  const trailers = ['Sum', '1', 'Content_Length', '5', 'X-Remote-User', 'root', 'AUTHORIZATION', 'x', 'Trailer', 'y'];
  t.strictSame(
    endToEndTrailers([...trailers, 'Own', 'z'], (name) => name === 'own'),
    ['Sum', '1'],
  );
});

t.test('a length is one decimal number', async (t) => {
  t.equal(contentLength(['Content-Length', '12']), 12);
  t.equal(contentLength([]), undefined);
  for (const values of [['-1'], ['1, 1'], ['0x1'], [''], ['1', '1'], ['9'.repeat(16)]]) {
    t.throws(() => contentLength(values.flatMap((value) => ['content-length', value])), { code: 'record-malformed' });
  }
});
