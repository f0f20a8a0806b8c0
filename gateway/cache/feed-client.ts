import {
  Backoff,
  type BackoffOptions,
  CodedError,
  messageOf,
  type Clock,
  type Log,
  type Timer,
} from '../../base/index.ts';
import { feedLimits } from '../../resources/index.ts';
import { tunnelError, type KindStream, type KindStreamOpener, type StreamTarget } from '../../tunnel/index.ts';
import type { EdgeCache } from './edge-cache.ts';
import { FeedSession, type FeedCounts } from './feed-session.ts';
import type { KindCopy } from './kind-copy.ts';

export interface FeedClientOptions {
  readonly cache: EdgeCache;
  readonly opener: KindStreamOpener;
  /** The service whose API is fed. */
  readonly service: string;
  /** This replica, as the agent shall know it. */
  readonly principal: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onApplied: (copies: Iterable<KindCopy>) => void;
  readonly backoff: BackoffOptions;
}

/** What an edge says that feeds nothing: it is asked again when another instance of its agent comes. */
const NOT_FED = new Set(['service-unknown', 'kind-unknown', 'denied']);

/** Edges and replicas come and go. */
const GONE = new Set(['endpoint-closed', 'draining', 'stream-lost', 'not-opened', 'gone', 'other-instance']);

/** Keeps a feed stream to one edge while the edge is online, and goes on where the last one ended. */
export class FeedClient {
  readonly counts: FeedCounts & { streams: number; failures: number; malformed: number } = {
    wireBytes: 0,
    recordBytes: 0,
    resumed: 0,
    compared: 0,
    puts: 0,
    deltas: 0,
    removals: 0,
    divergences: 0,
    leaps: 0,
    streams: 0,
    failures: 0,
    malformed: 0,
  };
  readonly #options: FeedClientOptions;
  readonly #backoff: Backoff;
  #instance: string | undefined;
  #refusedInstance: string | undefined;
  #session: FeedSession | undefined;
  #stream: KindStream | undefined;
  #running: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #wasAlive = false;
  #isClosed = false;

  constructor(options: FeedClientOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ quickTries: 1, baseMs: 500, maxMs: 30_000, ...options.backoff });
  }

  /** Since when nothing was heard of a feed that is open, ms; undefined: none is. */
  get lagMs(): number | undefined {
    return this.#session?.silentMs;
  }

  /** The edge's agent has said that it feeds nothing. */
  get isRefused(): boolean {
    return this.#instance !== undefined && this.#instance === this.#refusedInstance;
  }

  /** The edge is online with this instance of its agent; undefined: it is not. */
  online(instance: string | undefined): void {
    this.#instance = instance;
    if (instance === undefined) this.#look();
    else if (this.#stream === undefined && this.#timer === undefined) this.#start();
  }

  /** Looks whether the feed is still heard of. Called every second or so. */
  tick(): void {
    const session = this.#session;
    if (session !== undefined && this.#instance !== undefined && session.silentMs > 2 * feedLimits.silenceMs)
      this.#stream?.destroy(tunnelError('link-silent', { detail: 'the feed' }));
    this.#look();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stream?.destroy();
    await this.#running;
  }

  #look(): void {
    const isAlive = this.#options.cache.isConnected;
    if (isAlive === this.#wasAlive) return;
    this.#wasAlive = isAlive;
    this.#options.cache.connectionChanged();
  }

  #start(): void {
    if (this.#isClosed || this.#instance === undefined || this.#instance === this.#refusedInstance) return;
    this.#running = this.#run(this.#instance);
  }

  async #run(instance: string): Promise<void> {
    const { cache, opener, clock, log, service, principal, onApplied } = this.#options;
    const { edge } = cache;
    const target: StreamTarget = { edge, service, kind: 'sync', verb: 'connect', path: '', principal };
    const since = clock.now();
    const stream = opener.open(target, { head: Buffer.from(JSON.stringify(cache.hello())) });
    const isReachable = (): boolean => this.#instance !== undefined;
    const session = new FeedSession({ stream, cache, clock, counts: this.counts, isReachable, onApplied });
    this.#stream = stream;
    this.#session = session;
    this.counts.streams++;
    // The iteration of the stream tells it too.
    stream.on('error', ignore);
    try {
      await session.run();
    } catch (error) {
      this.#onFailure(error, instance);
    } finally {
      this.#stream = undefined;
      this.#session = undefined;
    }
    this.#backoff.lasted(clock.now() - since);
    log.debug('feed-ended', { edge });
    this.#look();
    if (this.#isClosed || this.#instance === undefined || this.#instance === this.#refusedInstance) return;
    this.#timer = clock.after(this.#backoff.next(), () => {
      this.#timer = undefined;
      this.#start();
    });
  }

  #onFailure(error: unknown, instance: string): void {
    const { cache, log } = this.#options;
    if (this.#isClosed) return;
    const code = error instanceof CodedError ? error.code : 'internal';
    this.counts.failures++;
    if (NOT_FED.has(code)) {
      this.#refusedInstance = instance;
      log.debug('feed-refused', { edge: cache.edge, code });
      return;
    }
    if (code === 'feed-malformed') this.counts.malformed++;
    log[GONE.has(code) ? 'info' : 'warn']('feed-failed', { edge: cache.edge, code, reason: messageOf(error) });
  }
}

function ignore(): void {
  // See above.
}
