import { storeError, type EventBatch, type Store, type Watch } from '../../../store/index.ts';

/** A store whose watch does what a real one has been seen to do. */
export class FaultyStore implements Store {
  /** Each batch is told twice, the second time behind the next one. */
  repeats = false;
  /** Keys of this prefix are never told. */
  deafTo = '';
  /** What `get`, `range` and `txn` throw. */
  failure: Error | undefined;
  /** Ranges are answered when this resolves, with what they read before. */
  rangeAnswered: Promise<void> | undefined;
  readonly #store: Store;
  #held: (() => void)[] | undefined;
  #end: (() => void) | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Nothing is told from now on ... */
  hold(): void {
    this.#held ??= [];
  }

  /** ... until now. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const tell of held) tell();
  }

  /** Ends the watch as a compaction does. */
  end(): void {
    const end = this.#end;
    this.#end = undefined;
    end?.();
  }

  watch(
    options: Parameters<Store['watch']>[0],
    onEvents: (batch: EventBatch) => void,
    onEnd: (error: Error) => void,
  ): Watch {
    let last: EventBatch | undefined;
    const tell = (batch: EventBatch): void => {
      const events = batch.events.filter(
        (event) => this.deafTo === '' || !(event.type === 'put' ? event.entry.key : event.key).startsWith(this.deafTo),
      );
      if (events.length === 0) return;
      onEvents({ ...batch, events });
      if (this.repeats && last !== undefined) onEvents(last);
      last = batch;
    };
    const watch = this.#store.watch(
      options,
      (batch) => {
        if (this.#held === undefined) tell(batch);
        else this.#held.push(() => tell(batch));
      },
      onEnd,
    );
    this.#end = () => {
      watch.close();
      onEnd(storeError('compacted'));
    };
    return watch;
  }

  async get(key: string): ReturnType<Store['get']> {
    this.#check();
    return this.#store.get(key);
  }

  async range(prefix: string): ReturnType<Store['range']> {
    this.#check();
    const range = await this.#store.range(prefix);
    await this.rangeAnswered;
    return range;
  }

  async txn(txn: Parameters<Store['txn']>[0]): ReturnType<Store['txn']> {
    this.#check();
    return this.#store.txn(txn);
  }

  compact(revision: number): Promise<void> {
    return this.#store.compact(revision);
  }

  grantLease(ttlMs: number): ReturnType<Store['grantLease']> {
    return this.#store.grantLease(ttlMs);
  }

  keepAlive(lease: string): Promise<void> {
    return this.#store.keepAlive(lease);
  }

  revokeLease(lease: string): Promise<void> {
    return this.#store.revokeLease(lease);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #check(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}
