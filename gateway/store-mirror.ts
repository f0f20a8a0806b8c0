import { Backoff, type Clock, type Timer } from '../base/index.ts';
import type { Store, StoreEvent, Watch } from '../store/index.ts';

export interface StoreMirrorOptions<T> {
  readonly store: Store;
  readonly prefix: string;
  readonly clock: Clock;
  /** Reads a value; what it throws is told to `onFault`, and the key counts as absent. */
  readonly parse: (value: Buffer) => T;
  /** Told of each key, without the prefix, that was put or is gone (undefined), with the revision that did it. */
  readonly onChange: (key: string, value: T | undefined, revision: number) => void;
  readonly onFault: (error: unknown) => void;
}

/**
 * Follows all keys below a prefix of the store. Where its watch ends everything is read anew, so nothing is missed. While the
 * store does not answer, what was known stays: silence ends nothing.
 */
export class StoreMirror<T> {
  readonly #options: StoreMirrorOptions<T>;
  /** Revisions of what is known. */
  readonly #revisions = new Map<string, number>();
  readonly #backoff = new Backoff();
  #watch: Watch | undefined;
  #retry: Timer | undefined;
  #closed = false;

  /** Resolves when all that there is has been told. */
  static async open<T>(options: StoreMirrorOptions<T>): Promise<StoreMirror<T>> {
    const mirror = new StoreMirror(options);
    await mirror.#load();
    return mirror;
  }

  private constructor(options: StoreMirrorOptions<T>) {
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
    this.#retry?.cancel();
  }

  async #load(): Promise<void> {
    const { store, prefix } = this.#options;
    const { entries, revision } = await store.range(prefix);
    if (this.#closed) return;
    const gone = new Set(this.#revisions.keys());
    for (const entry of entries) {
      gone.delete(entry.key.slice(prefix.length));
      this.#apply({ type: 'put', entry });
    }
    for (const key of gone) this.#apply({ type: 'delete', key: prefix + key, modRevision: revision });
    this.#watch = store.watch(
      { prefix, fromRevision: revision + 1 },
      ({ events }) => events.forEach((event) => this.#apply(event)),
      () => this.#reload(),
    );
  }

  #reload(): void {
    if (this.#closed) return;
    this.#load().catch((error: unknown) => {
      this.#options.onFault(error);
      this.#retry = this.#options.clock.after(this.#backoff.next(5_000), () => this.#reload());
    });
  }

  #apply(event: StoreEvent): void {
    const { prefix, parse, onChange, onFault } = this.#options;
    const { key: whole, modRevision } = event.type === 'put' ? event.entry : event;
    const key = whole.slice(prefix.length);
    if ((this.#revisions.get(key) ?? 0) >= modRevision) return;
    if (event.type === 'delete') {
      if (this.#revisions.delete(key)) onChange(key, undefined, modRevision);
      return;
    }
    this.#revisions.set(key, modRevision);
    try {
      onChange(key, parse(event.entry.value), modRevision);
    } catch (error) {
      // Written by another version, perhaps.
      onFault(error);
      onChange(key, undefined, modRevision);
    }
  }
}
