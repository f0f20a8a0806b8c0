import { duplexPair, PassThrough } from 'node:stream';
import { test } from 'tap';
import { startBaselines } from '../../bench/baseline/baselines.ts';
import { HttpClient } from '../../bench/baseline/http-client.ts';
import { interleave } from '../../bench/baseline/interleave.ts';
import { percentile } from '../../bench/baseline/load.ts';

test('candidates are measured in turn and compared round by round', async (t) => {
  const order: string[] = [];
  const measure = (name: string, values: number[]) => (): Promise<number> => {
    order.push(name);
    return Promise.resolve(values.shift() ?? 0);
  };
  const comparison = await interleave({ a: measure('a', [1, 2, 4]), b: measure('b', [3, 4, 4]) }, 3);
  t.strictSame(order, ['a', 'b', 'a', 'b', 'a', 'b']);
  t.match(comparison.series, [
    { name: 'a', median: 2, min: 1, max: 4 },
    { name: 'b', median: 4, min: 3, max: 4 },
  ]);
  t.strictSame(comparison.ratio('b', 'a'), { of: 'b', to: 'a', median: 2, min: 1, max: 3 });
});

test('a percentile is the nearest rank', (t) => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  t.strictSame([percentile(hundred, 50), percentile(hundred, 99), percentile([7], 50)], [50, 99, 7]);
  t.end();
});

test('the small HTTP client reads answers that come in pieces', async (t) => {
  const [near, far] = duplexPair();
  const client = new HttpClient(near);
  const answer = client.get('/');
  for (const piece of ['HTTP/1.1 200 OK\r\nContent-Le', 'ngth: 5\r\n\r', '\nab', 'cde']) far.write(piece);
  t.equal(await answer, 5);
  const refused = client.get('/');
  far.write('HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n');
  await t.rejects(refused, /503/);
  await t.rejects(client.get('/'), /503/);
});

test('the small HTTP client fails when its connection does', async (t) => {
  const connection = new PassThrough();
  const client = new HttpClient(connection);
  connection.destroy();
  await t.rejects(client.get('/'), /closed/);
});

test('every baseline carries requests and transfers', async (t) => {
  const baselines = await startBaselines();
  t.teardown(() => baselines.stop());
  const requests = { kind: 'requests', load: { clients: 2, durationMs: 50, warmUpMs: 0 } } as const;
  const download = { kind: 'download', bytes: 1_000_000, sockets: 2 } as const;
  for (const name of ['direct', 'relay', 'proxy'] as const) {
    t.match(await baselines[name](requests), { failed: 0 });
    t.match(await baselines[name](download), { bytes: 1_000_000 });
  }
  t.match(await baselines.relay({ kind: 'upload', bytes: 1_000_000 }), { bytes: 1_000_000 });
});
