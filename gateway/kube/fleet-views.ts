import type { Clock } from '../../base/index.ts';
import {
  ResourceApi,
  ResourceApis,
  reviewApis,
  WatchCache,
  type ResourcePath,
  type ResourceType,
  type Verb,
} from '../../resources/index.ts';
import type { EdgeCache, KindFollower, KindName } from '../cache/index.ts';
import type { FleetCursor } from './fleet-cursor.ts';
import { FleetView } from './fleet-view.ts';

export interface FleetViewsOptions {
  readonly caches: {
    readonly edges: Iterable<EdgeCache>;
    find(edge: string): EdgeCache | undefined;
    follow(kind: KindName, follower: KindFollower): { close(): void };
  };
  readonly cursor: FleetCursor;
  readonly clock: Clock;
}

interface OpenView {
  readonly view: FleetView;
  readonly api: ResourceApi;
  readonly following: { close(): void };
}

const readOnly = 'the edges together are read only; write at one of them, under /edges/EDGE/kube';
const readVerbs: readonly Verb[] = ['get', 'list', 'watch'];

/** The views that somebody has asked for; each is kept from then on, since it costs references only and a watch may come back to it. */
export class FleetViews {
  readonly #options: FleetViewsOptions;
  readonly #views = new Map<string, OpenView>();
  #types: ReadonlyMap<string, ResourceType> | undefined;
  #offered: ResourceApis | undefined;

  constructor(options: FleetViewsOptions) {
    this.#options = options;
  }

  /** What all edges together offer, for discovery; its collections are empty. The same one until kinds change. */
  get offered(): ResourceApis {
    if (this.#offered !== undefined) return this.#offered;
    const apis = new ResourceApis();
    for (const type of this.#allTypes().values())
      apis.add(new ResourceApi({ collection: new WatchCache(type, { version: 1 }), readOnly }));
    for (const api of reviewApis()) apis.add(api);
    this.#offered = apis;
    return apis;
  }

  /** The view of a resource; undefined when no edge feeds such a kind. */
  find(path: Pick<ResourcePath, 'group' | 'version' | 'resource'>): Pick<OpenView, 'view' | 'api'> | undefined {
    const key = keyOf(path);
    const type = this.#allTypes().get(key);
    const open = this.#views.get(key);
    if (type === undefined || open !== undefined) return open;
    const view = new FleetView(type, this.#options.cursor, this.#options.clock);
    const following = this.#options.caches.follow({ group: type.group, resource: type.resource }, view);
    const opened = { view, api: new ResourceApi({ collection: view.collection, readOnly }), following };
    this.#views.set(key, opened);
    return opened;
  }

  /** The kinds of an edge have changed. */
  kindsChanged(edge: string): void {
    this.#types = undefined;
    this.#offered = undefined;
    const fed = new Set(this.#options.caches.find(edge)?.kinds.map(({ type }) => keyOf(type)));
    for (const [key, { view }] of this.#views) if (!fed.has(key)) view.unfed(edge);
  }

  close(): void {
    for (const { following, view } of this.#views.values()) {
      following.close();
      view.collection.close();
    }
    this.#views.clear();
  }

  #allTypes(): ReadonlyMap<string, ResourceType> {
    if (this.#types !== undefined) return this.#types;
    const types = new Map<string, ResourceType>();
    for (const { kinds } of this.#options.caches.edges)
      for (const { type } of kinds)
        if (!types.has(keyOf(type))) types.set(keyOf(type), { ...type, verbs: readVerbs, hasStatus: false });
    this.#types = types;
    return types;
  }
}

function keyOf({ group, version, resource }: Pick<ResourceType, 'group' | 'version' | 'resource'>): string {
  return `${group}/${version}/${resource}`;
}
