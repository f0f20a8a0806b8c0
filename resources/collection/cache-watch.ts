import { resourceError } from '../resource-error.ts';
import { LazyEvent, type ChangeHistory } from './change-history.ts';
import type { HeldObject, ObjectWatch, WatchEvent, WatchQuery } from './collection.ts';
import { matches } from './selector.ts';
import type { ObjectCursor } from './sorted-objects.ts';

/** What a watch reads. */
export interface WatchSource {
  readonly history: ChangeHistory;
  readonly version: number;
  /** Looks at all watches again soon. */
  wakeSoon(): void;
  forget(watch: CacheWatch): void;
}

/** How many objects one read looks at, at most, so that a selector that nothing matches does not hold up the rest. */
const maxLooks = 20_000;

/**
 * A place in a collection's history that moves when it is read; before that, where asked for, a place in the objects
 * that there were. Nothing is kept for it. Objects that there were go, as everything, with the history behind them.
 */
export class CacheWatch implements ObjectWatch {
  readonly #source: WatchSource;
  readonly #wants: (object: HeldObject) => boolean;
  readonly #wake: () => void;
  readonly #from: number;
  #initial: ObjectCursor | undefined;
  #next: number;
  #isHungry = false;
  #isClosed = false;

  /** `from`: changes behind this version, which the history is complete behind; `initial`: objects as of that version. */
  constructor(source: WatchSource, query: WatchQuery, wake: () => void, from: number, initial?: ObjectCursor) {
    this.#source = source;
    this.#wants = wanting(query);
    this.#wake = wake;
    this.#from = from;
    this.#initial = initial;
    this.#next = source.history.numberBehind(from);
  }

  get isInitialDone(): boolean {
    return this.#initial === undefined && !this.#isBehind;
  }

  get version(): number {
    if (this.#initial !== undefined) return 0;
    const next = this.#source.history.at(this.#next);
    if (next !== undefined) return Math.max(this.#from, next.version - 1);
    return this.#isBehind ? this.#from : Math.max(this.#from, this.#source.version);
  }

  read(limit: number): readonly WatchEvent[] {
    if (this.#isClosed) return [];
    if (this.#isBehind)
      throw resourceError('version-expired', { detail: `changes behind ${this.#from} have not been read in time` });
    const events = this.#initial === undefined ? this.#readChanges(limit) : this.#readInitial(this.#initial, limit);
    this.#isHungry = events.length === 0;
    return events;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#initial = undefined;
    this.#source.forget(this);
  }

  /** There may be something new. */
  look(): void {
    if (this.#isClosed) return;
    if (this.#isBehind) this.#initial = undefined;
    else if (!this.#isHungry || !this.#hasNext()) return;
    if (!this.#isHungry) return;
    this.#isHungry = false;
    this.#wake();
  }

  get #isBehind(): boolean {
    return this.#next < this.#source.history.first;
  }

  #hasNext(): boolean {
    if (this.#initial !== undefined) return true;
    const { history } = this.#source;
    for (; this.#next < history.end; this.#next++) {
      if (history.at(this.#next)?.eventFor(this.#wants) !== undefined) return true;
    }
    return false;
  }

  #readInitial(cursor: ObjectCursor, limit: number): readonly WatchEvent[] {
    const events: WatchEvent[] = [];
    for (let looks = 0; events.length < limit; looks++) {
      const { object } = cursor;
      if (object === undefined) {
        this.#initial = undefined;
        return events.length > 0 ? events : this.#readChanges(limit);
      }
      if (looks === maxLooks) break;
      if (this.#wants(object)) events.push(new LazyEvent('ADDED', object));
      cursor.move();
    }
    if (cursor.object === undefined) this.#initial = undefined;
    // Nothing found, and not at the end: the reader has to come again though nothing has changed.
    else if (events.length === 0) this.#source.wakeSoon();
    return events;
  }

  /** Changes of one version are read together, so that nobody goes on from the middle of them. */
  #readChanges(limit: number): readonly WatchEvent[] {
    const { history } = this.#source;
    const events: WatchEvent[] = [];
    let last = -1;
    for (; this.#next < history.end; this.#next++) {
      const change = history.at(this.#next);
      if (change === undefined || (events.length >= limit && change.version !== last)) break;
      const event = change.eventFor(this.#wants);
      if (event === undefined) continue;
      events.push(event);
      last = change.version;
    }
    return events;
  }
}

/** Whether an object is one of those that a list or a watch is about. */
export function wanting({
  namespace,
  selector,
  visible,
}: Pick<WatchQuery, 'namespace' | 'selector' | 'visible'>): (object: HeldObject) => boolean {
  const selectsAll = selector.labels.length === 0 && selector.fields.length === 0;
  return (object) =>
    (namespace === undefined || object.namespace === namespace) &&
    (selectsAll || matches(selector, object)) &&
    (visible === undefined || visible(object));
}
