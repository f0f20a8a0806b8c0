import { LRUCache } from 'lru-cache';

/** A map of at most `maxEntries`: what was used least recently goes first. The one file that knows `lru-cache`. */
export class BoundedMap<K extends object | string | number, V extends object | string | number> {
  readonly #cache: LRUCache<K, V>;

  constructor(maxEntries: number) {
    // Each entry counts 1 against `maxSize`, since `max` would reserve memory for all of them at once.
    this.#cache = new LRUCache({ maxSize: maxEntries, sizeCalculation: () => 1 });
  }

  get size(): number {
    return this.#cache.size;
  }

  get(key: K): V | undefined {
    return this.#cache.get(key);
  }

  set(key: K, value: V): void {
    this.#cache.set(key, value);
  }

  delete(key: K): boolean {
    return this.#cache.delete(key);
  }

  /** Takes out what was used least recently. */
  pop(): V | undefined {
    return this.#cache.pop();
  }
}
