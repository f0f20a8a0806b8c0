import { startBareServer } from './bare-server.ts';
import type { BenchCredentials } from '../baseline/credentials.ts';
import type { FedFleet } from './fed-fleet.ts';
import { changeObjects } from './kube-origin.ts';
import { digits, type Report } from './report.ts';
import type { SampleResource } from './sample-objects.ts';
import { watchEvents, type WatchResult } from './watch-clients.ts';

interface WatchLoad {
  readonly title: string;
  readonly resource: SampleResource;
  readonly watchers: number;
  /** Each watches one of so many; 1: all of it. */
  readonly namespaces: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly targetMs: number;
}

/** Pods of this many namespaces, as many of each. */
const NAMESPACES = 20;

const loads: readonly WatchLoad[] = [
  { title: '1 watcher', resource: 'pods', watchers: 1, namespaces: 1, perSecond: 50, seconds: 10, targetMs: 250 },
  {
    title: '1,000 watchers, a namespace each',
    resource: 'pods',
    watchers: 1_000,
    namespaces: NAMESPACES,
    perSecond: 500,
    seconds: 8,
    targetMs: 1_000,
  },
  {
    title: '1,000 watchers of all, 400 B',
    resource: 'configmaps',
    watchers: 1_000,
    namespaces: 1,
    perSecond: 500,
    seconds: 8,
    targetMs: 1_000,
  },
];

/** Client processes for many watchers. */
const PROCESSES = 2;

/** From the commit at an edge to who watches it at the replica, beside a bare server that gives the same lines to all. */
export async function measureWatches(fleet: FedFleet, credentials: BenchCredentials, report: Report): Promise<void> {
  for (const load of loads) {
    const { namespaces, targetMs } = load;
    // A bare server gives everything to everybody.
    const bareResult = namespaces === 1 ? await measureBare(fleet, credentials, load) : undefined;
    const result = await measure(fleet, credentials, load, fleet.replica.ready.api, true);
    report.add({
      title: `commit to watcher, p99, ${load.title}, ${load.perSecond}/s`,
      value: `${digits(result.p99Ms)} ms`,
      ...(bareResult === undefined ? {} : { baseline: `${digits(bareResult.p99Ms)} ms` }),
      target: `≤ ${targetMs} ms`,
      isMet: result.p99Ms <= targetMs && result.missing === 0,
      note: `${describe('cache', result)}${bareResult === undefined ? '' : `; ${describe('bare', bareResult)}`}`,
    });
  }
}

async function measureBare(fleet: FedFleet, credentials: BenchCredentials, load: WatchLoad): Promise<Measured> {
  const version = await fleet.client.version('watched', load.resource);
  const bare = await startBareServer({
    server: credentials.relay,
    client: credentials.client,
    apiPort: 0,
    paths: [],
    watchUrl: `http://127.0.0.1:${fleet.originPort}/watched/api/v1/${load.resource}?watch=true&resourceVersion=${version}`,
  });
  try {
    return await measure(fleet, credentials, load, bare.ready.port, false);
  } finally {
    await bare.stop();
  }
}

async function measure(
  { client, originPort, replica }: FedFleet,
  credentials: BenchCredentials,
  { resource, watchers, namespaces, perSecond, seconds }: WatchLoad,
  port: number,
  isCache: boolean,
): Promise<Measured> {
  const version = await client.version('watched', resource);
  const query = `watch=true&resourceVersion=${version}`;
  const base = '/edges/watched/kube/api/v1';
  const paths = Array.from({ length: namespaces }, (_, index) =>
    namespaces === 1 ? `${base}/${resource}?${query}` : `${base}/namespaces/team-${index}/${resource}?${query}`,
  );
  const processes = Math.min(PROCESSES, watchers);
  const events = perSecond * seconds;
  const running = Array.from({ length: processes }, () =>
    watchEvents({
      port,
      credentials: credentials.client,
      paths,
      watchers: watchers / processes,
      events: events / namespaces,
      sampleEvery: Math.max(1, watchers / 100),
      withinMs: 30_000,
    }),
  );
  if (isCache) await client.until('causeway_cache_watchers', watchers);
  else await new Promise((resolve) => setTimeout(resolve, 500 + 8 * watchers));
  await replica.pauses();
  await changeObjects(originPort, { edge: 'watched', resource, count: events, perSecond, stamped: true });
  const results = await Promise.all(running);
  const { workMs } = await replica.pauses();
  const largest = (figure: keyof WatchResult): number => Math.max(...results.map((result) => result[figure]));
  const sum = (figure: keyof WatchResult): number => results.reduce((total, result) => total + result[figure], 0);
  return {
    // Each process has half of the watchers: the worse one counts.
    p50Ms: largest('p50Ms'),
    p99Ms: largest('p99Ms'),
    maxMs: largest('maxMs'),
    samples: sum('samples'),
    missing: sum('missing'),
    megabytes: sum('megabytes'),
    pauseMs: workMs,
  };
}

interface Measured extends WatchResult {
  /** The replica's. */
  readonly pauseMs: number;
}

function describe(name: string, { p50Ms, p99Ms, maxMs, samples, missing, megabytes, pauseMs }: Measured): string {
  return `${name}: p50 ${digits(p50Ms)}, p99 ${digits(p99Ms)}, max ${digits(maxMs)} ms of ${samples}, missing ${missing}, ${digits(megabytes)} MB, replica's longest work ${digits(pauseMs)} ms`;
}
