import type { EventBatch, Store, Watch, WatchOptions } from '../../store/index.ts';

/** What a watch told, in its order; and a way to wait for it. */
export class WatchLog {
  readonly batches: EventBatch[] = [];
  readonly ended: Error[] = [];
  readonly watch: Watch;
  #check: () => void = () => undefined;

  constructor(store: Store, options: WatchOptions) {
    this.watch = store.watch(
      options,
      (batch) => {
        this.batches.push(batch);
        this.#check();
      },
      (error) => {
        this.ended.push(error);
        this.#check();
      },
    );
  }

  /** `revision type key value` of every event. */
  get lines(): string[] {
    return this.batches.flatMap(({ revision, events }) =>
      events.map((event) =>
        event.type === 'put'
          ? `${revision} put ${event.entry.key} ${event.entry.value.toString()}`
          : `${revision} delete ${event.key}`,
      ),
    );
  }

  /** Resolves as soon as `done` holds; rejects with what was seen when that takes too long. */
  async until(done: () => boolean, withinMs = 15_000): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const deadline = setTimeout(() => reject(new Error(`waited in vain; seen: ${this.lines.join('; ')}`)), withinMs);
    this.#check = () => {
      if (done()) resolve();
    };
    this.#check();
    await promise.finally(() => clearTimeout(deadline));
  }
}
