import { heldBytes, type HeldObject, type WatchEvent } from './collection.ts';
import { editHeldObject } from './held-object.ts';

export interface HistoryLimits {
  readonly maxEvents: number;
  readonly maxEventBytes: number;
  /** In place of `maxEventBytes` while there is no watch. */
  readonly idleEventBytes: number;
}

/**
 * The last changes of a collection, numbered in their order. Every reader is a number in it, so that a thousand of them cost
 * nothing and none is waited for: what does not fit any more goes, and who had not read it has fallen behind.
 */
export class ChangeHistory {
  readonly #limits: HistoryLimits;
  #changes: (Change | undefined)[] = [];
  /** The number of `#changes[0]`. */
  #base = 0;
  #first = 0;
  #bytes = 0;
  #completeBehind: number;

  constructor(limits: HistoryLimits, version: number) {
    this.#limits = limits;
    this.#completeBehind = version;
  }

  /** The number of the oldest change that is kept. */
  get first(): number {
    return this.#first;
  }

  /** The number that the next change will have. */
  get end(): number {
    return this.#base + this.#changes.length;
  }

  /** Every change of a later version than this is kept. */
  get completeBehind(): number {
    return this.#completeBehind;
  }

  /** Superseded objects and lines. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Versions do not fall. `before` or `after` is missing when there was, or is, no object. */
  push(version: number, before: HeldObject | undefined, after: HeldObject | undefined, isWatched: boolean): void {
    const change = new Change(version, before, after, this);
    this.#changes.push(change);
    this.count(change.bytes);
    const { maxEvents, maxEventBytes, idleEventBytes } = this.#limits;
    const maxBytes = isWatched ? maxEventBytes : idleEventBytes;
    while (this.#first < this.end && (this.end - this.#first > maxEvents || this.#bytes > maxBytes)) this.#drop();
  }

  at(number: number): Change | undefined {
    return this.#changes[number - this.#base];
  }

  /** The number of the first change of a later version. Only for what is `completeBehind`. */
  numberBehind(version: number): number {
    let low = this.#first;
    let high = this.end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.at(middle)?.version ?? 0) <= version) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Forgets everything, and all who read fall behind. */
  clear(version: number): void {
    while (this.#first < this.end) this.#drop();
    this.#changes = [];
    // One number is left out, so that who had read everything is behind as well.
    this.#first++;
    this.#base = this.#first;
    this.#completeBehind = version;
  }

  /** A change that is kept holds so many bytes more. What is too much goes with the next change, never under a reader. */
  count(bytes: number): void {
    this.#bytes += bytes;
  }

  #drop(): void {
    const index = this.#first - this.#base;
    const change = this.#changes[index];
    this.#changes[index] = undefined;
    this.#first++;
    if (change !== undefined) {
      this.#bytes -= change.forget();
      this.#completeBehind = change.version;
    }
    if (index < 1024 || index < this.#changes.length / 2) return;
    this.#changes = this.#changes.slice(index + 1);
    this.#base = this.#first;
  }
}

/** One change, as watches see it: each way to see it is an event that is made once. */
export class Change {
  readonly version: number;
  readonly before: HeldObject | undefined;
  readonly after: HeldObject | undefined;
  #history: ChangeHistory | undefined;
  #bytes: number;
  #added: WatchEvent | undefined;
  #modified: WatchEvent | undefined;
  #deleted: WatchEvent | undefined;

  constructor(version: number, before: HeldObject | undefined, after: HeldObject | undefined, history: ChangeHistory) {
    this.version = version;
    this.before = before;
    this.after = after;
    this.#history = history;
    this.#bytes = before === undefined ? 0 : heldBytes(before);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What a watch is told that wants some objects and not others; undefined: nothing. */
  eventFor(wants: (object: HeldObject) => boolean): WatchEvent | undefined {
    const { before, after, version } = this;
    const wanted = before !== undefined && wants(before);
    if (after !== undefined && wants(after)) {
      if (wanted) return (this.#modified ??= new LazyEvent('MODIFIED', after, this));
      return (this.#added ??= new LazyEvent('ADDED', after, this));
    }
    if (!wanted) return undefined;
    return (this.#deleted ??= new LazyEvent('DELETED', this.#lastState(before, version), this));
  }

  count(bytes: number): void {
    this.#bytes += bytes;
    this.#history?.count(bytes);
  }

  /** Not kept by the history any more, though a reader may still hold it. Returns the bytes that this gives back. */
  forget(): number {
    this.#history = undefined;
    return this.#bytes;
  }

  #lastState(before: HeldObject, version: number): HeldObject {
    const last = editHeldObject(before, { resourceVersion: String(version) });
    this.count(last.json.length);
    return last;
  }
}

/** An event whose line is made when it is first asked for, and then shared. */
export class LazyEvent implements WatchEvent {
  readonly type: WatchEvent['type'];
  readonly object: HeldObject;
  readonly #change: Change | undefined;
  #line: Buffer | undefined;

  /** `change`: what counts the line's bytes. */
  constructor(type: WatchEvent['type'], object: HeldObject, change?: Change) {
    this.type = type;
    this.object = object;
    this.#change = change;
  }

  get line(): Buffer {
    if (this.#line === undefined) {
      this.#line = lineOf(this.type, this.object.json);
      this.#change?.count(this.#line.length);
    }
    return this.#line;
  }
}

const lineEnd = Buffer.from('}\n');
const lineStarts = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
};

function lineOf(type: WatchEvent['type'], json: Buffer): Buffer {
  const start = lineStarts[type];
  const line = Buffer.allocUnsafeSlow(start.length + json.length + lineEnd.length);
  let at = start.copy(line);
  at += json.copy(line, at);
  lineEnd.copy(line, at);
  return line;
}
