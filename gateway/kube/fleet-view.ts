import type { Clock } from '../../base/index.ts';
import type { HeldObject, ResourceType } from '../../resources/index.ts';
import type { CachedKind, DropReason, KindFollower } from '../cache/index.ts';
import { FleetCollection } from './fleet-collection.ts';
import type { FleetCursor } from './fleet-cursor.ts';
import { FleetObject, fleetName } from './fleet-object.ts';

/** Changes are taken in for so long before other work gets its turn; looked at every so many. */
const TURN_MS = 5;
const TURN_CHANGES = 32;

/** One edge's part of a view. */
interface EdgePart {
  /** By namespace and name, as the edge has them. */
  readonly objects: Map<string, FleetObject>;
  kind: CachedKind | undefined;
  /** The edge's copy was dropped and comes again, all of it: what has come so far. What is not among it in the end is gone. */
  renewed: Set<string> | undefined;
}

type Change =
  | { readonly type: 'state'; readonly kind: CachedKind }
  | { readonly type: 'put' | 'remove'; readonly object: HeldObject }
  /** It goes, unless it has come again by then. */
  | { readonly type: 'retire'; readonly shown: FleetObject }
  /** `forGood`: nothing comes again. */
  | { readonly type: 'dropped'; readonly forGood: boolean };

/**
 * One resource of all edges, kept by what the edges' caches tell. It holds references, so that an object's bytes are in memory
 * once. Changes are taken in pieces, in the order in which they came; an edge that goes offline changes nothing.
 */
export class FleetView implements KindFollower {
  readonly collection: FleetCollection;
  readonly #cursor: FleetCursor;
  readonly #clock: Clock;
  readonly #parts = new Map<string, EdgePart>();
  /** Objects that go when their turn comes, since many may go at once. */
  readonly #retiring = new Set<FleetObject>();
  #queue: { readonly edge: string; readonly change: Change }[] = [];
  #taken = 0;
  #isScheduled = false;
  #nextChange: PromiseWithResolvers<void> | undefined;

  constructor(type: ResourceType, cursor: FleetCursor, clock: Clock) {
    this.collection = new FleetCollection(type, cursor, clock);
    this.#cursor = cursor;
    this.#clock = clock;
  }

  get type(): ResourceType {
    return this.collection.type;
  }

  /** The copy of an edge that is part of the view; undefined when there is none, or it is not whole. */
  partOf(edge: string): CachedKind | undefined {
    const kind = this.#parts.get(edge)?.kind;
    return kind?.freshness.isComplete === true ? kind : undefined;
  }

  /** Resolves when something more has been told, and all of it has been taken in. */
  changed(): Promise<void> {
    this.#nextChange ??= Promise.withResolvers();
    return this.#nextChange.promise;
  }

  get isSettled(): boolean {
    return this.#queue.length === 0;
  }

  state(edge: string, kind: CachedKind): void {
    this.#push(edge, { type: 'state', kind });
  }

  put(edge: string, object: HeldObject): void {
    this.#push(edge, { type: 'put', object });
  }

  remove(edge: string, object: HeldObject): void {
    this.#push(edge, { type: 'remove', object });
  }

  dropped(edge: string, reason: DropReason): void {
    this.#push(edge, { type: 'dropped', forGood: reason === 'deleted' });
  }

  /** The edge does not feed this kind any more. */
  unfed(edge: string): void {
    this.#push(edge, { type: 'dropped', forGood: true });
  }

  #push(edge: string, change: Change): void {
    this.#queue.push({ edge, change });
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.afterInput(() => this.#takeSome());
  }

  #takeSome(): void {
    this.#isScheduled = false;
    const began = this.#clock.now();
    for (; this.#taken < this.#queue.length; this.#taken++) {
      if (this.#taken % TURN_CHANGES === 0 && this.#clock.now() - began >= TURN_MS) break;
      const next = this.#queue[this.#taken];
      if (next !== undefined) this.#take(next.edge, next.change);
    }
    if (this.#taken < this.#queue.length) {
      this.#isScheduled = true;
      this.#clock.afterInput(() => this.#takeSome());
      return;
    }
    this.#queue = [];
    this.#taken = 0;
    this.#nextChange?.resolve();
    this.#nextChange = undefined;
  }

  #take(edge: string, change: Change): void {
    switch (change.type) {
      case 'state':
        return this.#takeState(edge, change.kind);
      case 'put':
        return this.#takePut(edge, change.object);
      case 'remove':
        return this.#takeRemove(edge, change.object);
      case 'retire':
        return this.#takeRetire(edge, change.shown);
      case 'dropped':
        return this.#takeDropped(edge, change.forGood);
    }
  }

  #takeState(edge: string, kind: CachedKind): void {
    // An edge that prefers another version of the kind is part of that version's view.
    if (kind.type.version !== this.type.version) return this.#takeDropped(edge, true);
    const part = this.#partOf(edge);
    part.kind = kind;
    const { renewed } = part;
    if (renewed === undefined || !kind.freshness.isComplete) return;
    part.renewed = undefined;
    for (const [key, shown] of part.objects) if (!renewed.has(key)) this.#retire(edge, shown);
  }

  #takePut(edge: string, object: HeldObject): void {
    const part = this.#parts.get(edge);
    // Of another version: see above.
    if (part?.kind === undefined) return;
    const key = keyOf(object);
    part.renewed?.add(key);
    const known = part.objects.get(key);
    if (known?.source.version === object.version && known.source.json.equals(object.json)) {
      known.rebind(object);
      this.#retiring.delete(known);
      return;
    }
    const shown = new FleetObject(edge, object, this.#cursor.next());
    part.objects.set(key, shown);
    this.collection.put(shown);
  }

  #takeRemove(edge: string, object: HeldObject): void {
    const part = this.#parts.get(edge);
    if (part?.objects.delete(keyOf(object)) !== true) return;
    this.collection.remove(object.namespace, fleetName(edge, object.name), this.#cursor.next());
    if (part.objects.size === 0 && part.kind === undefined) this.#parts.delete(edge);
  }

  #takeRetire(edge: string, shown: FleetObject): void {
    const isLatest = this.#parts.get(edge)?.objects.get(keyOf(shown.source)) === shown;
    if (this.#retiring.delete(shown) && isLatest) this.#takeRemove(edge, shown.source);
  }

  #takeDropped(edge: string, forGood: boolean): void {
    const part = this.#parts.get(edge);
    if (part === undefined) return;
    part.kind = undefined;
    part.renewed = forGood ? undefined : new Set();
    if (forGood) for (const shown of part.objects.values()) this.#retire(edge, shown);
    if (part.objects.size === 0) this.#parts.delete(edge);
  }

  #retire(edge: string, shown: FleetObject): void {
    this.#retiring.add(shown);
    this.#push(edge, { type: 'retire', shown });
  }

  #partOf(edge: string): EdgePart {
    let part = this.#parts.get(edge);
    if (part === undefined) {
      part = { objects: new Map(), kind: undefined, renewed: undefined };
      this.#parts.set(edge, part);
    }
    return part;
  }
}

function keyOf({ namespace, name }: HeldObject): string {
  return `${namespace}/${name}`;
}
