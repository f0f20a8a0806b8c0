import type { Child } from '../baseline/child.ts';
import { runClient } from '../baseline/client.ts';
import type { BenchCredentials } from '../baseline/credentials.ts';
import { interleave, type Comparison } from '../baseline/interleave.ts';
import { startBareServer } from './bare-server.ts';
import type { FedFleet } from './fed-fleet.ts';
import { readList, type ListResult } from './list-client.ts';
import { digits, type Report } from './report.ts';

/** The edges that are read, and watched. */
export const readEdges = [
  { name: 'small', pods: 500, configMaps: 10 },
  { name: 'large', pods: 10_000 },
  { name: 'watched', pods: 500, configMaps: 100, configMapBytes: 400 },
] as const;

const objectPath = '/edges/small/kube/api/v1/namespaces/bench/configmaps/settings-0003?resourceVersion=0';
const listPath = '/edges/small/kube/api/v1/pods?resourceVersion=0';
const longListPath = '/edges/large/kube/api/v1/pods?resourceVersion=0';

/** What is read from the cache, beside a bare server of the same bytes. */
export async function measureReads(
  fleet: FedFleet,
  credentials: BenchCredentials,
  rounds: number,
  report: Report,
): Promise<void> {
  const bare = await startBareServer({
    server: credentials.relay,
    client: credentials.client,
    apiPort: fleet.replica.ready.api,
    paths: [objectPath, listPath, longListPath],
    watchUrl: '',
  });
  const ports = { bare: bare.ready.port, cache: fleet.replica.ready.api };
  const client = credentials.client;
  const p50 = async (port: number, path: string, clients: number): Promise<number> => {
    const load = { clients, path, durationMs: 1_000, warmUpMs: 300 };
    return (await runClient({ port, credentials: client, job: { kind: 'requests', load } }))['p50Us'] ?? Number.NaN;
  };
  try {
    for (const [title, path] of [
      ['cached GET, 1 KiB', objectPath],
      ['cached list, 500 Pods', listPath],
    ] as const) {
      for (const clients of [1, 8]) {
        const comparison = await interleave(
          { bare: () => p50(ports.bare, path, clients), cache: () => p50(ports.cache, path, clients) },
          rounds,
        );
        const ratio = comparison.ratio('cache', 'bare');
        report.add({
          title: `${title}, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
          value: `${digits(medianOf(comparison, 'cache'))} µs`,
          baseline: `${digits(medianOf(comparison, 'bare'))} µs`,
          ratio,
          target: '≤ 1.5',
          isMet: ratio.median <= 1.5,
        });
      }
    }
    await measureLongList(fleet.replica, bare, credentials, rounds, report);
  } finally {
    await bare.stop();
  }
}

async function measureLongList(
  replica: FedFleet['replica'],
  bare: Child<{ readonly port: number }>,
  credentials: BenchCredentials,
  rounds: number,
  report: Report,
): Promise<void> {
  const results = { bare: new Map<string, number[]>(), cache: new Map<string, number[]>() };
  let bytes = 0;
  const measure = (name: 'bare' | 'cache', child: Child<object>, port: number) => async (): Promise<number> => {
    await child.pauses();
    const list: ListResult = await readList({ port, credentials: credentials.client, path: longListPath, lists: 6 });
    const { wallMs, workMs } = await child.pauses();
    for (const [figure, value] of Object.entries({ firstByteMs: list.firstByteMs, wallMs, workMs }))
      results[name].set(figure, [...(results[name].get(figure) ?? []), value]);
    bytes = list.bytes;
    return list.megabytesPerSecond;
  };
  const comparison = await interleave(
    { bare: measure('bare', bare, bare.ready.port), cache: measure('cache', replica, replica.ready.api) },
    rounds,
  );
  const median = (name: 'bare' | 'cache', figure: string): number => {
    const values = (results[name].get(figure) ?? []).toSorted((a, b) => a - b);
    return values[values.length >> 1] ?? Number.NaN;
  };
  const title = `cached list, 10,000 Pods, ${digits(bytes / 1e6)} MB`;
  const ratio = comparison.ratio('cache', 'bare');
  const ms = (name: 'bare' | 'cache', figure: string): string => `${digits(median(name, figure))} ms`;
  report.add({
    title: `${title}: first byte`,
    value: ms('cache', 'firstByteMs'),
    baseline: ms('bare', 'firstByteMs'),
    target: '≤ 20 ms',
    isMet: median('cache', 'firstByteMs') <= 20,
  });
  report.add({
    title: `${title}: rate`,
    value: `${digits(medianOf(comparison, 'cache'))} MB/s`,
    baseline: `${digits(medianOf(comparison, 'bare'))} MB/s`,
    ratio,
    target: '≥ 0.7',
    isMet: ratio.median >= 0.7,
  });
  const all = (name: 'bare' | 'cache'): string =>
    `${name}: pause ${(results[name].get('wallMs') ?? []).map(digits).join(', ')} ms, of it work ${(results[name].get('workMs') ?? []).map(digits).join(', ')} ms`;
  report.add({
    title: `${title}: longest pause, own work`,
    value: ms('cache', 'workMs'),
    baseline: ms('bare', 'workMs'),
    target: '≤ 20 ms',
    isMet: median('cache', 'workMs') <= 20,
    note: `longest of each round: ${all('cache')}; ${all('bare')}`,
  });
}

function medianOf(comparison: Comparison, name: string): number {
  return comparison.series.find((series) => series.name === name)?.median ?? Number.NaN;
}
