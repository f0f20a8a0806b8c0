import { qualifiedName, type FedKind, type FeedHello, FEED_VERSION, type ResourceType } from '../../resources/index.ts';
import type { CachedKind, DropReason, Freshness, KindName } from './cached-kind.ts';
import { KindCopy, type CopyHost } from './kind-copy.ts';

/** What all edges' caches share. */
export interface EdgeCacheHost extends Pick<CopyHost, 'onPut' | 'onRemove' | 'onState' | 'clock' | 'wallClock'> {
  /** What is known of a kind beside what its edge says of it: columns, fields. */
  typeOf(kind: FedKind): ResourceType;
  /** Whether there is room for one more copy of it. */
  hasRoom(kind: FedKind): boolean;
  onHeld(copy: KindCopy): void;
  onUsed(copy: KindCopy): void;
  onDropped(copy: KindCopy, reason: DropReason): void;
  onKindsChanged(edge: string): void;
}

/** The stream that feeds an edge's cache, while there is one. */
export interface Feeding {
  /** The log that it reads. */
  readonly feed: string | undefined;
  /** Is heard of. */
  readonly isAlive: boolean;
  /** Asks for a kind that is held from now on. */
  ask(copy: KindCopy): void;
  /** Wants no more of a kind. */
  drop(copy: KindCopy): void;
  /** Begins anew, with another stream. */
  close(): void;
}

interface KindSlot {
  readonly description: FedKind;
  readonly type: ResourceType;
  copy: KindCopy | undefined;
}

/** What this replica holds of one edge. */
export class EdgeCache {
  readonly edge: string;
  readonly #host: EdgeCacheHost;
  readonly #copyHost: CopyHost;
  readonly #kinds = new Map<string, KindSlot>();
  #feeding: Feeding | undefined;
  /** The log that was read last. */
  #feed: string | undefined;

  constructor(edge: string, host: EdgeCacheHost) {
    this.edge = edge;
    this.#host = host;
    const isConnected = (): boolean => this.isConnected;
    this.#copyHost = {
      edge,
      get isConnected() {
        return isConnected();
      },
      clock: host.clock,
      wallClock: host.wallClock,
      onPut: (copy, object) => host.onPut(copy, object),
      onRemove: (copy, object) => host.onRemove(copy, object),
      onState: (copy) => host.onState(copy),
    };
  }

  /** The feed is open, and was heard of in time. */
  get isConnected(): boolean {
    return this.#feeding?.isAlive === true;
  }

  /** Everything that the edge feeds, whether it is held at the moment or not. */
  get kinds(): readonly { readonly type: ResourceType; readonly held: boolean; readonly freshness: Freshness }[] {
    return Array.from(this.#kinds.values(), ({ type, copy }) => ({
      type,
      held: copy?.isComplete === true,
      freshness: copy?.freshness ?? {
        syncedAt: undefined,
        ageMs: Infinity,
        isComplete: false,
        isConnected: this.isConnected,
      },
    }));
  }

  /** What is held, complete or not. */
  get copies(): readonly KindCopy[] {
    return [...this.#kinds.values()].flatMap(({ copy }) => copy ?? []);
  }

  /**
   * For a reader: the kind when it is held and complete; that marks it as used. Undefined: read live. A kind that the edge feeds and
   * that was evicted is asked for again.
   */
  use({ group, resource }: KindName): CachedKind | undefined {
    const slot = this.#kinds.get(qualifiedName({ group, resource }));
    if (slot === undefined) return undefined;
    if (slot.copy === undefined) this.#hold(slot);
    else this.#host.onUsed(slot.copy);
    return slot.copy?.isComplete === true ? slot.copy : undefined;
  }

  /** The edge says what one of its kinds is. Undefined: there is no room for it. */
  describe(description: FedKind): KindCopy | undefined {
    const name = qualifiedName(description);
    const old = this.#kinds.get(name);
    if (old !== undefined && isSame(old.description, description)) {
      if (old.copy === undefined && this.#host.hasRoom(description)) this.#hold(old);
      return old.copy;
    }
    if (old?.copy !== undefined) this.#drop(old, 'not-fed');
    const slot: KindSlot = { description, type: this.#host.typeOf(description), copy: undefined };
    this.#kinds.set(name, slot);
    if (this.#host.hasRoom(description)) this.#hold(slot);
    this.#host.onKindsChanged(this.edge);
    return slot.copy;
  }

  /** Where the feed shall go on. Cursors of several feeds cannot be told in one: what is of another is compared. */
  hello(): FeedHello {
    const held = this.copies.flatMap((copy) => (copy.cursor === undefined ? [] : [{ copy, cursor: copy.cursor }]));
    const feed = this.#feed ?? held[0]?.cursor.feed;
    if (feed === undefined) return { version: FEED_VERSION, cursors: {} };
    const cursors: Record<string, number> = {};
    for (const { copy, cursor } of held) if (cursor.feed === feed) cursors[copy.name] = cursor.sequence;
    return { version: FEED_VERSION, feed, cursors };
  }

  /** A stream feeds this cache from now on; undefined: none does. */
  feedBy(feeding: Feeding | undefined): void {
    this.#feeding = feeding;
    this.#feed = feeding?.feed ?? this.#feed;
    if (feeding === undefined) for (const copy of this.copies) copy.lost();
    this.connectionChanged();
  }

  /** Tells all who follow that the feed is, or is not, heard of any more. */
  connectionChanged(): void {
    for (const copy of this.copies) this.#host.onState(copy);
  }

  /** Forgets a copy. */
  drop(copy: KindCopy, reason: DropReason): void {
    for (const slot of this.#kinds.values()) if (slot.copy === copy) this.#drop(slot, reason);
  }

  /** Forgets everything. */
  clear(): void {
    for (const slot of this.#kinds.values()) if (slot.copy !== undefined) this.#drop(slot, 'deleted');
    this.#kinds.clear();
    this.#feeding?.close();
    this.#host.onKindsChanged(this.edge);
  }

  #hold(slot: KindSlot): void {
    slot.copy = new KindCopy(this.#copyHost, slot.description, slot.type);
    this.#host.onHeld(slot.copy);
    this.#feeding?.ask(slot.copy);
  }

  #drop(slot: KindSlot, reason: DropReason): void {
    const { copy } = slot;
    if (copy === undefined) return;
    slot.copy = undefined;
    this.#feeding?.drop(copy);
    copy.collection.close();
    this.#host.onDropped(copy, reason);
  }
}

function isSame(one: FedKind, other: FedKind): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
