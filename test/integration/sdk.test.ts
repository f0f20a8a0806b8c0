import { createHash, randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { test } from 'tap';
import { within } from '../support/wait-for.ts';
import { start } from './start.ts';

test('the SDK', async (t) => {
  const { cluster } = await start(t, { weak: true, clientWeak: true });
  const fleet = await cluster.client();
  const edge = fleet.edge('edge-1');

  await t.test('calls a service', async (t) => {
    const response = await edge.fetch('web', '/sdk');
    t.equal(response.status, 200);
    t.equal(response.headers.get('x-edge'), 'edge-1');
    t.equal(await response.text(), 'edge-1 GET /sdk');
    const body = randomBytes(1_000_000);
    const posted = await edge.fetch('web', '/echo', { method: 'POST', body });
    t.ok(Buffer.from(await posted.arrayBuffer()).equals(body));
  });

  await t.test('tells what went wrong by code', async (t) => {
    await t.rejects(edge.fetch('nothing', '/'), { code: 'service-unknown' });
    await t.rejects(edge.fetch('refuses', '/'), { code: 'upstream-refused' });
    await t.rejects(fleet.edge('nowhere').fetch('web', '/'), { code: 'edge-unknown' });
  });

  await t.test('dials, with half-close', async (t) => {
    const stream = edge.dial('echo');
    stream.end('hello');
    t.equal(String(await buffer(stream)), 'hello');
  });

  for (const side of ['the agent', 'the client'] as const) {
    await t.test(`a transfer survives every cut of the links of ${side}`, async (t) => {
      const weak = side === 'the agent' ? cluster.weak('edge-1') : cluster.clientWeak;
      const stream = edge.dial('echo');
      const total = 24 * 1024 * 1024;
      const sent = createHash('sha256');
      const received = createHash('sha256');
      let bytes = 0;
      let cuts = 0;
      const sink = new Writable({
        write(chunk: Buffer, _encoding, done) {
          received.update(chunk);
          bytes += chunk.length;
          // Mid-transfer, with bytes under way in both directions.
          if (bytes > (cuts + 1) * (total / 5) && cuts < 3) {
            cuts++;
            weak.cutAll();
          }
          done();
        },
      });
      await within(
        'the transfer',
        Promise.all([pipeline(source(total, sent), stream, { end: true }), pipeline(stream, sink)]),
        60_000,
      );
      t.equal(cuts, 3);
      t.equal(bytes, total);
      t.equal(received.digest('hex'), sent.digest('hex'));
    });
  }

  await t.test('an upload is executed once, whatever happens to the links', async (t) => {
    const total = 16 * 1024 * 1024;
    const hash = createHash('sha256');
    async function* body(): AsyncGenerator<Buffer> {
      let bytes = 0;
      for await (const chunk of source(total, hash)) {
        yield chunk;
        bytes += chunk.length;
        if (bytes === total / 4) cluster.weak('edge-1').cutAll();
        if (bytes === total / 2) cluster.clientWeak.cutAll();
      }
    }
    const stream = ReadableStream.from(body());
    const answer = edge.fetch('web', '/hash', { method: 'POST', body: stream, duplex: 'half' });
    const response = await within('the answer', answer, 30_000);
    t.strictSame(await response.json(), { bytes: total, sha256: hash.digest('hex') });
  });
});

async function* source(total: number, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  for (let left = total; left > 0;) {
    const chunk = randomBytes(Math.min(left, 64 * 1024));
    hash.update(chunk);
    left -= chunk.length;
    yield chunk;
  }
}
