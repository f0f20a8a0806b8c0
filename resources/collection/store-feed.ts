import { Backoff, codeOf, systemClock, type Clock, type Timer } from '../../base/index.ts';
import { storeError, type Entry, type EventBatch, type Store, type Watch } from '../../store/index.ts';
import type { ResourceType } from '../types/resource-type.ts';
import type { HeldObject } from './collection.ts';
import { StoreCollection, StoreKeys } from './store-collection.ts';
import { VersionGate } from './version-gate.ts';
import { WatchCache, type WatchCacheOptions } from './watch-cache.ts';

export interface StoreFeedOptions {
  readonly store: Store;
  /** Where the objects stand in the store: `<prefix>/<group or core>/<resource>/[<namespace>/]<name>`. Default `/resources`. */
  readonly prefix?: string;
  readonly clock?: Clock;
  /** How long a read of the newest waits until memory has caught up, ms. Default 3,000. */
  readonly maxWaitMs?: number;
  /** Called for what cannot be taken from the store (it is left out), and when the watch has to begin again. */
  readonly onFault?: (error: Error) => void;
}

/** How long the watch may stay behind a revision that the store named before it is asked for a sign of life. */
const fenceDelayMs = 100;

/**
 * The collections of one store, kept by one watch: the store's revision is the version of them all, so that what happens to one
 * is progress of every other.
 *
 * The watch is of the whole store and not of the prefix: so it hears of every revision, and a read of the newest knows at
 * once whether memory has caught up. Where others write to the same etcd under another root, revisions come that the watch
 * never hears of; then a key of its own is written, and once the watch hears of that, it has heard of all before.
 */
export class StoreFeed {
  readonly #store: Store;
  readonly #root: string;
  readonly #clock: Clock;
  readonly #maxWaitMs: number;
  readonly #onFault: (error: Error) => void;
  readonly #gate: VersionGate;
  readonly #backoff = new Backoff({ maxMs: 5_000 });
  readonly #slots = new Map<string, Slot>();
  #watch: Watch | undefined;
  #timer: Timer | undefined;
  #fenceTimer: Timer | undefined;
  #revision = 0;
  #state: 'new' | 'open' | 'closed' = 'new';
  #faults = 0;
  #divergences = 0;

  constructor(options: StoreFeedOptions) {
    this.#store = options.store;
    this.#root = options.prefix ?? '/resources';
    this.#clock = options.clock ?? systemClock;
    this.#maxWaitMs = options.maxWaitMs ?? 3_000;
    this.#onFault = options.onFault ?? (() => undefined);
    this.#gate = new VersionGate(this.#clock, this.#maxWaitMs);
  }

  /** What could not be taken from the store, and watches that had to begin again. */
  get faults(): number {
    return this.#faults;
  }

  /** Objects that `compare` found different from the store, and put right. */
  get divergences(): number {
    return this.#divergences;
  }

