import { messageOf, type Clock } from '../../base/index.ts';
import {
  BatchUnpacker,
  decodeFeedRecords,
  encodeFeedRequest,
  FeedFrameReader,
  feedLimits,
  feedMalformed,
  haveRecords,
  type FeedFrame,
  qualifiedName,
  type FeedRecord,
} from '../../resources/index.ts';
import { tunnelError, type KindStream } from '../../tunnel/index.ts';
import { Breather } from './breather.ts';
import type { EdgeCache, Feeding } from './edge-cache.ts';
import type { KindCopy } from './kind-copy.ts';

/** Since the start of its edge's client. */
export interface FeedCounts {
  /** As they came, compressed. */
  wireBytes: number;
  /** The same, decompressed. */
  recordBytes: number;
  /** Kinds that went on from a cursor, and those that were compared or sent whole. */
  resumed: number;
  compared: number;
  puts: number;
  deltas: number;
  removals: number;
  /** Found to differ from the edge. */
  divergences: number;
  /** Times that the edge could not tell every change. */
  leaps: number;
}

export interface FeedSessionOptions {
  readonly stream: KindStream;
  readonly cache: EdgeCache;
  readonly clock: Clock;
  readonly counts: FeedCounts;
  /** Whether any link reaches the edge. */
  readonly isReachable: () => boolean;
  /** After each batch: what these copies take has changed. */
  readonly onApplied: (copies: Iterable<KindCopy>) => void;
}

interface SessionKind {
  /** Undefined: it is not wanted at the moment. */
  copy: KindCopy | undefined;
  readonly name: string;
  /** The question that is not answered yet: it was said what is held. */
  round: number | undefined;
  /** Comparisons in a row that did not help. */
  failures: number;
}

/** So many comparisons in a row that end with a difference are a fault of the other end. */
const MAX_FAILURES = 3;

/**
 * One feed stream of an edge, applied to its cache. The stream is read only as fast as it is applied; a frame that has come is
 * applied to its end, so that a cursor always says what is held.
 */
export class FeedSession implements Feeding {
  readonly #options: FeedSessionOptions;
  readonly #frames = new FeedFrameReader();
  readonly #unpacker = new BatchUnpacker();
  readonly #kinds: SessionKind[] = [];
  readonly #touched = new Set<KindCopy>();
  #feed: string | undefined;
  #heardAt: number;
  #round = 0;

  constructor(options: FeedSessionOptions) {
    this.#options = options;
    this.#heardAt = options.clock.now();
  }

  /** Names the log that cursors are of. */
  get feed(): string | undefined {
    return this.#feed;
  }

  /** Milliseconds since something came. */
  get silentMs(): number {
    return this.#options.clock.now() - this.#heardAt;
  }

  get isAlive(): boolean {
    const { stream, isReachable } = this.#options;
    return this.#feed !== undefined && !stream.destroyed && isReachable() && this.silentMs < feedLimits.silenceMs;
  }

  /** Resolves when the stream has ended; throws why it failed: the stream's own error, or `feed-malformed`. */
  async run(): Promise<void> {
    const { stream, counts, cache, clock } = this.#options;
    try {
      const chunks: AsyncIterable<Buffer> = stream.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        counts.wireBytes += chunk.length;
        this.#heardAt = clock.now();
        for (const frame of this.#frames.push(chunk)) await this.#onFrame(frame);
      }
    } catch (error) {
      // The other end is told why.
      stream.destroy(tunnelError('record-malformed', { detail: messageOf(error), cause: error }));
      throw error;
    } finally {
      this.#unpacker.close();
      cache.feedBy(undefined);
      stream.destroy();
    }
  }

  ask(copy: KindCopy): void {
    const index = this.#kinds.findIndex((kind) => kind?.name === copy.name);
    const kind = this.#kinds[index];
    if (kind === undefined) return;
    kind.copy = copy;
    this.#compare(index, kind);
  }

  drop(copy: KindCopy): void {
    const index = this.#kinds.findIndex((kind) => kind?.copy === copy);
    const kind = this.#kinds[index];
    if (kind === undefined) return;
    kind.copy = undefined;
    kind.round = undefined;
    this.#send(encodeFeedRequest({ type: 'drop', kind: index }));
  }

  close(): void {
    this.#options.stream.destroy();
  }

  async #onFrame(frame: FeedFrame): Promise<void> {
    if (frame.type === 'close') {
      this.#unpacker.close();
      return;
    }
    const batch = frame.type === 'plain' ? frame.batch : await this.#unpacker.unpack(frame.bytes, frame.batchBytes);
    this.#options.counts.recordBytes += batch.length;
    const breather = new Breather();
    for (const record of decodeFeedRecords(batch)) {
      await this.#apply(record, breather);
      if (breather.isDue) await breather.breathe();
    }
    if (this.#touched.size === 0) return;
    this.#options.onApplied(this.#touched);
    this.#touched.clear();
  }

