import { Backoff, CodedError, silentLog, systemClock, type Clock, type Log, type Timer } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';
import { qualifiedName } from '../types/resource-type.ts';
import { readCompleteList, type CompleteList, type ListVersion } from './complete-list.ts';
import { isRecord, parseVersion, readRawObject } from './raw-object.ts';
import type { ReflectorOptions } from './reflector-options.ts';
import {
  noCounts,
  type RawObject,
  type ReflectorCounters,
  type ReflectorState,
  type ReplaceReason,
} from './reflector-sink.ts';
import type { ListOptions } from './resource-client.ts';
import { keyOf, VersionLedger } from './version-ledger.ts';

/** Watches that fail one after the other, before the version that they began from is doubted. */
const MAX_FAILED_WATCHES = 5;

/**
 * Keeps a sink equal to one resource of an API, by list and watch.
 *
 * **Guarantee.** The sink gets a complete list, then every change behind it: none lost, none twice, those of one object
 * in the order of their versions. When that cannot be kept, it gets a complete list again. So what the sink has is
 * always a state that the API has told, and follows it; between two lists nothing jumps. Nothing is ever deleted but by
 * an event that deletes it, or by a list that was read to its end, whose every object could be read.
 *
 * **Of the API nothing is trusted.** What it repeats is dropped (etcd 3.4 does it), versions that it skips are skipped;
 * anything that cannot be is counted as rubbish, logged, and followed by a list, with back-off. A watch that ends goes
 * on from the last version. 410 lists anew.
 */
