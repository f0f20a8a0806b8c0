import { CodedError, silentLog } from '../../base/index.ts';
import type { KubeObject } from '../object.ts';
import { resourceError } from '../resource-error.ts';
import { Reflector } from './reflector.ts';
import type { ReflectorOptions } from './reflector-options.ts';
import type { RawEvent, RawObject, ReflectorState } from './reflector-sink.ts';
import { keyOf } from './version-ledger.ts';

export type InformerOptions = Omit<ReflectorOptions, 'sink'> & {
  /** Events that wait for a reader of the iteration, before it is cut off. Default 100,000. */
  readonly maxWaiting?: number;
};

/** What happened to one object. */
export type InformerEvent =
  | { readonly type: 'add'; readonly object: KubeObject }
  | { readonly type: 'update'; readonly object: KubeObject; readonly before: KubeObject }
  | { readonly type: 'delete'; readonly object: KubeObject };

type Handler<T extends InformerEvent['type']> = (event: Extract<InformerEvent, { readonly type: T }>) => void;

/**
 * Keeps the objects of a resource in memory, equal to what the API has, and tells what changes. See `Reflector` for
 * what that means; where it had to list anew, events are what differs between before and after. Objects are frozen by
 * agreement: they are the cache's own.
 */
export class Informer {
  readonly #reflector: Reflector;
  readonly #options: InformerOptions;
  readonly #objects = new Map<string, KubeObject>();
  readonly #handlers = new Set<(event: InformerEvent) => void>();
  readonly #readers = new Set<Reader>();

  constructor(options: InformerOptions) {
    this.#options = options;
    this.#reflector = new Reflector({
      ...options,
      sink: {
        replace: (objects) => this.#replace(objects),
        apply: (event) => this.#apply(event),
      },
      onChange: (state) => {
        options.onChange?.(state);
        if (state.phase === 'closed') for (const reader of this.#readers) reader.end(state.lastError);
      },
    });
  }

  /** Resolves when the cache has been filled; rejects when the informer is closed before. */
  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  get state(): ReflectorState {
    return this.#reflector.state;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Begins. Handlers that are there before miss nothing. */
  start(): this {
    this.#reflector.start();
    return this;
  }

  /** The object as it is held; `namespace` is empty for what belongs to none. */
  get(name: string, namespace = ''): KubeObject | undefined {
    return this.#objects.get(keyOf({ namespace, name }));
  }

  /** All objects that are held, or those of a namespace, in no order. */
  list(namespace?: string): readonly KubeObject[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  /** Calls `handler` for what happens from now on. What it throws is logged. Returns how to stop it. */
  on<T extends InformerEvent['type']>(type: T, handler: Handler<T>): () => void {
    const each = (event: InformerEvent): void => {
      if (event.type === type) handler(event as Parameters<Handler<T>>[0]);
    };
    this.#handlers.add(each);
    return () => this.#handlers.delete(each);
  }

  /**
   * An `add` for each object that is held now, then everything that happens, until the informer is closed. Throws
   * `reader-too-slow` when too much waits.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<InformerEvent, void, undefined> {
    const reader = new Reader(this.#options.maxWaiting ?? 100_000);
    for (const object of this.#objects.values()) reader.push({ type: 'add', object }, true);
    this.#readers.add(reader);
    if (this.state.phase === 'closed') reader.end(this.state.lastError);
    try {
      for (;;) {
        const event = await reader.next();
        if (event === undefined) return;
        yield event;
      }
    } finally {
      this.#readers.delete(reader);
    }
  }

  /** Lists anew as soon as possible; what differs becomes events. */
  relist(): void {
    this.#reflector.relist();
  }

  async close(): Promise<void> {
    await this.#reflector.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #replace(objects: readonly RawObject[]): void {
    const gone = new Map(this.#objects);
    for (const raw of objects) {
      const key = keyOf(raw);
      const before = gone.get(key);
      gone.delete(key);
      if (before?.metadata.resourceVersion !== String(raw.version)) this.#put(key, raw.object, before);
    }
    for (const [key, object] of gone) {
      this.#objects.delete(key);
      this.#tell({ type: 'delete', object });
    }
  }

  #apply({ type, object, ...id }: RawEvent): void {
    const key = keyOf(id);
    if (type !== 'deleted') {
      this.#put(key, object, this.#objects.get(key));
      return;
    }
    this.#objects.delete(key);
    this.#tell({ type: 'delete', object });
  }

  #put(key: string, object: KubeObject, before: KubeObject | undefined): void {
    this.#objects.set(key, object);
    this.#tell(before === undefined ? { type: 'add', object } : { type: 'update', object, before });
  }

  #tell(event: InformerEvent): void {
    for (const handler of [...this.#handlers]) {
      try {
        handler(event);
      } catch (error) {
        (this.#options.log ?? silentLog).error('informer-handler-failed', { error });
      }
    }
    for (const reader of this.#readers) reader.push(event);
  }
}

/** What waits for one iteration. */
class Reader {
  readonly #max: number;
  #events: InformerEvent[] = [];
  #at = 0;
  #end: { readonly error: Error | undefined } | undefined;
  #wake: () => void = () => undefined;

  constructor(max: number) {
    this.#max = max;
  }

  push(event: InformerEvent, isHeld = false): void {
    if (this.#end !== undefined) return;
    if (!isHeld && this.#events.length - this.#at >= this.#max) {
      this.#events = [];
      this.#at = 0;
      this.end(resourceError('reader-too-slow', { detail: `${this.#max} events wait` }));
      return;
    }
    this.#events.push(event);
    this.#wake();
  }

  end(error: Error | undefined): void {
    this.#end ??= { error };
    this.#wake();
  }

  async next(): Promise<InformerEvent | undefined> {
    for (;;) {
      const event = this.#events[this.#at];
      if (event !== undefined) {
        this.#at++;
        // In pieces, since taking one off the front of a long array moves all of it.
        if (this.#at === this.#events.length || this.#at >= 1024) {
          this.#events = this.#events.slice(this.#at);
          this.#at = 0;
        }
        return event;
      }
      if (this.#end !== undefined) {
        if (this.#end.error instanceof CodedError && this.#end.error.code === 'reader-too-slow') throw this.#end.error;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
