import { once } from 'node:events';
import { Readable, Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import t, { type Test } from 'tap';
import { systemClock } from '../../base/index.ts';
import { Endpoint } from '../../tunnel/endpoint.ts';
import type { StreamTarget } from '../../tunnel/frame.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import { LoopPort } from '../../tunnel/loop-port.ts';
import { Stream } from '../../tunnel/stream.ts';
import { tunnelError } from '../../tunnel/tunnel-error.ts';
import { waitFor } from '../support/wait-for.ts';

const target: StreamTarget = {
  edge: 'edge-1',
  service: 'echo',
  kind: 'tcp',
  verb: 'connect',
  path: '',
  principal: 'p',
};

interface Joined {
  open(head?: Buffer): Stream;
  /** The stream that the other end took. */
  taken(): Promise<Stream>;
  readonly endpoints: readonly [Endpoint, Endpoint];
  /** Cuts the path, and joins the two anew. */
  rejoin(): void;
}

function joined(limits: Partial<TunnelLimits> = {}): Joined {
  const all = { ...defaultLimits, ...limits };
  const waiting: Stream[] = [];
  const opener = new Endpoint({ clock: systemClock, limits: all });
  const acceptor = new Endpoint({
    clock: systemClock,
    limits: all,
    onStream: (core) => waiting.push(new Stream(core)),
  });
  let port: LoopPort | undefined;
  const join = (): void => {
    const [one, other] = LoopPort.pair('loop', systemClock, all);
    one.user = opener.attach(one);
    other.user = acceptor.attach(other);
    port = one;
  };
  join();
  return {
    open: (head) => new Stream(opener.open(target, head === undefined ? {} : { head })),
    taken: () => waitFor('a stream to arrive', () => waiting.shift()),
    endpoints: [opener, acceptor],
    rejoin: () => {
      port?.close(tunnelError('link-closed'));
      join();
    },
  };
}

async function nothingLeft(t: Test, { endpoints }: Joined): Promise<void> {
  await waitFor('all streams to end', () => endpoints.every(({ streams }) => streams === 0));
  for (const { retainedBytes, detachedStreams, pool } of endpoints) {
    t.strictSame([retainedBytes, detachedStreams, pool.freeBytes], [0, 0, defaultLimits.windowGrowthBytes]);
  }
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

t.test('a stream is half-closed by each end in its time, then closes at both', async (t) => {
  const pair = joined();
  const stream = pair.open(Buffer.from('head'));
  stream.end('question');
  const other = await pair.taken();
  t.equal(other.head.toString(), 'head');
  t.equal(stream.head.length, 0);
  t.strictSame(other.target, target);
  const question = await textOf(other);
  t.notOk(other.destroyed, 'it can still answer');
  const closed = Promise.all([once(stream, 'close'), once(other, 'close')]);
  other.end(`${question}?`);
  t.equal(await textOf(stream), 'question?');
  await closed;
  await nothingLeft(t, pair);
});

t.test('open is emitted when the other end takes the stream, not before', async (t) => {
  const pair = joined();
  const stream = pair.open();
  let open = false;
  stream.on('open', () => (open = true));
  const other = await pair.taken();
  await new Promise(setImmediate);
  t.notOk(open);
  other.accept();
  await once(stream, 'open');
  other.on('error', () => {});
  stream.destroy();
  await waitFor('the other end to close', () => other.closed);
  await nothingLeft(t, pair);
});

t.test('who refuses sees no error, the opener sees the code', async (t) => {
  const pair = joined();
  const stream = pair.open();
  const other = await pair.taken();
  const failure = once(stream, 'error');
  other.refuse(tunnelError('service-unknown'));
  t.match(await failure, [{ code: 'service-unknown' }]);
  await waitFor('the refused stream to close', () => other.closed);
  await nothingLeft(t, pair);
});

t.test("destroy with an error reaches the other end as its code, without one as 'canceled'", async (t) => {
  for (const [error, code] of [
    [tunnelError('upstream-failed'), 'upstream-failed'],
    [new Error('own'), 'canceled'],
    [undefined, 'canceled'],
  ] as const) {
    const pair = joined();
    const stream = pair.open();
    stream.on('error', () => {});
    stream.write('x');
    const other = await pair.taken();
    const failure = once(other, 'error');
    stream.destroy(error);
    t.match(await failure, [{ code }]);
    await nothingLeft(t, pair);
  }
});

t.test('what was ended on both sides is delivered, even when it is destroyed at once', async (t) => {
  const pair = joined();
  const stream = pair.open();
  const other = await pair.taken();
  other.end('answer');
  t.equal(await textOf(stream), 'answer');
  const done = finished(stream, { readable: false });
  stream.end(Buffer.alloc(100_000, 'q'));
  await done;
  stream.destroy();
  pair.rejoin();
  t.equal((await textOf(other)).length, 100_000);
  await nothingLeft(t, pair);
});

t.test('destroyed before it is over, a stream is reset', async (t) => {
  const pair = joined();
  const stream = pair.open();
  stream.end('x');
  const other = await pair.taken();
  const failure = once(other, 'error');
  stream.destroy();
  t.match(await failure, [{ code: 'canceled' }]);
  await nothingLeft(t, pair);
});

t.test('a stream that was opened in vain fails, whoever listens when', async (t) => {
  const endpoint = new Endpoint({ clock: systemClock });
  endpoint.close(tunnelError('endpoint-closed'));
  const stream = new Stream(endpoint.open(target));
  t.match(await once(stream, 'error'), [{ code: 'endpoint-closed' }]);
  t.ok(stream.destroyed);
});

t.test('a writer waits for a reader: no more than two windows are kept', async (t) => {
  const windowBytes = 32 * 1024;
  const pair = joined({ windowBytes, maxWindowBytes: windowBytes });
  const stream = pair.open();
  let written = 0;
  const total = 50 * windowBytes;
  const more = (): void => {
    let goOn = true;
    for (; goOn && written < total; written += 1000) goOn = stream.write(Buffer.alloc(1000));
  };
  stream.on('drain', more);
  more();
  const other = await pair.taken();
  other.accept();
  await waitFor('the window to fill', () => pair.endpoints[1].retainedBytes >= windowBytes - 20_000);
  await new Promise(setImmediate);
  t.ok(written < 5 * windowBytes, `${written} bytes`);
  for (const { retainedBytes } of pair.endpoints) t.ok(retainedBytes <= windowBytes + 20_000, `${retainedBytes} bytes`);
  other.resume();
  await waitFor('the writer to go on', () => written >= total);
  stream.on('error', () => {});
  other.on('error', () => {});
  stream.destroy();
  await nothingLeft(t, pair);
});

t.test('pipeline and finished see it as any other Duplex, over the loss of its path', async (t) => {
  const pair = joined();
  const stream = pair.open();
  const other = await pair.taken();
  const upper = new Transform({ transform: (chunk: Buffer, _, done) => done(null, chunk.toString().toUpperCase()) });
  const echoed = pipeline(other, upper, other, { end: true });
  const sent = pipeline(Readable.from(Array.from({ length: 500 }, (_, index) => `line ${index}\n`)), stream);
  const text = textOf(stream);
  for (let round = 0; round < 5; round++) {
    await new Promise(setImmediate);
    pair.rejoin();
  }
  await Promise.all([sent, echoed]);
  t.equal(await text, Array.from({ length: 500 }, (_, index) => `LINE ${index}\n`).join(''));
  await nothingLeft(t, pair);
});

t.test('a pipeline whose source fails resets the stream', async (t) => {
  const pair = joined();
  const stream = pair.open();
  const source = new Readable({ read() {} });
  const piped = pipeline(source, stream);
  source.push('some');
  const other = await pair.taken();
  const failure = once(other, 'error');
  source.destroy(tunnelError('upstream-failed'));
  await t.rejects(piped, { code: 'upstream-failed' });
  t.match(await failure, [{ code: 'upstream-failed' }]);
  await nothingLeft(t, pair);
});

t.test('one-byte writes, corked or not, come out in order and together', async (t) => {
  const pair = joined();
  const stream = pair.open();
  const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(100);
  for (const letter of text.slice(0, 1300)) stream.write(letter);
  stream.cork();
  for (const letter of text.slice(1300)) stream.write(letter);
  stream.end();
  const other = await pair.taken();
  t.equal(await textOf(other), text);
  other.end();
  stream.resume();
  await nothingLeft(t, pair);
});

t.test('a hundred stalled readers hold a window each, and no more', async (t) => {
  const { windowBytes } = defaultLimits;
  const pair = joined({ windowGrowthBytes: 0 });
  const streams = Array.from({ length: 100 }, () => pair.open());
  const others = await Promise.all(streams.map(() => pair.taken()));
  for (const other of others) {
    other.accept();
    other.on('error', () => {});
  }
  for (const stream of streams) {
    stream.on('error', () => {});
    const more = (): void => {
      while (stream.write(Buffer.alloc(64 * 1024)));
    };
    stream.on('drain', more);
    more();
  }
  await waitFor('all windows to fill', () => pair.endpoints[1].retainedBytes >= 90 * windowBytes);
  await new Promise(setImmediate);
  for (const { retainedBytes } of pair.endpoints)
    t.ok(retainedBytes <= 100 * (windowBytes + 64 * 1024), `${retainedBytes} bytes`);
  for (const stream of streams) stream.destroy();
  await waitFor('all streams to end', () => pair.endpoints.every(({ streams: left }) => left === 0));
  t.equal(pair.endpoints[0].retainedBytes + pair.endpoints[1].retainedBytes, 0);
});
