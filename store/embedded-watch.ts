import type { Clock } from '../base/index.ts';
import { storeError } from './store-error.ts';
import type { EventBatch, Watch } from './store.ts';

/** How many revisions of history are read at once. */
const revisionsAtOnce = 64;

/** What a watch reads: the store it belongs to. */
export interface History {
  readonly revision: number;
  /** Revisions up to this one, and including it, are gone. */
  readonly compacted: number;
  /** The changes of `from` to `to`, both included, under a prefix. */
  read(prefix: string, from: number, to: number): readonly EventBatch[];
}

/**
 * A place in the store's history that moves to its end, whenever it is woken. It reads what it tells from the database
 * alone, so it makes no difference whether it is behind or not.
 */
export class EmbeddedWatch implements Watch {
  readonly #history: History;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #onEvents: (batch: EventBatch) => void;
  readonly #onEnd: (error: Error) => void;
  readonly #onClose: (watch: EmbeddedWatch) => void;
  #next: number;
  #woken = false;
  #closed = false;

  constructor(options: {
    readonly history: History;
    readonly prefix: string;
    readonly fromRevision: number;
    readonly clock: Clock;
    readonly onEvents: (batch: EventBatch) => void;
    readonly onEnd: (error: Error) => void;
    readonly onClose: (watch: EmbeddedWatch) => void;
  }) {
    this.#history = options.history;
    this.#prefix = options.prefix;
    this.#next = options.fromRevision;
    this.#clock = options.clock;
    this.#onEvents = options.onEvents;
    this.#onEnd = options.onEnd;
    this.#onClose = options.onClose;
  }

  /** There may be something new. */
  wake(): void {
    if (this.#woken || this.#closed) return;
    this.#woken = true;
    this.#clock.defer(() => {
      this.#woken = false;
      this.#move();
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
  }

  end(error: Error): void {
    if (this.#closed) return;
    this.close();
    this.#onEnd(error);
  }

  #move(): void {
    while (!this.#closed && this.#next <= this.#history.revision) {
      const { compacted, revision } = this.#history;
      if (this.#next <= compacted) {
        this.end(storeError('compacted', `revision ${this.#next}, the oldest is ${compacted + 1}`));
        return;
      }
      const to = Math.min(revision, this.#next + revisionsAtOnce - 1);
      const batches = this.#read(this.#next, to);
      this.#next = to + 1;
      for (const batch of batches) {
        // A listener may close the watch in the middle.
        if (this.#closed) return;
        this.#onEvents(batch);
      }
    }
  }

  #read(from: number, to: number): readonly EventBatch[] {
    try {
      return this.#history.read(this.#prefix, from, to);
    } catch (error) {
      this.end(error instanceof Error ? error : storeError('store-failed', undefined, error));
      return [];
    }
  }
}
