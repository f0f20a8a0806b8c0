import { codeOf } from '../base/index.ts';
import { everything, type Collection, type HeldObject, type ObjectWatch } from '../resources/index.ts';

/** Events that are read at a time. */
const READ_EVENTS = 500;

export interface CollectionMirrorOptions {
  readonly collection: Collection;
  /** Told of each object that there is, and of each that changes; what it throws goes to `onFault`. */
  readonly onPut: (name: string, object: unknown) => void;
  readonly onGone: (name: string) => void;
  /** Told when what came together has been told. */
  readonly onRead?: () => void;
  readonly onFault: (error: unknown) => void;
}

/**
 * Follows a collection whose objects have no namespace, for who keeps what they say in memory. Where its watch ends the objects
 * are read anew, so nothing is missed: what was there and is not any more is told as gone.
 */
export class CollectionMirror {
  readonly #options: CollectionMirrorOptions;
  readonly #names = new Set<string>();
  #watch: ObjectWatch | undefined;
  /** Objects that were there before they are read anew; what is left of them is gone. */
  #unconfirmed: Set<string> | undefined;
  #closed = false;

  /** Resolves when all that there is has been told. */
  static async open(options: CollectionMirrorOptions): Promise<CollectionMirror> {
    const mirror = new CollectionMirror(options);
    await mirror.#follow();
    return mirror;
  }

  private constructor(options: CollectionMirrorOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
  }

  async #follow(): Promise<void> {
    this.#watch?.close();
    this.#unconfirmed = new Set(this.#names);
    const watch = await this.#options.collection.watch({ selector: everything, from: 'any' }, () => this.#read());
    if (this.#closed) {
      watch.close();
      return;
    }
    this.#watch = watch;
    this.#read();
  }

  #read(): void {
    this.#readAll();
    this.#options.onRead?.();
  }

  #readAll(): void {
    const watch = this.#watch;
    if (watch === undefined || this.#closed) return;
    try {
      for (;;) {
        const events = watch.read(READ_EVENTS);
        if (events.length === 0) break;
        for (const { type, object } of events) {
          if (type === 'DELETED') this.#gone(object.name);
          else this.#put(object);
        }
      }
    } catch (error) {
      if (codeOf(error) !== 'version-expired') this.#options.onFault(error);
      void this.#follow().catch((cause: unknown) => this.#options.onFault(cause));
      return;
    }
    if (this.#unconfirmed === undefined || !watch.isInitialDone) return;
    const gone = this.#unconfirmed;
    this.#unconfirmed = undefined;
    for (const name of gone) this.#gone(name);
  }

  #put({ name, json }: HeldObject): void {
    this.#names.add(name);
    this.#unconfirmed?.delete(name);
    try {
      this.#options.onPut(name, JSON.parse(json.toString('utf8')));
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  #gone(name: string): void {
    this.#unconfirmed?.delete(name);
    if (this.#names.delete(name)) this.#options.onGone(name);
  }
}
