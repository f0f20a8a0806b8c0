import { systemClock, type Clock } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';
import type { ResourceType } from '../types/resource-type.ts';
import { CacheWatch, type WatchSource } from './cache-watch.ts';
import { ChangeHistory } from './change-history.ts';
import {
  heldBytes,
  type Collection,
  type HeldObject,
  type ListPage,
  type ListQuery,
  type ObjectWatch,
  type VersionWish,
  type WatchQuery,
} from './collection.ts';
import { readPage, type CollectionState } from './list-page.ts';
import { compareKeys, SortedObjects, type ObjectSnapshot } from './sorted-objects.ts';
import { takeTurns } from './turns.ts';
import { VersionGate } from './version-gate.ts';

export interface WatchCacheOptions {
  readonly clock?: Clock;
  /** Changes that are kept for watches, lists of the past and further pages, at most. Default 16,384. */
  readonly maxEvents?: number;
  /** Bytes of superseded objects and of lines that went out, kept with them, at most. Default 64 MiB. */
  readonly maxEventBytes?: number;
  /** As many while nobody watches: lists of the past, and who comes back to a watch, need less. Default `maxEventBytes`. */
  readonly idleEventBytes?: number;
  /** How long a read waits for a version that has not come yet, ms. Default 3,000. */
  readonly maxWaitMs?: number;
  /** Begins complete and empty at this version. Default: reads wait for the first `replace`. */
  readonly version?: number;
}

/** Past states that are kept for the next page of a list; any other is found again through the history. */
const maxStates = 8;

/**
 * A collection in memory: the objects there are, in order, and the last changes. One writer feeds it, in the order of
 * versions; readers and watches never wait for each other.
 *
 * Everything about the past, watches, exact lists and further pages, reaches as far back as the history does, and ends
 * with `version-expired` behind it. So memory is bounded by the objects and the history's limits, whoever reads how slowly.
 */
export class WatchCache implements Collection {
  readonly type: ResourceType;
  readonly #clock: Clock;
  readonly #gate: VersionGate;
  readonly #history: ChangeHistory;
  readonly #source: WatchSource;
  readonly #watches = new Set<CacheWatch>();
  /** By version; the one used last is the last. */
  readonly #states = new Map<number, ObjectSnapshot>();
  #objects = new SortedObjects();
  #version: number;
  /** The last version that changed something. */
  #changedAt: number;
  #isLoaded: boolean;
  #isVoid = false;
  #objectBytes = 0;
  #events = 0;
  #repeated = 0;
  #isWaking = false;
  #wakeAgain = false;

