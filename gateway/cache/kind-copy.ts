import type { Clock } from '../../base/index.ts';
import {
  decodeDelta,
  Digest,
  feedMalformed,
  fingerprintOf,
  heldObject,
  qualifiedName,
  WatchCache,
  type FedKind,
  type Fingerprint,
  type HeldObject,
  type KindState,
  type ObjectKey,
  type ResourceType,
} from '../../resources/index.ts';
import type { CachedKind, Freshness } from './cached-kind.ts';

/** What a copy tells its owner. */
export interface CopyHost {
  readonly edge: string;
  readonly isConnected: boolean;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  onPut(copy: KindCopy, object: HeldObject): void;
  onRemove(copy: KindCopy, object: HeldObject): void;
  /** Complete, or with another problem. */
  onState(copy: KindCopy): void;
}

interface CopyObject extends HeldObject {
  readonly fingerprint: Fingerprint;
}

/** Where a copy stands in its edge's feed. */
export interface Cursor {
  readonly feed: string;
  readonly sequence: number;
}

/** Of an object beside its JSON: itself, its labels, its places in maps. */
const OBJECT_BYTES = 600;
/** What watches, exact lists and further pages are answered from. */
const HISTORY = { maxEvents: 8192, maxEventBytes: 32 * 1024 * 1024, idleEventBytes: 4 * 1024 * 1024 };
/** A history that is void costs all watches a list: not more often than this. */
const REPLACE_MS = 10_000;

/** One kind of one edge as its feed brings it. What is held is the truth; the collection follows it, and refuses what would be a step back in its history. */
export class KindCopy implements CachedKind {
  readonly description: FedKind;
  readonly type: ResourceType;
  readonly collection: WatchCache;
  readonly #host: CopyHost;
  readonly #objects = new Map<string, CopyObject>();
  readonly #digest = new Digest();
  #objectBytes = 0;
  #isComplete = false;
  /** The collection does not have what is held. */
  #isBehind = false;
  #replacedAt = -Infinity;
  #isCurrent = false;
  #isLive = false;
  #syncedAt: number | undefined;
  #problem: Freshness['problem'];
  #cursor: Cursor | undefined;
  /** Something was applied that the cursor does not say. */
  #isUnmarked = true;
  /** What comes are newest states, with changes between them left out; `told`: such a one has come. */
  #leap: 'none' | 'open' | 'told' = 'none';
  /** Rises with every change. */
  changes = 0;

  constructor(host: CopyHost, description: FedKind, type: ResourceType) {
    this.#host = host;
    this.description = description;
    this.type = type;
    // Objects go in as they come, so that nothing long is left to do when they are complete: nobody reads before.
    this.collection = new WatchCache(type, { version: 0, clock: host.clock, ...HISTORY });
  }

  get edge(): string {
    return this.#host.edge;
  }

  get group(): string {
    return this.type.group;
  }

  get resource(): string {
    return this.type.resource;
  }

  /** `pods`, `virtualmachines.kubevirt.io`. */
  get name(): string {
    return qualifiedName(this.type);
  }

  /** The newest version of the edge's API that is contained. */
  get version(): number {
    return this.collection.version;
  }

  get size(): number {
    return this.#objects.size;
  }

