import type { Clock } from '../../base/index.ts';
import {
  WatchCache,
  type HeldObject,
  type ListPage,
  type ListQuery,
  type ObjectWatch,
  type ResourceType,
  type VersionWish,
  type WatchQuery,
} from '../../resources/index.ts';
import type { FleetCursor } from './fleet-cursor.ts';

/** One resource of all edges as a collection, whose versions are this process's cursors: any other's are told `version-expired`. */
export class FleetCollection extends WatchCache {
  readonly #cursor: FleetCursor;

  constructor(type: ResourceType, cursor: FleetCursor, clock: Clock) {
    super(type, { clock, version: cursor.last });
    this.#cursor = cursor;
  }

  override async get(namespace: string, name: string, at?: VersionWish): Promise<HeldObject | undefined> {
    this.#check(at);
    return await super.get(namespace, name, at);
  }

  override async list(query: ListQuery): Promise<ListPage> {
    this.#check(query.at);
    if (query.from !== undefined) this.#cursor.check(query.from.version);
    return await super.list(query);
  }

  override async watch(query: WatchQuery, wake: () => void): Promise<ObjectWatch> {
    if (typeof query.from === 'number') this.#cursor.check(query.from);
    return await super.watch(query, wake);
  }

  #check(at: VersionWish | undefined): void {
    if (at !== undefined && 'version' in at) this.#cursor.check(at.version);
  }
}