  async #apply(record: FeedRecord, breather: Breather): Promise<void> {
    const { cache, counts } = this.#options;
    if (this.#feed === undefined && record.type !== 'start') throw feedMalformed('a feed that does not begin');
    switch (record.type) {
      case 'start':
        if (this.#feed !== undefined) throw feedMalformed('a feed that begins twice');
        this.#feed = record.feed;
        cache.feedBy(this);
        return;
      case 'kind':
        this.#describe(record);
        return;
      case 'put':
        counts.puts++;
        this.#copyOf(record.kind)?.put(record.json);
        return;
      case 'delta': {
        counts.deltas++;
        const copy = this.#copyOf(record.kind);
        // While it is compared, what was sent before the agent heard of that may build on anything.
        if (copy !== undefined && !copy.patch(record.key, record.base, record.delta)) this.#diverged(record.kind);
        return;
      }
      case 'delete':
        counts.removals++;
        this.#copyOf(record.kind)?.remove(record.key, record.version);
        return;
      case 'absent':
        await this.#finish(record, breather);
        return;
      case 'mark': {
        const kind = this.#kindOf(record.kind);
        if (kind.round !== undefined || kind.copy === undefined) return;
        this.#touched.add(kind.copy);
        if (record.isLeaping) counts.leaps += kind.copy.leap() ? 1 : 0;
        else kind.copy.mark({ feed: this.#feed ?? '', sequence: record.sequence }, record.version, record.isCurrent);
        return;
      }
      case 'state':
        for (const state of record.kinds) {
          this.#kindOf(state.index).copy?.state(state);
          this.#check(state.index, state.digest);
        }
        this.#alive();
        return;
      case 'alive':
        this.#alive();
        return;
    }
  }

  #alive(): void {
    for (const { copy, round } of this.#kinds) if (round === undefined) copy?.alive();
  }

  #describe({ index, resumed, kind: description }: Extract<FeedRecord, { readonly type: 'kind' }>): void {
    const { cache, counts } = this.#options;
    if (index >= feedLimits.maxKinds) throw feedMalformed(`kind ${index}`);
    // Those before it may come later.
    while (this.#kinds.length < index) this.#kinds.push(unknownKind());
    const before = this.#kinds[index];
    // Nothing under this number, so that the cache does not ask for it while it is described.
    this.#kinds[index] = unknownKind();
    const copy = cache.describe(description);
    const isOther = before !== undefined && before.name !== '' && before.copy !== copy;
    const kind: SessionKind = {
      copy,
      name: qualifiedName(description),
      round: isOther ? undefined : before?.round,
      failures: before?.failures ?? 0,
    };
    this.#kinds[index] = kind;
    if (copy === undefined) {
      if (resumed) this.#send(encodeFeedRequest({ type: 'drop', kind: index }));
      // What was evicted since the stream was opened has nothing to go on from.
    } else if (!resumed || isOther || !copy.isComplete) {
      this.#compare(index, kind);
    } else {
      counts.resumed++;
    }
  }

  /** Says what is held; what differs is the answer. */
  #compare(index: number, kind: SessionKind): void {
    if (kind.copy === undefined) return;
    const round = ++this.#round;
    kind.round = round;
    this.#options.counts.compared++;
    kind.copy.doubt();
    for (const request of haveRecords(index, round, kind.copy.fingerprints())) this.#send(request);
  }

  /** The answer is complete. */
  async #finish(
    { kind: index, version, round, fingerprints }: Extract<FeedRecord, { readonly type: 'absent' }>,
    breather: Breather,
  ): Promise<void> {
    const kind = this.#kindOf(index);
    const { copy } = kind;
    if (copy === undefined || kind.round !== round) return;
    if (fingerprints.length > 0) {
      const absent = [...copy.heldOf(new Set(fingerprints))];
      for (const key of absent) {
        this.#options.counts.removals++;
        copy.remove(key, version);
        if (breather.isDue) await breather.breathe();
      }
    }
    kind.round = undefined;
    this.#touched.add(copy);
    copy.complete(version);
  }

  #check(index: number, digest: string | undefined): void {
    const kind = this.#kindOf(index);
    if (digest === undefined || kind.copy === undefined || kind.round !== undefined) return;
    if (kind.copy.digest === digest) kind.failures = 0;
    else this.#diverged(index);
  }

  #diverged(index: number): void {
    const kind = this.#kindOf(index);
    if (kind.round !== undefined) return;
    this.#options.counts.divergences++;
    if (++kind.failures > MAX_FAILURES) throw feedMalformed(`what is sent of ${kind.name} never matches its digest`);
    this.#compare(index, kind);
  }

  #copyOf(index: number): KindCopy | undefined {
    const { copy } = this.#kindOf(index);
    if (copy !== undefined) this.#touched.add(copy);
    return copy;
  }

  #kindOf(index: number): SessionKind {
    const kind = this.#kinds[index];
    if (kind === undefined) throw feedMalformed(`kind ${index}`);
    return kind;
  }

  #send(request: Buffer): void {
    const { stream } = this.#options;
    if (!stream.destroyed && stream.writable) stream.write(request);
  }
}

function unknownKind(): SessionKind {
  return { copy: undefined, name: '', round: undefined, failures: 0 };
}
