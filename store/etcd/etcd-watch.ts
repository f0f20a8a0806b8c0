import { Backoff, codeOf, type Clock, type Timer } from '../../base/index.ts';
import { storeError } from '../store-error.ts';
import type { EventBatch, StoreEvent, Watch } from '../store.ts';
import type { EtcdConnection, EtcdStream } from './etcd-connection.ts';
import { EtcdFailure } from './etcd-failure.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import type { EtcdMembers } from './etcd-members.ts';
import type { EtcdProtocol, WatchRequest, WatchResponse } from './etcd-protocol.ts';

/** How often a silent stream is asked for a sign of life. */
const askEveryMs = 400;
/** How often in a row it may be silent before the member is left: within 2 s. */
const leastSilences = 3;
const mostSilences = 60;

/** What ends a watch; whatever else fails, it goes on. */
const endings: ReadonlySet<string> = new Set(['compacted', 'store-went-back', 'store-closed']);

export interface EtcdWatchOptions {
  readonly members: EtcdMembers;
  readonly protocol: EtcdProtocol;
  readonly keys: EtcdKeys;
  readonly clock: Clock;
  readonly prefix: string;
  /** The first revision to hear of. */
  readonly from: number | Promise<number>;
  /** Resolves when a majority of the cluster has answered, and is at least where it was before. */
  readonly prove: () => Promise<unknown>;
  readonly onEvents: (batch: EventBatch) => void;
  readonly onEnd: (error: Error) => void;
  /** Told why it has to begin anew, each time. */
  readonly onFault: (error: Error) => void;
  readonly onClose: (watch: EtcdWatch) => void;
}

/**
 * A place in etcd's history that moves on, over whatever streams it takes. It is nowhere but here: each stream begins behind
 * the last revision that was told, and what a stream tells once more is dropped. So it does no harm that etcd
 * - tells events twice (etcd-io/etcd#17247),
 * - tells events of before the start to who changes members (etcd-io/etcd#20221),
 * - says in a progress notification to be further than what it has told (etcd-io/etcd#15220, up to 3.4.24 and 3.5.7): it is a
 *   sign of life here and no more.
 *
 * A stream of its own for each watch, since a slow one delays the others on its stream (etcd-io/etcd#20242).
 */
export class EtcdWatch implements Watch {
  readonly #options: EtcdWatchOptions;
  readonly #backoff = new Backoff({ baseMs: 250, maxMs: 1_000, stableMs: 5_000 });
  #next = 0;
  #stream: EtcdStream<WatchRequest> | undefined;
  #timer: Timer | undefined;
  #heard = false;
  #silences = 0;
  #maxSilences = leastSilences;
  #closed = false;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
  }

  /** Follows the history until it is closed or ends. Never rejects. */
  async run(): Promise<void> {
    const { clock, from, onFault } = this.#options;
    this.#next = await from;
    while (!this.#closed) {
      const beganAt = clock.now();
      const error = await this.#follow();
      if (this.#closed) return;
      if (endings.has(codeOf(error))) return this.end(error);
      onFault(error);
      this.#backoff.lasted(clock.now() - beganAt);
      await new Promise<void>((resolve) => {
        this.#timer = clock.after(this.#backoff.next(), resolve);
      });
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    this.#options.onClose(this);
  }

  end(error: Error): void {
    if (this.#closed) return;
    this.close();
    this.#options.onEnd(error);
  }

  /** Follows it over one stream; resolves with the reason why that ended. */
  async #follow(): Promise<Error> {
    const { members, prove } = this.#options;
    try {
      // For the token too: etcd answers an old one with "permission denied" when a watch is made (etcd-io/etcd#12385).
      await prove();
      const { connection } = members;
      const token = await members.token(connection);
      if (this.#closed) return storeError('store-closed');
      return await new Promise((resolve) => {
        this.#open(connection, token, (error) => {
          this.#leave();
          if (error instanceof EtcdFailure) members.failed(connection, error);
          resolve(error);
        });
      });
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #open(connection: EtcdConnection, token: string | undefined, onEnd: (error: Error) => void): void {
    const { keys, prefix, protocol } = this.#options;
    // From a revision before the one that is wanted. A watch of exactly the compacted revision is taken by etcd, and the deletes
    // of that revision are missing in it (etcd-io/etcd#19179, #18089); so it is told that this is compacted. 0 would mean now.
    const startRevision = Math.max(1, this.#next - 1);
    const create = { key: keys.data(prefix), rangeEnd: keys.dataEnd(prefix), startRevision };
    this.#heard = true;
    this.#silences = 0;
    this.#stream = connection.open(protocol.watch, { create }, token, {
      onMessage: (message) => {
        this.#heard = true;
        if (message.canceled) onEnd(this.#cancelError(message, connection));
        else this.#tell(message);
      },
      onEnd,
    });
    this.#listen(connection, onEnd);
  }

  /**
   * A member that stands still is as silent as one where nothing happens, so it is asked. A stalled process of our own must not
   * count: only silence behind a question does, and what has come in meanwhile is read first.
   */
  #listen(connection: EtcdConnection, onEnd: (error: Error) => void): void {
    const { clock } = this.#options;
    this.#timer = clock.after(askEveryMs, () => {
      const stream = this.#stream;
      clock.afterInput(() => {
        if (stream === undefined || this.#stream !== stream) return;
        this.#silences = this.#heard ? 0 : this.#silences + 1;
        this.#heard = false;
        if (this.#silences >= this.#maxSilences) {
          // A member may have a reason: newer ones do not answer while a watch is behind, or of a future revision
          // (etcd-io/etcd#17507, #20242). So it gets longer each time.
          this.#maxSilences = Math.min(mostSilences, this.#maxSilences * 2);
          onEnd(new EtcdFailure('silent', `${connection.endpoint}: silent for ${this.#silences * askEveryMs} ms`));
          return;
        }
        if (this.#silences > 0) stream.send({ progress: {} });
        this.#listen(connection, onEnd);
      });
    });
  }

  #leave(): void {
    this.#timer?.cancel();
    this.#stream?.cancel();
    this.#stream = undefined;
  }

  #cancelError({ compactRevision, cancelReason }: WatchResponse, { endpoint }: EtcdConnection): Error {
    if (compactRevision !== '0') {
      return storeError('compacted', `revision ${this.#next}, etcd has given up those up to ${compactRevision}`);
    }
    return new EtcdFailure('token', `${endpoint} canceled the watch: ${cancelReason}`);
  }

  #tell({ created, events }: WatchResponse): void {
    if (!created) this.#maxSilences = leastSilences;
    const batches: { revision: number; events: StoreEvent[] }[] = [];
    for (const event of events) {
      const revision = Number(event.kv.modRevision);
      if (revision < this.#next) continue;
      const { keys } = this.#options;
      const told: StoreEvent =
        event.type === 'PUT'
          ? { type: 'put', entry: keys.entry(event.kv) }
          : { type: 'delete', key: keys.parse(event.kv.key), modRevision: revision };
      const last = batches.at(-1);
      if (last?.revision === revision) last.events.push(told);
      else batches.push({ revision, events: [told] });
    }
    for (const batch of batches) {
      // A listener may close the watch in the middle.
      if (this.#closed) return;
      this.#next = batch.revision + 1;
      this.#options.onEvents(batch);
    }
  }
}