  constructor(type: ResourceType, options: WatchCacheOptions = {}) {
    this.type = type;
    this.#clock = options.clock ?? systemClock;
    this.#gate = new VersionGate(this.#clock, options.maxWaitMs ?? 3_000);
    this.#version = options.version ?? 0;
    this.#changedAt = this.#version;
    this.#isLoaded = options.version !== undefined;
    if (this.#isLoaded) this.#gate.reach(this.#version);
    const { maxEvents = 16_384, maxEventBytes = 64 * 1024 * 1024, idleEventBytes = maxEventBytes } = options;
    const history = new ChangeHistory({ maxEvents, maxEventBytes, idleEventBytes }, this.#version);
    this.#history = history;
    // The part of a cache that its watches see.
    const versionNow = (): number => this.#version;
    this.#source = {
      history,
      get version() {
        return versionNow();
      },
      wakeSoon: () => this.#wakeSoon(),
      forget: (watch) => this.#watches.delete(watch),
    };
  }

  /** What has been seen; 0 before the first `replace`. */
  get version(): number {
    return this.#version;
  }

  /** Whether there has been a first `replace`: before, reads wait and then throw `version-too-new`. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Objects. */
  get size(): number {
    return this.#objects.size;
  }

  /** Bytes of the objects and of the history. */
  get bytes(): number {
    return this.#objectBytes + this.#history.bytes;
  }

  /** Open watches. */
  get watchers(): number {
    return this.#watches.size;
  }

  /** Changes since the start. */
  get events(): number {
    return this.#events;
  }

  /** Puts and removes that were dropped, since what has been seen is as new or newer. */
  get repeated(): number {
    return this.#repeated;
  }

  /** What is held, now, without waiting. */
  peek(namespace: string, name: string): HeldObject | undefined {
    return this.#objects.get({ namespace, name });
  }

  /** All that is held, in order, as of now; for the writer, who compares. */
  *objects(): Generator<HeldObject> {
    for (const chunk of this.#objects.snapshot().chunks) yield* chunk;
  }

  /**
   * Takes a new object, or a new state of one. False: what has been seen is newer, or the object is held in this version;
   * nothing happened. Objects may share a version if nothing else runs between their puts.
   */
  put(object: HeldObject): boolean {
    const held = this.#objects.get(object);
    if (object.version < this.#version || (held !== undefined && object.version <= held.version)) {
      this.#repeated++;
      return false;
    }
    this.#objects.set(object);
    this.#record(object.version, held, object);
    this.#reach(object.version);
    return true;
  }

  /** An object is gone since `version`. False: it is not held, or what has been seen is newer. */
  remove(namespace: string, name: string, version: number): boolean {
    if (version < this.#version) {
      this.#repeated++;
      return false;
    }
    const held = this.#objects.delete({ namespace, name });
    if (held !== undefined) this.#record(version, held, undefined);
    this.#reach(version);
    return held !== undefined;
  }

  /** All changes up to `version` have been told: for bookmarks and for reads that wait. A lower one does nothing. */
  progress(version: number): void {
    if (version > this.#version) this.#reach(version);
  }

  /**
   * Takes a complete list as of `version`: what differs becomes events, what is missing in it is deleted; returns how many
   * differed. Never call it with a part. Objects may come in any order; of equal keys the newest counts. All at once, about
   * 0.5 ms per 1,000 objects.
   *
   * A version below the present one is another history: as after `reset`, watches end with `version-expired`. What differs
   * from what was held at the present version itself can only be told to watches that are open.
   */
  replace(objects: Iterable<HeldObject>, version: number): number {
    const sorted = newestOfEach([...objects]);
    const isContinued = this.#isLoaded && !this.#isVoid && version >= this.#version;
    const { changes, merged } = this.#difference(sorted, version);
    this.#objects = SortedObjects.of(merged);
    this.#isLoaded = true;
    this.#isVoid = false;
    if (isContinued) for (const { at, before, after } of changes) this.#record(at, before, after);
    else {
      this.#objectBytes = merged.reduce((sum, object) => sum + heldBytes(object), 0);
      this.#history.clear(version);
      this.#states.clear();
      this.#changedAt = version;
      this.#wakeSoon();
    }
    this.#reach(version);
    return changes.length;
  }

  /** The history is void: all watches end with `version-expired`. Objects stay readable until the next `replace`. */
  reset(): void {
    this.#isVoid = true;
    this.#history.clear(this.#version);
    this.#states.clear();
    this.#wakeSoon();
  }

  /** `reset`, and reads that wait for a version fail. */
  close(): void {
    this.reset();
    this.#gate.refuseAll();
  }

  /** Resolves once this version has been reached; 0: once there is a complete list. Throws `version-too-new` after the longest wait. */
  async until(version: number): Promise<void> {
    await this.#gate.until(version);
  }

  async get(namespace: string, name: string, at: VersionWish = { match: 'newest' }): Promise<HeldObject | undefined> {
    return (await this.#stateAt(at)).objects.get({ namespace, name });
  }

  async list(query: ListQuery): Promise<ListPage> {
    const state = await this.#stateAt(
      query.from === undefined ? query.at : { match: 'exact', version: query.from.version },
    );
    return readPage(state, query, this.type.namespaced, this.#clock);
  }

  async watch(query: WatchQuery, wake: () => void): Promise<ObjectWatch> {
    const { from } = query;
    const isPast = typeof from === 'number';
    await this.#gate.until(isPast ? from : 0);
    if (isPast && from < this.#history.completeBehind) this.#expired(from);
    const initial = isPast ? undefined : this.#objects.snapshot().cursor();
    const watch = new CacheWatch(this.#source, query, wake, isPast ? from : this.#version, initial);
    this.#watches.add(watch);
    return watch;
  }

  async #stateAt(wish: VersionWish): Promise<CollectionState> {
    await this.#gate.until(wish.match === 'exact' || wish.match === 'not-older-than' ? wish.version : 0);
    if (wish.match !== 'exact') return { version: this.#version, objects: this.#objects.snapshot() };
    const { version } = wish;
    if (version >= this.#changedAt) return { version, objects: this.#objects.snapshot() };
    const objects = this.#states.get(version) ?? (await this.#undo(version));
    this.#states.delete(version);
    this.#states.set(version, objects);
    for (const oldest of this.#states.keys()) if (this.#states.size > maxStates) this.#states.delete(oldest);
    return { version, objects };
  }

  /** The state at a version of the past: the present one without the changes since. */
  async #undo(version: number): Promise<ObjectSnapshot> {
    const history = this.#history;
    if (version < history.completeBehind) this.#expired(version);
    const objects = new SortedObjects(this.#objects.snapshot());
    const since = Array.from({ length: history.end - history.numberBehind(version) }, (_, i) =>
      history.at(history.end - 1 - i),
    );
    await takeTurns(since, this.#clock, (change) => {
      if (change?.before !== undefined) objects.set(change.before);
      else if (change?.after !== undefined) objects.delete(change.after);
    });
    return objects.snapshot();
  }

  #expired(version: number): never {
    throw resourceError('version-expired', {
      detail: `${version}; the oldest that is kept is ${this.#history.completeBehind}`,
    });
  }

  /** How the objects change, in the order of versions, and what they are then: what did not change stays the same in memory. */
  #difference(
    sorted: readonly HeldObject[],
    version: number,
  ): { readonly changes: readonly Difference[]; readonly merged: readonly HeldObject[] } {
    const changes: Difference[] = [];
    const merged: HeldObject[] = [];
    const held = this.#objects.snapshot().cursor();
    const gone = (before: HeldObject): void => {
      changes.push({ at: version, before, after: undefined });
      held.move();
    };
    for (const after of sorted) {
      while (held.object !== undefined && compareKeys(held.object, after) < 0) gone(held.object);
      const before = held.object !== undefined && compareKeys(held.object, after) === 0 ? held.object : undefined;
      if (before !== undefined) held.move();
      const isSame = before?.version === after.version && before.json.equals(after.json);
      merged.push(isSame ? before : after);
      // What should have been heard of before, and was not, is told as of now.
      const at = after.version > this.#version && after.version < version ? after.version : version;
      if (!isSame) changes.push({ at, before, after });
    }
    while (held.object !== undefined) gone(held.object);
    return { changes: changes.sort((a, b) => a.at - b.at), merged };
  }

  #record(version: number, before: HeldObject | undefined, after: HeldObject | undefined): void {
    if (before !== undefined) this.#objectBytes -= heldBytes(before);
    if (after !== undefined) this.#objectBytes += heldBytes(after);
    this.#changedAt = version;
    this.#events++;
    this.#history.push(version, before, after, this.#watches.size > 0);
    for (const past of this.#states.keys()) if (past < this.#history.completeBehind) this.#states.delete(past);
    this.#wakeSoon();
  }

  #reach(version: number): void {
    this.#version = version;
    if (this.#isLoaded) this.#gate.reach(version);
  }

  /** Once for all changes of one turn; many watches take several turns. */
  #wakeSoon(): void {
    this.#wakeAgain = true;
    if (this.#isWaking || this.#watches.size === 0) return;
    this.#isWaking = true;
    this.#clock.afterInput(() => void this.#wakeAll());
  }

  async #wakeAll(): Promise<void> {
    try {
      while (this.#wakeAgain) {
        this.#wakeAgain = false;
        await takeTurns([...this.#watches], this.#clock, (watch) => watch.look());
      }
    } finally {
      this.#isWaking = false;
    }
  }
}

interface Difference {
  readonly at: number;
  readonly before: HeldObject | undefined;
  readonly after: HeldObject | undefined;
}

function newestOfEach(objects: HeldObject[]): readonly HeldObject[] {
  objects.sort((a, b) => compareKeys(a, b) || b.version - a.version);
  return objects.filter((object, index) => {
    const before = objects[index - 1];
    return before === undefined || compareKeys(before, object) !== 0;
  });
}
