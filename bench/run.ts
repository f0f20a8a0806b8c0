/**
 * The tunnel beside what it is measured against, interleaved in one run: `npm run bench -- [ROUNDS] [FILTER]`. Every part is
 * a process on this machine. The ratio is of the same round each; a target is what `docs/performance.md` promises.
 */
import { startBaselines } from './baseline/baselines.ts';
import type { ClientJob } from './baseline/client.ts';
import { formatComparison, interleave, type Comparison } from './baseline/interleave.ts';
import { startTunnel } from './tunnel/tunnel.ts';

const MIB = 1024 * 1024;
const rounds = Number(process.argv[2] ?? 5);
const filter = process.argv[3] ?? '';
const baselines = await startBaselines();
const tunnel = await startTunnel(baselines.credentials, baselines.origin);
const missed: string[] = [];

type Way = (job: ClientJob) => Promise<Readonly<Record<string, number>>>;
const ways: Readonly<Record<'direct' | 'relay' | 'proxy' | 'streams' | 'front', Way>> = {
  direct: (job) => baselines.direct(job),
  relay: (job) => baselines.relay(job),
  proxy: (job) => baselines.proxy(job),
  streams: (job) => tunnel.streams(job),
  front: (job) => tunnel.front(job),
};

try {
  const download = (sockets: number): ClientJob => ({ kind: 'download', bytes: 512 * MIB, sockets });
  const requests = (clients: number): ClientJob => ({ kind: 'requests', load: { clients, durationMs: 2_000 } });
  await compare('download, 1 stream', ['relay', 'streams', 'direct'], download(1), 'megabytesPerSecond', {
    atLeast: 0.75,
  });
  await compare('download, 64 streams', ['relay', 'streams', 'direct'], download(64), 'megabytesPerSecond', {
    atLeast: 0.8,
  });
  await compare(
    'upload, 1 stream',
    ['relay', 'streams', 'direct'],
    { kind: 'upload', bytes: 512 * MIB },
    'megabytesPerSecond',
    { atLeast: 0.75 },
  );
  for (const clients of [16, 64]) {
    await compare(
      `1 KiB GET over streams, ${clients} clients`,
      ['proxy', 'streams', 'relay'],
      requests(clients),
      'perSecond',
      { atLeast: 1.5 },
    );
    await compare(`1 KiB GET by /edges/, ${clients} clients`, ['proxy', 'front'], requests(clients), 'perSecond', {
      atLeast: 0.85,
    });
  }
  await compare('1 KiB GET over streams, 1 client', ['proxy', 'streams', 'relay'], requests(1), 'p50Us', { atMost: 1 });
  await compare('1 KiB GET by /edges/, 1 client', ['proxy', 'front'], requests(1), 'p50Us', { atMostMore: 250 });
} finally {
  await tunnel.stop();
  await baselines.stop();
}
console.log(missed.length === 0 ? '\nevery target is met' : `\nmissed: ${missed.join('; ')}`);

interface Target {
  /** The ratio of the second to the first. */
  readonly atLeast?: number;
  readonly atMost?: number;
  /** The second's median above the first's. */
  readonly atMostMore?: number;
}

async function compare(
  title: string,
  names: readonly (keyof typeof ways)[],
  job: ClientJob,
  figure: string,
  target: Target,
): Promise<void> {
  if (!title.includes(filter)) return;
  const candidates = Object.fromEntries(
    names.map((name) => [name, async () => (await ways[name](job))[figure] ?? Number.NaN]),
  );
  const comparison = await interleave(candidates, rounds);
  const unit = { megabytesPerSecond: 'MB/s', perSecond: 'req/s', p50Us: 'µs p50' }[figure] ?? figure;
  const verdict = verdictOf(comparison, names[1] ?? '', names[0] ?? '', target);
  if (!verdict.met) missed.push(title);
  console.log(`\n${title}: ${verdict.text}\n${formatComparison(comparison, unit)}`);
}

function verdictOf(
  comparison: Comparison,
  of: string,
  to: string,
  target: Target,
): { readonly met: boolean; readonly text: string } {
  const ratio = comparison.ratio(of, to).median;
  const median = (name: string): number =>
    comparison.series.find((series) => series.name === name)?.median ?? Number.NaN;
  if (target.atMostMore !== undefined) {
    const more = median(of) - median(to);
    return { met: more <= target.atMostMore, text: `${more.toFixed(0)} µs more, target ≤ ${target.atMostMore}` };
  }
  if (target.atMost !== undefined)
    return { met: ratio <= target.atMost, text: `× ${ratio.toFixed(2)}, target ≤ ${target.atMost}` };
  return { met: ratio >= (target.atLeast ?? 0), text: `× ${ratio.toFixed(2)}, target ≥ ${target.atLeast ?? 0}` };
}
