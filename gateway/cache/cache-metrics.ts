import type { GaugeMetric, Metrics } from '../../base/index.ts';
import type { FeedClient } from './feed-client.ts';
import type { FeedClients } from './feed-clients.ts';
import type { ResourceCaches } from './resource-caches.ts';

/** What the cache and its feeds count; read where it is kept when the metrics are read. */
export function registerCacheMetrics(metrics: Metrics, caches: ResourceCaches, feeds: FeedClients): void {
  const read = (name: string, help: string, value: () => number): void => {
    metrics.gauge({ name, help, collect: (gauge) => gauge.set(value()) });
  };
  const sum = (name: string, help: string, count: (counts: FeedClient['counts']) => number): void =>
    read(name, help, () => {
      let total = 0;
      for (const client of feeds.clients.values()) total += count(client.counts);
      return total;
    });
  const copies = (count: (copy: (typeof caches.edges)[number]['copies'][number]) => number): number =>
    caches.edges.reduce((total, edge) => total + edge.copies.reduce((part, copy) => part + count(copy), 0), 0);

  metrics.gauge({
    name: 'causeway_feed_lag_seconds',
    help: 'Age of the oldest complete kind in the copy of an edge',
    labels: ['edge'],
    collect: edgeGauge(caches),
  });
  read('causeway_cache_edges', 'Edges that are fed at the moment', () => {
    return caches.edges.filter(({ isConnected }) => isConnected).length;
  });
  read('causeway_cache_kinds', 'Complete kinds of edges in the cache', () => copies(({ isComplete }) => +isComplete));
  read('causeway_cache_objects', 'Objects in the cache', () => copies(({ size }) => size));
  read('causeway_cache_bytes', 'Memory that the cache takes, about', () => caches.bytes);
  read('causeway_cache_watchers', 'Open watches of the copies of edges', () =>
    copies(({ collection }) => collection.watchers),
  );
  read('causeway_cache_evictions', 'Kinds of edges evicted since the start', () => caches.counts.evictions);
  read('causeway_cache_snapshots_loaded', 'Edges read from disk at the start', () => caches.counts.snapshotsLoaded);
  read('causeway_cache_snapshots_written', 'Snapshots written since the start', () => caches.counts.snapshotsWritten);
  read(
    'causeway_cache_snapshot_failures',
    'Snapshots that could not be read or written',
    () => caches.counts.snapshotFailures,
  );
  sum('causeway_feed_wire_bytes', 'Bytes of feeds as they came, compressed', ({ wireBytes }) => wireBytes);
  sum('causeway_feed_record_bytes', 'Bytes of feeds, decompressed', ({ recordBytes }) => recordBytes);
  sum('causeway_feed_puts', 'Whole objects that were fed', ({ puts }) => puts);
  sum('causeway_feed_deltas', 'Objects that were fed as a difference', ({ deltas }) => deltas);
  sum('causeway_feed_removals', 'Deletions that were fed', ({ removals }) => removals);
  sum('causeway_feed_resumed', 'Kinds that went on from a cursor', ({ resumed }) => resumed);
  sum('causeway_feed_compared', 'Kinds that were compared or fed whole', ({ compared }) => compared);
  sum('causeway_feed_divergences', 'Kinds found to differ, and repaired', ({ divergences }) => divergences);
  sum('causeway_feed_leaps', 'Times that an edge could not tell every change of a kind', ({ leaps }) => leaps);
  sum('causeway_feed_streams', 'Feed streams opened', ({ streams }) => streams);
  sum('causeway_feed_failures', 'Feed streams that failed', ({ failures }) => failures);
  sum('causeway_feed_malformed', 'Feed streams cut for what they brought', ({ malformed }) => malformed);
}

/** An edge that is gone is not shown any more. */
function edgeGauge(caches: ResourceCaches): (gauge: GaugeMetric) => void {
  let shown = new Set<string>();
  return (gauge) => {
    const now = new Set<string>();
    for (const { edge, copies } of caches.edges) {
      const ages = copies.filter(({ isComplete }) => isComplete).map(({ freshness }) => freshness.ageMs);
      if (ages.length === 0) continue;
      now.add(edge);
      gauge.set(Math.max(...ages) / 1000, { edge });
    }
    for (const edge of shown) if (!now.has(edge)) gauge.remove({ edge });
    shown = now;
  };
}
