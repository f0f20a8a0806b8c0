import type { CachedKind, EdgeCache, Freshness, KindFollower } from '../../../gateway/cache/index.ts';
import { WatchCache, type ResourceType } from '../../../resources/index.ts';
import { pod, podType, type PodWords } from './pods.ts';

/** The copy of one edge's Pods, which a test changes as a feed would. */
export class FakeKind implements CachedKind {
  readonly edge: string;
  readonly group = '';
  readonly resource = 'pods';
  readonly type: ResourceType = podType;
  readonly collection = new WatchCache(podType);
  readonly bytes = 0;
  freshness: Freshness = { syncedAt: 0, ageMs: 0, isComplete: true, isConnected: true };
  readonly #followers: ReadonlySet<KindFollower>;

  constructor(edge: string, followers: ReadonlySet<KindFollower>) {
    this.edge = edge;
    this.#followers = followers;
    this.collection.replace([], 1);
  }

  put(words: PodWords): void {
    const object = pod(words);
    this.collection.put(object);
    for (const follower of this.#followers) follower.put(this.edge, object);
  }

  set(freshness: Partial<Freshness>): void {
    this.freshness = { ...this.freshness, ...freshness };
    for (const follower of this.#followers) follower.state(this.edge, this);
  }

  told(follower: KindFollower): void {
    follower.state(this.edge, this);
    for (const object of this.collection.objects()) follower.put(this.edge, object);
  }
}

/** The caches of a replica, of Pods only. */
export class FakeCaches {
  readonly kinds = new Map<string, FakeKind>();
  readonly #followers = new Set<KindFollower>();

  add(edge: string): FakeKind {
    const kind = new FakeKind(edge, this.#followers);
    this.kinds.set(edge, kind);
    for (const follower of this.#followers) kind.told(follower);
    return kind;
  }

  get edges(): EdgeCache[] {
    return [...this.kinds.keys()].flatMap((edge) => this.find(edge) ?? []);
  }

  find(edge: string): EdgeCache | undefined {
    const kind = this.kinds.get(edge);
    if (kind === undefined) return undefined;
    const { freshness, type } = kind;
    const cache: Pick<EdgeCache, 'edge' | 'isConnected' | 'kinds' | 'use'> = {
      edge,
      isConnected: freshness.isConnected,
      kinds: [{ type, held: freshness.isComplete, freshness }],
      use: ({ group, resource }) => (group === '' && resource === 'pods' && freshness.isComplete ? kind : undefined),
    };
    // The rest is between the cache and its feed.
    return cache as EdgeCache;
  }

  follow(_kind: unknown, follower: KindFollower): { close(): void } {
    for (const kind of this.kinds.values()) kind.told(follower);
    this.#followers.add(follower);
    return { close: () => void this.#followers.delete(follower) };
  }
}
