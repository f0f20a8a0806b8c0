/** Measures the baselines alone: `node bench/baseline/run.ts [ROUNDS]`. */
import { startBaselines } from './baselines.ts';
import { type ClientJob } from './client.ts';
import { formatComparison, interleave } from './interleave.ts';

const rounds = Number(process.argv[2] ?? 3);
const baselines = await startBaselines();
try {
  await compare('download', 'MB/s', { kind: 'download', bytes: 256 * 1024 * 1024, sockets: 1 }, 'megabytesPerSecond');
  await compare(
    'download x 8',
    'MB/s',
    { kind: 'download', bytes: 256 * 1024 * 1024, sockets: 8 },
    'megabytesPerSecond',
  );
  await compare('1 client, 1 KiB', 'us p50', { kind: 'requests', load: { clients: 1, durationMs: 1_500 } }, 'p50Us');
  await compare(
    '32 clients, 1 KiB',
    'req/s',
    { kind: 'requests', load: { clients: 32, durationMs: 1_500 } },
    'perSecond',
  );
} finally {
  await baselines.stop();
}

async function compare(title: string, unit: string, job: ClientJob, figure: string): Promise<void> {
  const measure = (name: 'direct' | 'relay' | 'proxy') => async () =>
    (await baselines[name](job))[figure] ?? Number.NaN;
  const candidates = { 'direct': measure('direct'), 'tls relay': measure('relay'), 'http proxy': measure('proxy') };
  console.log(`\n${title}\n${formatComparison(await interleave(candidates, rounds), unit)}`);
}
