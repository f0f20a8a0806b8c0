export type { CachedKind, DropReason, Freshness, KindFollower, KindName } from './cached-kind.ts';
export { registerCacheMetrics } from './cache-metrics.ts';
export type { EdgeCache } from './edge-cache.ts';
export { FeedClients, type EdgePresence, type FeedClientsOptions } from './feed-clients.ts';
export { ResourceCaches, type ResourceCachesOptions } from './resource-caches.ts';