  get bytes(): number {
    const history = Math.max(0, this.collection.bytes - this.#objectBytes);
    return this.#objectBytes + history + this.#objects.size * OBJECT_BYTES;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  get freshness(): Freshness {
    const syncedAt = this.#syncedAt;
    const ageMs = syncedAt === undefined ? Infinity : Math.max(0, Math.floor(this.#host.wallClock() - syncedAt));
    return {
      syncedAt,
      ageMs,
      isComplete: this.#isComplete,
      isConnected: this.#host.isConnected,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  /** Everything up to here is applied, and nothing else; undefined: what is held has to be compared. */
  get cursor(): Cursor | undefined {
    return this.#isUnmarked ? undefined : this.#cursor;
  }

  get digest(): string {
    return this.#digest.toString();
  }

  /** All that is held, in no order. */
  get objects(): Iterable<HeldObject> {
    return this.#objects.values();
  }

  fingerprints(): Fingerprint[] {
    return Array.from(this.#objects.values(), ({ fingerprint }) => fingerprint);
  }

  /** Takes a whole object; its bytes are copied. Throws `feed-malformed`. */
  put(json: Buffer): void {
    let held: HeldObject;
    try {
      held = heldObject(json, this.type);
    } catch (cause) {
      throw feedMalformed('an object', cause);
    }
    const { namespace, name, version, labels, fields } = held;
    const key = keyOf(held);
    const object = { namespace, name, version, json: held.json, labels, fields, fingerprint: fingerprintOf(held.json) };
    const old = this.#objects.get(key);
    if (old?.fingerprint === object.fingerprint) return;
    this.#changed();
    if (old !== undefined) this.#forget(key, old);
    this.#objects.set(key, object);
    this.#digest.add(object.fingerprint);
    this.#objectBytes += object.json.length;
    if (!this.collection.put(object)) this.#isBehind = true;
    this.#host.onPut(this, object);
  }

  /** Takes what changed of an object. False: the state that it changes is not held. Throws `feed-malformed`. */
  patch(key: ObjectKey, base: Fingerprint, delta: Buffer): boolean {
    const old = this.#objects.get(keyOf(key));
    if (old?.fingerprint !== base) return false;
    this.put(decodeDelta(old.json, delta));
    return true;
  }

  remove(key: ObjectKey, version: number): void {
    const old = this.#objects.get(keyOf(key));
    if (old === undefined) return;
    this.#changed();
    this.#forget(keyOf(key), old);
    if (!this.collection.remove(key.namespace, key.name, version)) this.#isBehind = true;
    this.#host.onRemove(this, old);
  }

  /** What is held of these. */
  *heldOf(fingerprints: ReadonlySet<Fingerprint>): Generator<ObjectKey, void, undefined> {
    for (const object of this.#objects.values()) if (fingerprints.has(object.fingerprint)) yield object;
  }

  /** Everything has been sent: what is held is the whole. */
  complete(version: number): void {
    this.#endLeap();
    if (this.#isComplete) return;
    this.#isComplete = true;
    if (this.#isBehind) {
      this.#replace(version);
    } else {
      this.collection.progress(version);
      // What came in was no history: before this nobody knows what was.
      this.collection.reset();
    }
    this.#host.onState(this);
  }

  /** Everything up to a sequence, and with it up to a version, has been applied. */
  mark(cursor: Cursor, version: number, isCurrent: boolean): void {
    this.#endLeap();
    this.#cursor = cursor;
    this.#isUnmarked = false;
    this.#isCurrent = isCurrent;
    this.#settle(version);
  }

  /** Nothing is newer than what was sent. */
  alive(): void {
    this.#settle(0);
  }

  /** How the kind stands at the edge. */
  state({ isLive, problem }: KindState): void {
    this.#isLive = isLive;
    const before = this.#problem;
    this.#problem =
      problem === undefined
        ? undefined
        : {
            reason: problem.reason,
            message: problem.message,
            since: Math.floor(this.#host.wallClock() - problem.sinceMs),
          };
    if (before?.reason !== problem?.reason || before?.message !== problem?.message) this.#host.onState(this);
  }

  /** What is held is not what it should be: it is compared before anything goes on. */
  doubt(): void {
    this.#isUnmarked = true;
    this.#isCurrent = false;
    this.leap();
  }

  /**
   * What comes up to the next cursor leaves changes out: as soon as it changes anything, whoever watches has to list anew. False: so
   * it was already.
   */
  leap(): boolean {
    this.#isUnmarked = true;
    if (this.#leap !== 'none' || !this.#isComplete) return false;
    this.#leap = 'open';
    return true;
  }

  /** The stream is gone: nothing is known to be current. */
  lost(): void {
    this.#isCurrent = false;
    this.#isLive = false;
  }

  /** Takes over what was held before a restart: the objects have been put. */
  restore(version: number, syncedAt: number | undefined, cursor: Cursor | undefined): void {
    this.#syncedAt = syncedAt;
    this.#cursor = cursor;
    this.#isUnmarked = cursor === undefined;
    this.complete(version);
  }

  #settle(version: number): void {
    if (!this.#isComplete) return;
    if (!this.#isBehind) this.collection.progress(version);
    else if (this.#host.clock.now() - this.#replacedAt >= REPLACE_MS) {
      this.#replacedAt = this.#host.clock.now();
      this.#replace(version);
    }
    if (this.#isCurrent && this.#isLive && !this.#isBehind) this.#syncedAt = Math.floor(this.#host.wallClock());
  }

  /** Called before something changes. */
  #changed(): void {
    this.changes++;
    this.#isUnmarked = true;
    if (this.#leap !== 'open') return;
    this.#leap = 'told';
    this.collection.reset();
  }

  /** Who has listed meanwhile has listed a state that never was. */
  #endLeap(): void {
    if (this.#leap === 'told') this.collection.reset();
    this.#leap = 'none';
  }

  #forget(key: string, { fingerprint, json }: CopyObject): void {
    this.#objects.delete(key);
    this.#digest.remove(fingerprint);
    this.#objectBytes -= json.length;
  }

  #replace(version: number): void {
    let newest = version;
    for (const object of this.#objects.values()) newest = Math.max(newest, object.version);
    this.#isBehind = false;
    this.collection.replace(this.#objects.values(), newest);
  }
}

function keyOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
