import { randomBytes } from 'node:crypto';
import { CodedError, messageOf, type Clock, type Log, type Timer } from '../../base/index.ts';
import { DiscoveryClient, parseHello, ResourceClient, type FeedHello, type Transport } from '../../resources/index.ts';
import { tunnelError, type KindStream } from '../../tunnel/index.ts';
import type { FeedConfig } from './feed-config.ts';
import type { FeedSource } from './feed-source.ts';
import { FeedStream } from './feed-stream.ts';
import { KindSource } from './kind-source.ts';

export interface EdgeFeedOptions {
  readonly config: FeedConfig;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** Replicas of one fleet; each has one stream. */
const MAX_STREAMS = 32;
/** An API that says nothing for so long is asked whether it is there, and has as long to answer. */
const PROBE_MS = 5000;

/**
 * Feeds replicas from one Kubernetes API: reflectors, their logs, and the streams. Nothing is watched before the first replica
 * asks, nor for long after the last one left.
 */
export class EdgeFeed implements FeedSource {
  readonly #options: EdgeFeedOptions;
  readonly #client: ResourceClient;
  readonly #listeners = new Set<() => void>();
  readonly #streams = new Set<KindStream>();
  readonly #stopping: Promise<unknown>[] = [];
  #id = newId();
  #sequence = 0;
  #kinds: readonly KindSource[] = [];
  #unreachableSince: number | undefined;
  #probeTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #isProbing = false;
  #isTold = false;
  #isClosed = false;

  constructor(options: EdgeFeedOptions) {
    this.#options = options;
    this.#client = new ResourceClient({ transport: options.transport });
  }

  get id(): string {
    return this.#id;
  }

  get kinds(): readonly KindSource[] {
    return this.#kinds;
  }

  /** Memory that the logs take. */
  get bytes(): number {
    return this.#kinds.reduce((bytes, { log }) => bytes + log.bytes, 0);
  }

  /** What is bounded by the configuration; histories have their own bound. */
  get #objectBytes(): number {
    return this.#kinds.reduce((bytes, { log }) => bytes + log.objectBytes, 0);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes a replica's stream, or refuses it: `overloaded`, `record-malformed`. */
  serve(stream: KindStream): void {
    const { clock, log } = this.#options;
    let hello: FeedHello;
    try {
      if (this.#isClosed) throw tunnelError('draining', { retryAfterMs: 1000 });
      if (this.#streams.size >= MAX_STREAMS) throw tunnelError('overloaded', { detail: `${MAX_STREAMS} feed streams` });
      hello = readHello(stream.head);
    } catch (error) {
      stream.refuse(
        error instanceof CodedError ? error : tunnelError('record-malformed', { detail: messageOf(error) }),
      );
      return;
    }
    this.#idleTimer?.cancel();
    this.#idleTimer = undefined;
    this.#start();
    this.#streams.add(stream);
    log.info('feed-opened', { replica: stream.target.principal });
    void new FeedStream({ stream, source: this, hello, clock }).run().then(() => {
      this.#streams.delete(stream);
      log.info('feed-closed', { replica: stream.target.principal });
      if (this.#streams.size === 0) this.#stopLater();
    });
  }

  /** Ends streams and watches. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#idleTimer?.cancel();
    for (const stream of this.#streams) stream.destroy(tunnelError('endpoint-closed'));
    this.#stop();
    await Promise.all(this.#stopping);
  }

  #start(): void {
    if (this.#kinds.length > 0) return;
    const { config, clock, log } = this.#options;
    const { resources, dropManagedFields, secrets, maxBytes } = config;
    const discovery = new DiscoveryClient(this.#client, clock);
    this.#id = newId();
    this.#sequence = 0;
    this.#kinds = resources.map(
      (name) =>
        new KindSource({
          name,
          client: this.#client,
          discovery,
          dropManagedFields,
          secrets,
          nextSequence: () => ++this.#sequence,
          hasRoom: (bytes) => this.#objectBytes + bytes <= maxBytes,
          unreachableSince: () => this.#unreachableSince,
          onChange: () => this.#changed(),
          clock,
          log,
        }),
    );
    for (const kind of this.#kinds) kind.start();
    this.#probeLater();
  }

  #stopLater(): void {
    const { config, clock } = this.#options;
    if (config.idleStopMs === 0 || this.#isClosed) return;
    this.#idleTimer = clock.after(config.idleStopMs, () => {
      if (this.#streams.size === 0) this.#stop();
    });
  }

  /** What was logged is void: another start is another feed. */
  #stop(): void {
    this.#probeTimer?.cancel();
    const closing = Promise.all(this.#kinds.map((kind) => kind.close()));
    this.#kinds = [];
    this.#unreachableSince = undefined;
    this.#stopping.push(closing);
    void closing.finally(() => this.#stopping.splice(this.#stopping.indexOf(closing), 1));
  }

  /** Once for all changes of one turn. */
  #changed(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#options.clock.afterInput(() => {
      this.#isTold = false;
      for (const listener of this.#listeners) listener();
    });
  }

  #probeLater(): void {
    this.#probeTimer = this.#options.clock.after(PROBE_MS, () => {
      void this.#probe();
      this.#probeLater();
    });
  }

  /** A watch that is silent may be one that nothing happens on, or one whose other end is gone without a word. */
  async #probe(): Promise<void> {
    const isHeard = this.#kinds.some(({ contactAgeMs }) => contactAgeMs !== undefined && contactAgeMs < PROBE_MS);
    if (isHeard) this.#reached(true);
    if (isHeard || this.#isProbing) return;
    this.#isProbing = true;
    const { clock } = this.#options;
    const abort = new AbortController();
    const timer = clock.after(PROBE_MS, () => abort.abort(tunnelError('upstream-timeout', { detail: '/version' })));
    try {
      await this.#client.json('GET', '/version', { signal: abort.signal });
      this.#reached(true);
    } catch (error) {
      this.#reached(isAnswer(error));
    } finally {
      timer.cancel();
      this.#isProbing = false;
    }
  }

  #reached(isReached: boolean): void {
    const since = isReached ? undefined : (this.#unreachableSince ?? this.#options.clock.now());
    if (since === this.#unreachableSince) return;
    this.#unreachableSince = since;
    this.#changed();
  }
}

function newId(): string {
  return randomBytes(8).toString('hex');
}

/** A refusal is an answer as well. */
function isAnswer(error: unknown): boolean {
  return error instanceof CodedError && error.code !== 'answer-missing' && !error.code.startsWith('upstream-');
}

function readHello(head: Buffer): FeedHello {
  try {
    return parseHello(head);
  } catch (error) {
    throw tunnelError('record-malformed', { detail: messageOf(error), cause: error });
  }
}
