import t from 'tap';

import { Metrics } from '../../base/index.ts';

t.test('counters, gauges and histograms appear in the text with their labels', async (t) => {
  const metrics = new Metrics();
  const calls = metrics.counter({ name: 'calls_total', help: 'Calls.', labels: ['code'] });
  calls.add(2, { code: 200 });
  calls.add(undefined, { code: 200 });
  metrics.gauge({ name: 'links', help: 'Links.' }).set(4);
  metrics.gauge({ name: 'streams', help: 'Streams.', collect: (gauge) => gauge.set(9) });
  metrics.histogram({ name: 'rtt_seconds', help: 'Round trip.', buckets: [0.1, 1] }).observe(0.5);
  const text = await metrics.text();
  for (const line of [
    'calls_total{code="200"} 3',
    'links 4',
    'streams 9',
    'rtt_seconds_bucket{le="0.1"} 0',
    'rtt_seconds_bucket{le="1"} 1',
  ]) {
    t.match(text, line);
  }
  t.match(metrics.contentType, 'text/plain');
});

t.test('two registries do not know each other, and a name is registered once in each', async (t) => {
  const [one, other] = [new Metrics(), new Metrics()];
  one.counter({ name: 'a_total', help: 'A.' }).add();
  other.counter({ name: 'a_total', help: 'A.' });
  t.match(await one.text(), 'a_total 1');
  t.match(await other.text(), 'a_total 0');
  t.throws(() => one.counter({ name: 'a_total', help: 'A.' }));
});

t.test('a combination of labels can be forgotten', async (t) => {
  const metrics = new Metrics();
  const gauge = metrics.gauge({ name: 'rtt', help: 'R.', labels: ['replica'] });
  gauge.add(1, { replica: 'a' });
  gauge.remove({ replica: 'a' });
  t.notMatch(await metrics.text(), 'replica=');
});
