import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchCredentials } from '../baseline/credentials.ts';
import { startFedFleet } from './fed-fleet.ts';
import { PodPrints } from './sample-objects.ts';
import { digits, type Report } from './report.ts';

const PODS_AN_EDGE = 1_000;
/** Contexts of compression are closed after 10 s without work. */
const SETTLE_MS = 15_000;

/** What the copies of many edges take, above the bytes of their JSON. */
export async function measureMemory(credentials: BenchCredentials, pods: number, report: Report): Promise<void> {
  const count = Math.max(1, Math.round(pods / PODS_AN_EDGE));
  const prints = new PodPrints(PODS_AN_EDGE);
  const edges = Array.from({ length: count }, (_, index) => {
    const name = `edge-${index}`;
    return { name, pods: PODS_AN_EDGE, printed: true };
  });
  // Every edge's are as long.
  const edgeBytes = Array.from({ length: PODS_AN_EDGE }, (_, pod) => Buffer.byteLength(prints.print('edge-0', pod)));
  const jsonBytes = count * edgeBytes.reduce((sum, bytes) => sum + bytes, 0);
  const fleet = await startFedFleet({ credentials, edges });
  try {
    // The first answers pay for what all share.
    await fleet.client.metrics();
    const before = await fleet.replica.usage();
    const begin = performance.now();
    await fleet.replica.pauses();
    await fleet.feed();
    const seconds = (performance.now() - begin) / 1_000;
    const { workMs } = await fleet.replica.pauses();
    const full = await fleet.replica.usage();
    await sleep(SETTLE_MS);
    const settled = await fleet.replica.usage();
    const metrics = await fleet.client.metrics();
    const ratio = (settled.rssBytes - before.rssBytes) / jsonBytes;
    const mb = (bytes: number): string => digits(bytes / 1e6);
    report.add({
      title: `memory, ${count * PODS_AN_EDGE} Pods of ${digits(jsonBytes / count / PODS_AN_EDGE)} B, ${count} edges`,
      value: `${mb(settled.rssBytes - before.rssBytes)} MB`,
      baseline: `${mb(jsonBytes)} MB`,
      ratio: { median: ratio, min: ratio, max: ratio },
      target: '≤ 1.5',
      isMet: ratio <= 1.5,
      note:
        `right after the feed ${mb(full.rssBytes - before.rssBytes)} MB; fed in ${digits(seconds)} s; its longest work ${digits(workMs)} ms; ` +
        `heap ${mb(metrics.get('nodejs_heap_size_used_bytes') ?? Number.NaN)} of ${mb(metrics.get('nodejs_heap_size_total_bytes') ?? Number.NaN)} MB, ` +
        `external ${mb(metrics.get('nodejs_external_memory_bytes') ?? Number.NaN)} MB; its own count ${mb(metrics.get('causeway_cache_bytes') ?? Number.NaN)} MB`,
    });
  } finally {
    await fleet.stop();
  }
}