  /** Loads what the store holds and begins to watch. Throws what the store throws; then it may be called again. */
  async start(): Promise<void> {
    if (this.#state === 'closed') throw storeError('store-closed');
    await this.#begin();
    this.#state = 'open';
  }

  /**
   * The collection of a type, the same one each time for a group and resource. Before `start` it is empty and reads of it
   * wait; behind it, it is loaded when the promise resolves. Throws what the store throws; then it may be called again.
   */
  async collection(type: ResourceType, cache: WatchCacheOptions = {}): Promise<StoreCollection> {
    const id = `${type.group}/${type.resource}`;
    const slot = this.#slots.get(id) ?? this.#addSlot(id, type, cache);
    if (this.#state === 'open' && !slot.collection.cache.isLoaded) {
      slot.loading ??= this.#load(slot, false).finally(() => (slot.loading = undefined));
      await slot.loading;
    }
    return slot.collection;
  }

  /** Reads everything again and puts right what differs; returns how many objects that were. For a store that may lose events. */
  async compare(): Promise<number> {
    const found = this.#divergences;
    for (const slot of this.#slots.values()) await this.#load(slot, true);
    return this.#divergences - found;
  }

  /** Ends the watch and all watches of its collections. The store stays open. May be called twice. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#watch?.close();
    this.#timer?.cancel();
    this.#fenceTimer?.cancel();
    this.#gate.refuseAll();
    for (const { collection } of this.#slots.values()) collection.cache.close();
  }

  #addSlot(id: string, type: ResourceType, options: WatchCacheOptions): Slot {
    const keys = new StoreKeys(this.#root, type);
    const cache = new WatchCache(type, { clock: this.#clock, maxWaitMs: this.#maxWaitMs, ...options });
    const collection = new StoreCollection({
      store: this.#store,
      cache,
      keys,
      newestRevision: () => this.#newestRevision(),
    });
    const slot: Slot = { collection, keys, late: undefined, loading: undefined };
    this.#slots.set(id, slot);
    return slot;
  }

  /** Watches from now on, then loads: what is heard meanwhile is kept until its collection is loaded. */
  async #begin(): Promise<void> {
    this.#watch?.close();
    const { revision } = await this.#store.range(this.#fencePrefix);
    if (this.#state === 'closed') return;
    for (const slot of this.#slots.values()) slot.late = [];
    const beganAt = this.#clock.now();
    this.#watch = this.#store.watch(
      { prefix: '', fromRevision: revision + 1 },
      (batch) => this.#onEvents(batch),
      (error) => {
        this.#backoff.lasted(this.#clock.now() - beganAt);
        this.#beginAgain(error);
      },
    );
    this.#reach(revision);
    for (const slot of this.#slots.values()) await this.#load(slot, false);
  }

  #beginAgain(error: unknown): void {
    if (this.#state === 'closed') return;
    this.#fault(error);
    if (codeOf(error) === 'store-closed') {
      this.close();
      return;
    }
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.#backoff.next(), () => {
      this.#begin().catch((cause: unknown) => this.#beginAgain(cause));
    });
  }

  /** `isComparison`: nothing should differ. */
  async #load(slot: Slot, isComparison: boolean): Promise<void> {
    const { keys, collection } = slot;
    const { cache } = collection;
    const late = (slot.late ??= []);
    try {
      const { revision, entries } = await this.#store.range(keys.prefix);
      // What the watch has not told yet does not differ.
      if (isComparison) await this.#gate.until(revision);
      if (this.#state === 'closed') return;
      if (cache.isLoaded) for (const batch of late) if (batch.revision <= revision) this.#apply(slot, batch);
      const differing = cache.replace(
        entries.flatMap((entry) => this.#take(slot, entry) ?? []),
        revision,
      );
      if (isComparison) this.#divergences += differing;
    } finally {
      // What is not newer than the list is dropped by the cache.
      if (slot.late === late) slot.late = undefined;
      for (const batch of late) this.#apply(slot, batch);
    }
  }

  #onEvents(batch: EventBatch): void {
    for (const slot of this.#slots.values()) {
      if (slot.late === undefined) this.#apply(slot, batch);
      else slot.late.push(batch);
    }
    this.#reach(batch.revision);
  }

  #apply(slot: Slot, { revision, events }: EventBatch): void {
    const { keys, collection } = slot;
    const { cache } = collection;
    for (const event of events) {
      if (event.type === 'put') {
        const object = this.#take(slot, event.entry);
        if (object !== undefined) cache.put(object);
      } else {
        const at = keys.parse(event.key);
        if (at !== undefined) cache.remove(at.namespace, at.name, event.modRevision);
      }
    }
    cache.progress(revision);
  }

  /** What cannot be read is a fault, and stays what it was before: it must not look like a deletion. Undefined: there is no object. */
  #take({ keys, collection }: Slot, { key, value, modRevision }: Entry): HeldObject | undefined {
    const at = keys.parse(key);
    if (at === undefined) return undefined;
    try {
      return keys.held(at, value, modRevision);
    } catch (error) {
      this.#fault(error);
      return collection.cache.peek(at.namespace, at.name);
    }
  }

  #reach(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    this.#gate.reach(this.#revision);
  }

  get #fencePrefix(): string {
    return `${this.#root}/-/`;
  }

  /** One read of (almost) nothing: a range tells the revision that it is of, and is linearizable. */
  async #newestRevision(): Promise<number> {
    const { revision } = await this.#store.range(this.#fencePrefix);
    if (revision > this.#revision) {
      this.#fenceTimer ??= this.#clock.after(fenceDelayMs, () => {
        this.#fenceTimer = undefined;
        if (revision > this.#revision) this.#fence().catch((error: unknown) => this.#fault(error));
      });
    }
    return revision;
  }

  async #fence(): Promise<void> {
    await this.#store.txn({ then: [{ type: 'put', key: `${this.#fencePrefix}fence`, value: Buffer.alloc(0) }] });
  }

  #fault(error: unknown): void {
    this.#faults++;
    this.#onFault(error instanceof Error ? error : new Error(String(error)));
  }
}

interface Slot {
  readonly collection: StoreCollection;
  readonly keys: StoreKeys;
  /** What has been heard while the collection is being loaded; undefined: it is told at once. */
  late: EventBatch[] | undefined;
  loading: Promise<void> | undefined;
}