export class Reflector {
  /** Resolves with the first state that the sink gets; rejects when the reflector ends before. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #backoff: Backoff;
  readonly #ledger = new VersionLedger();
  readonly #counters: ReflectorCounters = noCounts();
  readonly #stop = new AbortController();
  readonly #onSynced: () => void;
  readonly #onNeverSynced: (error: unknown) => void;
  #phase: ReflectorState['phase'] = 'waiting';
  #synced = false;
  #lastError: Error | undefined;
  #contactAt: number | undefined;
  /** Ends the watch that is open, with why. */
  #turn = new AbortController();
  /** Why the next thing to do is a list; undefined: a watch. */
  #listReason: ReplaceReason | undefined = 'first';
  #failedWatchesInRow = 0;
  /** When the API took the watch. */
  #openedAt: number | undefined;
  #nextComparisonAt = 0;
  #comparing: Promise<void> | undefined;
  /** Objects that changed while a comparison runs. */
  #touched: Set<string> | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? silentLog).child({ resource: qualifiedName(options.resource) });
    this.#backoff = new Backoff({ maxMs: 30_000, stableMs: 1000, ...options.backoff });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.synced = promise;
    this.synced.catch(() => undefined);
    this.#onSynced = resolve;
    this.#onNeverSynced = reject;
  }

  get state(): ReflectorState {
    return {
      phase: this.#phase,
      synced: this.#synced,
      version: this.#synced ? this.#ledger.last : undefined,
      objects: this.#ledger.size,
      contactAgeMs: this.#contactAt === undefined ? undefined : this.#clock.now() - this.#contactAt,
      lastError: this.#lastError,
      counters: { ...this.#counters },
    };
  }

  /** Begins. A second call does nothing. */
  start(): void {
    const { first } = this.#options;
    if (this.#running !== undefined || this.#stop.signal.aborted) return;
    if (typeof first === 'object') {
      this.#ledger.resume(first.behind);
      this.#listReason = undefined;
      this.#becomeSynced();
    }
    this.#running = this.#run();
  }

  /** Lists anew as soon as possible, reason `asked`. */
  relist(): void {
    this.#listAnew(this.#turn, 'asked');
  }

  /** Ends it. Resolves when the sink will not be called any more. May be called twice. */
  async close(): Promise<void> {
    this.#end(new CodedError('canceled', 'the reflector was closed'));
    await Promise.all([this.#running, this.#comparing]);
  }

  #end(error: Error): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(error);
    this.#turn.abort(error);
    this.#onNeverSynced(error);
    this.#become('closed', this.#lastError);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#turn = new AbortController();
      this.#openedAt = undefined;
      try {
        if (this.#listReason !== undefined) {
          await this.#list(this.#listReason);
          continue;
        }
        await this.#watch();
        this.#lastError = undefined;
        this.#failedWatchesInRow = 0;
      } catch (error) {
        if (error instanceof SinkFailure) {
          this.#log.error('reflector-sink-failed', { error: error.cause });
          this.#lastError = error;
          this.#end(error);
        } else if (!this.#turn.signal.aborted) this.#onFailure(error);
        // Who asks for a list does not have to wait.
        else if (!signal.aborted) continue;
      }
      if (signal.aborted) return;
      if (this.#openedAt !== undefined) this.#backoff.lasted(this.#clock.now() - this.#openedAt);
      this.#become('waiting', this.#lastError);
      await this.#wait(this.#backoff.next());
    }
  }

  /** What a failure of the API means for what comes next. */
  #onFailure(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    const isList = this.#listReason !== undefined;
    const status = error instanceof CodedError ? error.status : 500;
    const code = error instanceof CodedError ? error.code : 'internal';
    this.#counters[isList ? 'failedLists' : 'failedWatches']++;
    this.#lastError = failure;
    // What a watch tells as its error, other than that a version is too old, leaves open what was lost.
    const isTold = !isList && this.#openedAt !== undefined && code !== 'answer-missing' && status !== 410;
    const isRubbish = code === 'answer-malformed' || code === 'answer-too-large' || isTold;
    if (isRubbish) {
      this.#counters.rubbish++;
      this.#listReason ??= 'rubbish';
    } else if (status === 410) {
      this.#counters.expired++;
      // Twice in a row: the list itself could not be finished in time.
      this.#listReason ??= 'expired';
    } else if (!isList && (code === 'version-too-new' || ++this.#failedWatchesInRow >= MAX_FAILED_WATCHES)) {
      // A version that the API does not have, as after it was set up anew, can fail in many ways.
      this.#listReason = 'expired';
    }
    const event = isRubbish ? 'reflector-rubbish' : isList ? 'reflector-list-failed' : 'reflector-watch-failed';
    this.#log.warn(event, { error: failure, next: this.#listReason ?? 'watch' });
  }

  async #list(reason: ReplaceReason): Promise<void> {
    this.#become('listing', this.#lastError);
    const isFirst = reason === 'first' && this.#options.first !== 'newest' && this.#counters.failedLists === 0;
    const { objects, version } = await this.#readList(isFirst ? { resourceVersion: '0' } : {});
    this.#stop.signal.throwIfAborted();
    this.#turn.signal.throwIfAborted();
    this.#counters.lists++;
    if (version < this.#ledger.last) this.#log.warn('reflector-version-fell', { from: this.#ledger.last, to: version });
    this.#ledger.reset(objects, version);
    this.#listReason = undefined;
    this.#failedWatchesInRow = 0;
    await this.#tell(() => this.#options.sink.replace(objects, version, reason));
    this.#becomeSynced();
  }

  #readList(at: ListVersion, signal = this.#turn.signal): Promise<CompleteList> {
    const { client, resource, namespace = '', pageSize, maxObjects } = this.#options;
    return readCompleteList(client, resource, {
      ...this.#common(),
      namespace,
      at,
      signal,
      pageSize,
      maxObjects,
      onPage: () => {
        this.#contactAt = this.#clock.now();
      },
      onExpired: () => {
        this.#counters.expired++;
      },
    });
  }

  async #watch(): Promise<void> {
    const { client, resource, namespace = '', watchMs = 300_000, silenceMs = 30_000 } = this.#options;
    const turn = this.#turn;
    const askedMs = watchMs * (1 + Math.random());
    const deadline = this.#clock.after(askedMs + silenceMs, () => {
      this.#counters.failedWatches++;
      this.#lastError = resourceError('answer-missing', { detail: 'the watch did not end in its time' });
      turn.abort(this.#lastError);
    });
    const comparison = this.#planComparison(turn);
    try {
      const lines = client.watch(resource, {
        ...this.#common(),
        resourceVersion: String(this.#ledger.last),
        timeoutSeconds: Math.max(1, Math.round(askedMs / 1000)),
        signal: turn.signal,
        onOpen: () => {
          this.#openedAt = this.#contactAt = this.#clock.now();
          this.#counters.watches++;
          this.#become('watching', undefined);
        },
      });
      for await (const { type, bytes, object } of lines) {
        this.#contactAt = this.#clock.now();
        this.#failedWatchesInRow = 0;
        if (type === 'BOOKMARK') this.#onBookmark(object);
        else await this.#onEvent(type, readRawObject(Buffer.from(bytes), resource, namespace));
        turn.signal.throwIfAborted();
      }
    } finally {
      deadline.cancel();
      comparison?.cancel();
    }
  }

  async #onEvent(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: RawObject): Promise<void> {
    const verdict = this.#ledger.enter(type, object);
    switch (verdict) {
      case 'repeated':
        this.#counters.repeated++;
        return;
      case 'stray':
        this.#counters.strays++;
        return;
      case 'disordered':
        this.#counters.disordered++;
        throw malformed(`${keyOf(object)} changed before what was heard already`);
      case 'added':
      case 'modified':
      case 'deleted':
        this.#counters.events++;
        this.#touched?.add(keyOf(object));
        await this.#tell(() => this.#options.sink.apply({ type: verdict, ...object }));
    }
  }

  #onBookmark({ metadata }: Readonly<Record<string, unknown>>): void {
    const version = parseVersion(isRecord(metadata) ? metadata['resourceVersion'] : undefined);
    if (version === undefined) throw malformed('a bookmark without a version');
    this.#counters.bookmarks++;
    if (version <= this.#ledger.last) return;
    this.#ledger.advance(version);
    this.#options.sink.bookmark?.(version);
  }

  #planComparison(turn: AbortController): Timer | undefined {
    const { compareEveryMs } = this.#options;
    if (compareEveryMs === undefined) return undefined;
    const now = this.#clock.now();
    // The first one is as far away as every other, spread over reflectors that began together.
    if (this.#nextComparisonAt === 0) this.#nextComparisonAt = now + compareEveryMs * (0.5 + Math.random() / 2);
    const run = (): void => {
      this.#nextComparisonAt = this.#clock.now() + compareEveryMs;
      this.#comparing = this.#compare(turn).finally(() => {
        if (this.#turn === turn && !turn.signal.aborted) timer = this.#planComparison(turn);
      });
    };
    let timer: Timer | undefined = this.#clock.after(Math.max(0, this.#nextComparisonAt - now), run);
    return { cancel: () => timer?.cancel() };
  }

  /** Lists what there was at the version that is held, while the watch goes on. What differs was lost on the way. */
  async #compare(turn: AbortController): Promise<void> {
    const at = this.#ledger.last;
    const touched = new Set<string>();
    this.#touched = touched;
    try {
      const exact = { resourceVersion: String(at), resourceVersionMatch: 'Exact' } as const;
      const { objects, version } = await this.#readList(exact, AbortSignal.any([turn.signal, this.#stop.signal]));
      if (version !== at) throw resourceError('version-expired', { detail: `${at}, the list is of ${version}` });
      if (turn !== this.#turn) return;
      const differences = this.#ledger.differences(objects, touched);
      this.#counters.comparisons++;
      this.#counters.differences += differences;
      if (differences === 0) return;
      this.#log.warn('reflector-differs', { version: at, differences });
      this.#listAnew(turn, 'differs');
    } catch (error) {
      if (turn !== this.#turn || turn.signal.aborted) return;
      this.#counters.skippedComparisons++;
      this.#log.debug('reflector-comparison-skipped', { version: at, error });
      const isRefused = error instanceof CodedError && error.code !== 'answer-missing';
      if (isRefused) this.#listAnew(turn, 'asked');
    } finally {
      if (this.#touched === touched) this.#touched = undefined;
    }
  }

  #listAnew(turn: AbortController, reason: ReplaceReason): void {
    this.#listReason ??= reason;
    turn.abort(new CodedError('canceled', 'everything is listed anew'));
  }

  #common(): ListOptions {
    const { namespace, labelSelector, fieldSelector, headers = {}, query = {} } = this.#options;
    return { namespace, labelSelector, fieldSelector, headers, query };
  }

  async #tell(call: () => void | Promise<void>): Promise<void> {
    try {
      const told = call();
      if (told !== undefined) await told;
    } catch (cause) {
      throw new SinkFailure(cause);
    }
  }

  #becomeSynced(): void {
    this.#synced = true;
    this.#onSynced();
    this.#become(this.#phase, undefined);
  }

  #become(phase: ReflectorState['phase'], error: Error | undefined): void {
    this.#phase = this.#stop.signal.aborted ? 'closed' : phase;
    this.#lastError = error;
    this.#options.onChange?.(this.state);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#turn.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#clock.after(ms, done);
      this.#turn = new AbortController();
      this.#turn.signal.addEventListener('abort', done);
      if (this.#stop.signal.aborted) done();
    });
  }
}

/** A sink that throws has to be mended, and what it has is not known any more. */
class SinkFailure extends Error {
  constructor(cause: unknown) {
    super('the sink of a reflector failed', { cause });
    this.name = 'SinkFailure';
  }
}

function malformed(detail: string): CodedError {
  return resourceError('answer-malformed', { detail });
}
