import {
  BatchPacker,
  encodeFeedFrame,
  feedLimits,
  FEED_VERSION,
  FeedRequestReader,
  type FeedHello,
  type FeedRequest,
  feedMalformed,
} from '../../resources/index.ts';
import { CodedError, messageOf, type Clock } from '../../base/index.ts';
import { tunnelError, type KindStream } from '../../tunnel/index.ts';
import type { FeedSource } from './feed-source.ts';
import { Batch, StreamKind } from './stream-kind.ts';

export interface FeedStreamOptions {
  readonly stream: KindStream;
  readonly source: FeedSource;
  readonly hello: FeedHello;
  readonly clock: Clock;
}

/**
 * Feeds one replica: what is newer than its cursor, then every change, in batches. Nothing is queued for it: a replica that reads so
 * slowly that the log does not keep what it has not read leaps to newer states, and is told so.
 */
export class FeedStream {
  readonly #options: FeedStreamOptions;
  readonly #packer = new BatchPacker();
  readonly #kinds: StreamKind[] = [];
  readonly #requests = new FeedRequestReader();
  #isStarted = false;
  #wake: (() => void) | undefined;
  #isWoken = false;
  #turn = 0;
  #sentAt: number;
  #packedAt = 0;
  #digestAt: number;

  constructor(options: FeedStreamOptions) {
    this.#options = options;
    this.#sentAt = options.clock.now();
    this.#digestAt = this.#sentAt;
  }

  /** Resolves when the stream is over. */
  async run(): Promise<void> {
    const { stream, source } = this.#options;
    const wake = (): void => this.#wakeUp();
    const stopListening = source.onChange(wake);
    stream.on('error', ignore);
    stream.on('close', wake);
    stream.on('end', () => stream.end());
    stream.on('data', (bytes: Buffer) => this.#onData(bytes));
    stream.accept();
    try {
      while (!stream.destroyed && !stream.writableEnded) {
        const sent = await this.#sendNext();
        if (sent === 'nothing') await this.#untilWoken();
        // What changes meanwhile goes in one batch.
        else if (sent === 'all') await this.#pause(feedLimits.batchDelayMs);
      }
    } catch (error) {
      if (!stream.destroyed) stream.destroy(feedFailure(error));
    } finally {
      stopListening();
      for (const kind of this.#kinds) kind.drop();
      this.#packer.close();
    }
  }

  async #sendNext(): Promise<'nothing' | 'some' | 'all'> {
    const batch = this.#collect();
    const now = this.#options.clock.now();
    if (batch.bytes === 0) {
      if (this.#packer.isOpen && now - this.#packedAt >= feedLimits.contextIdleMs) {
        this.#packer.close();
        await this.#write(encodeFeedFrame({ type: 'close' }));
        return 'all';
      }
      if (batch.isFull) {
        await new Promise((resolve) => void setImmediate(resolve));
        return 'some';
      }
      if (now - this.#sentAt < feedLimits.aliveMs || !this.#isInStep) return 'nothing';
      batch.add({ type: 'alive' });
    }
    this.#sentAt = now;
    // A sign of life is not worth a context, and keeps none open.
    if (batch.bytes < PLAIN_BYTES && !this.#packer.isOpen) {
      await this.#write(encodeFeedFrame({ type: 'plain', batch: Buffer.concat(batch.parts) }));
    } else {
      if (batch.bytes >= NEWS_BYTES) this.#packedAt = now;
      const bytes = await this.#packer.pack(batch.parts);
      await this.#write(encodeFeedFrame({ type: 'packed', bytes, batchBytes: batch.bytes }));
    }
    return batch.isFull ? 'some' : 'all';
  }

  #collect(): Batch {
    const { source, hello, clock } = this.#options;
    const batch = new Batch();
    if (!this.#isStarted) {
      this.#isStarted = true;
      batch.add({ type: 'start', version: FEED_VERSION, feed: source.id });
    }
    const cursors = hello.feed === source.id ? hello.cursors : {};
    for (const [index, kind] of source.kinds.entries()) this.#kinds[index] ??= new StreamKind(index, kind, cursors);
    for (const kind of this.#kinds) kind.describe(batch);
    this.#read(batch);
    const isDigestDue = clock.now() - this.#digestAt >= feedLimits.digestMs && this.#isInStep;
    if (isDigestDue) this.#digestAt = clock.now();
    const kinds = this.#kinds.flatMap((kind) => kind.state(isDigestDue) ?? []);
    if (kinds.length > 0) batch.add({ type: 'state', kinds });
    return batch;
  }

  /** Kinds take turns, so that a long one does not keep the others waiting. */
  #read(batch: Batch): void {
    for (let turn = 0; turn < this.#kinds.length && !batch.isFull; turn++) {
      this.#turn = (this.#turn + 1) % this.#kinds.length;
      this.#kinds[this.#turn]?.read(batch);
    }
  }

  get #isInStep(): boolean {
    return this.#kinds.every((kind) => kind.isInStep);
  }

  #onData(bytes: Buffer): void {
    try {
      for (const request of this.#requests.push(bytes)) this.#onRequest(request);
    } catch (error) {
      this.#options.stream.destroy(feedFailure(error));
    }
    this.#wakeUp();
  }

  #onRequest(request: FeedRequest): void {
    const kind = this.#kinds[request.kind];
    if (kind === undefined) throw feedMalformed(`kind ${request.kind}`);
    if (request.type === 'have') kind.have(request.round, request.fingerprints, request.isLast);
    else kind.drop();
  }

  /** Resolves when the stream has room for more. */
  async #write(parts: readonly Buffer[]): Promise<void> {
    const { stream } = this.#options;
    if (stream.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    // One write a frame: its parts are put together by the stream anyway. A failure is told by `close`.
    stream.write(Buffer.concat(parts), () => resolve());
    await promise;
  }

  #wakeUp(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  async #untilWoken(): Promise<void> {
    if (!this.#isWoken) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = this.#options.clock.after(TICK_MS, resolve);
      await promise;
      timer.cancel();
      this.#wake = undefined;
    }
    this.#isWoken = false;
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.#options.clock.after(ms, resolve));
  }
}

/** Signs of life, digests and idle contexts are looked after this often. */
const TICK_MS = 1000;
/** What is shorter does not open a context. */
const PLAIN_BYTES = 256;
/** What is shorter is a mark or a state, and keeps no context open. */
const NEWS_BYTES = 64;

/** The code that a stream knows: the reason is in its text. */
function feedFailure(error: unknown): CodedError {
  if (error instanceof CodedError && error.code === 'feed-malformed')
    return tunnelError('record-malformed', { detail: error.message, cause: error });
  return tunnelError('upstream-failed', { detail: messageOf(error), cause: error });
}

function ignore(): void {
  // `close` follows and is what counts.
}
