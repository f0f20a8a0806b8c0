import type { HeldObject } from './collection.ts';

/** An object's place in the order. */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The order of collections: by namespace, then by name, by UTF-16 units, which is the order of bytes for all names that
 * Kubernetes allows to be compared with others.
 */
export function compareKeys(a: ObjectKey, b: ObjectKey): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

/** Objects in their chunk; an insertion moves no more than a chunk and the list of chunks. */
const maxChunk = 512;

/**
 * Objects in order that can be kept as they are now for almost nothing: a snapshot shares all chunks, and a chunk that a
 * snapshot may see is copied before it is changed.
 */
export class SortedObjects {
  #chunks: HeldObject[][];
  /** Chunks that no snapshot sees; undefined: all. */
  #own: Set<HeldObject[]> | undefined;
  #size: number;
  #snapshot: ObjectSnapshot | undefined;

  /** With a snapshot: a copy that can be changed. */
  constructor(snapshot?: ObjectSnapshot) {
    this.#chunks = [...(snapshot?.chunks ?? [])] as HeldObject[][];
    this.#own = snapshot === undefined ? undefined : new Set();
    this.#size = snapshot?.size ?? 0;
  }

  /** From objects that are in order, each key once. */
  static of(sorted: readonly HeldObject[]): SortedObjects {
    const chunks: HeldObject[][] = [];
    for (let at = 0; at < sorted.length; at += maxChunk) chunks.push(sorted.slice(at, at + maxChunk));
    return new SortedObjects(new ObjectSnapshot(chunks, sorted.length));
  }

  get size(): number {
    return this.#size;
  }

  get(key: ObjectKey): HeldObject | undefined {
    const { chunk, offset } = locate(this.#chunks, key);
    return exactly(this.#chunks[chunk]?.[offset], key);
  }

  /** Returns what stood there. */
  set(object: HeldObject): HeldObject | undefined {
    const { chunk: found, offset: foundOffset } = locate(this.#chunks, object);
    // Behind everything: at the end of the last chunk, so that what comes in order fills chunks.
    const isBehind = found === this.#chunks.length && found > 0;
    const chunk = isBehind ? found - 1 : found;
    const objects = this.#writable(chunk);
    const offset = isBehind ? objects.length : foundOffset;
    const before = exactly(objects[offset], object);
    if (before === undefined) {
      objects.splice(offset, 0, object);
      this.#size++;
      if (objects.length > maxChunk) this.#split(chunk, offset === maxChunk ? maxChunk : maxChunk / 2);
    } else objects[offset] = object;
    return before;
  }

  /** Returns what stood there. */
  delete(key: ObjectKey): HeldObject | undefined {
    const before = this.get(key);
    if (before === undefined) return undefined;
    const { chunk, offset } = locate(this.#chunks, key);
    const objects = this.#writable(chunk);
    objects.splice(offset, 1);
    this.#size--;
    if (objects.length === 0) this.#chunks.splice(chunk, 1);
    return before;
  }

  /** All of it as it is now. */
  snapshot(): ObjectSnapshot {
    if (this.#snapshot === undefined) {
      this.#snapshot = new ObjectSnapshot(this.#chunks, this.#size);
      this.#own = new Set();
    }
    return this.#snapshot;
  }

  #writable(chunk: number): HeldObject[] {
    if (this.#snapshot !== undefined) {
      this.#chunks = [...this.#chunks];
      this.#snapshot = undefined;
    }
    const objects = this.#chunks[chunk];
    if (objects !== undefined && (this.#own === undefined || this.#own.has(objects))) return objects;
    const copy = objects === undefined ? [] : [...objects];
    this.#chunks[chunk] = copy;
    this.#own?.add(copy);
    return copy;
  }

  #split(chunk: number, at: number): void {
    const rest = this.#chunks[chunk]?.splice(at) ?? [];
    this.#own?.add(rest);
    this.#chunks.splice(chunk + 1, 0, rest);
  }
}

/** Objects in order that do not change. */
export class ObjectSnapshot {
  readonly chunks: readonly (readonly HeldObject[])[];
  readonly size: number;

  constructor(chunks: readonly (readonly HeldObject[])[], size: number) {
    this.chunks = chunks;
    this.size = size;
  }

  get(key: ObjectKey): HeldObject | undefined {
    const { chunk, offset } = locate(this.chunks, key);
    return exactly(this.chunks[chunk]?.[offset], key);
  }

  /** Begins at the first object that is not before the key. */
  cursor(key: ObjectKey = { namespace: '', name: '' }): ObjectCursor {
    return new ObjectCursor(this.chunks, locate(this.chunks, key));
  }

  /** How many objects are before the key. */
  countBefore(key: ObjectKey): number {
    const { chunk, offset } = locate(this.chunks, key);
    let count = offset;
    for (let i = 0; i < chunk; i++) count += this.chunks[i]?.length ?? 0;
    return count;
  }
}

/** A place in a snapshot that moves forward. */
export class ObjectCursor {
  readonly #chunks: ObjectSnapshot['chunks'];
  #chunk: number;
  #offset: number;

  constructor(chunks: ObjectSnapshot['chunks'], { chunk, offset }: Place) {
    this.#chunks = chunks;
    this.#chunk = chunk;
    this.#offset = offset;
  }

  /** The object at this place; undefined at the end. */
  get object(): HeldObject | undefined {
    return this.#chunks[this.#chunk]?.[this.#offset];
  }

  move(): void {
    if (++this.#offset < (this.#chunks[this.#chunk]?.length ?? 0)) return;
    this.#chunk++;
    this.#offset = 0;
  }
}

/** The key right behind another. */
export function keyBehind({ namespace, name }: ObjectKey): ObjectKey {
  return { namespace, name: `${name}\0` };
}

/** The key right behind all of a namespace. */
export function namespaceEnd(namespace: string): ObjectKey {
  return { namespace: `${namespace}\0`, name: '' };
}

interface Place {
  readonly chunk: number;
  readonly offset: number;
}

/** The place of the first object that is not before the key. */
function locate(chunks: ObjectSnapshot['chunks'], key: ObjectKey): Place {
  const chunk = firstNotBefore(chunks, (objects) => objects.at(-1), key);
  return { chunk, offset: firstNotBefore(chunks[chunk] ?? [], (object) => object, key) };
}

function firstNotBefore<T>(items: readonly T[], objectOf: (item: T) => HeldObject | undefined, key: ObjectKey): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    const object = item === undefined ? undefined : objectOf(item);
    if (object !== undefined && compareKeys(object, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function exactly(object: HeldObject | undefined, key: ObjectKey): HeldObject | undefined {
  return object !== undefined && compareKeys(object, key) === 0 ? object : undefined;
}
