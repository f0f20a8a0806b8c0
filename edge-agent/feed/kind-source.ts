import { Backoff, CodedError, messageOf, type Clock, type Log, type Timer } from '../../base/index.ts';
import {
  feedLimits,
  Reflector,
  spliceMetadata,
  type DiscoveryClient,
  type FedKind,
  type KindProblem,
  type RawEvent,
  type RawObject,
  type ReflectorState,
  type ResourceClient,
} from '../../resources/index.ts';
import type { KindHealth, SourceKind } from './feed-source.ts';
import { describeKind } from './kind-description.ts';
import { KindLog } from './kind-log.ts';

export interface KindSourceOptions {
  /** As it is configured: `pods`, `deployments.apps`. */
  readonly name: string;
  readonly client: ResourceClient;
  readonly discovery: DiscoveryClient;
  readonly dropManagedFields: boolean;
  /** Whether Secrets are fed, by whatever name they are asked for. */
  readonly secrets: boolean;
  readonly nextSequence: () => number;
  /** Whether there is room for so many bytes more. */
  readonly hasRoom: (bytes: number) => boolean;
  /** Since when the API does not answer at all, monotonic ms. */
  readonly unreachableSince: () => number | undefined;
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** A silent API is noticed by the feed's own probe; a watch that hangs, by its end. */
const WATCH_MS = 120_000;
const COMPARE_MS = 1_800_000;
const DESCRIBE_MS = 600_000;
/** Work goes on for so long before others have their turn, ms. */
const SLICE_MS = 8;

/** One kind of the edge's API: found, described, and reflected into a log. */
export class KindSource implements SourceKind {
  readonly #options: KindSourceOptions;
  readonly #backoff = new Backoff({ quickTries: 1, baseMs: 1000, maxMs: 30_000 });
  readonly #stop = new AbortController();
  #kind: FedKind | undefined;
  #log: KindLog;
  #version = 0;
  #isSynced = false;
  /** The log is between two states. */
  #isReplacing = false;
  #fault: { readonly reason: string; readonly message: string; readonly since: number } | undefined;
  #reflector: Reflector | undefined;
  #running: Promise<void> | undefined;

  constructor(options: KindSourceOptions) {
    this.#options = options;
    this.#log = this.#newLog();
  }

  get kind(): FedKind | undefined {
    return this.#kind;
  }

  get log(): KindLog {
    return this.#log;
  }

  get version(): number {
    return this.#version;
  }

  get health(): KindHealth {
    const problem = this.#problem();
    const isSynced = this.#isSynced && !this.#isReplacing;
    return { isSynced, isLive: isSynced && problem === undefined, ...(problem === undefined ? {} : { problem }) };
  }

  /** Milliseconds since the API last said something of this kind. */
  get contactAgeMs(): number | undefined {
    return this.#reflector?.state.contactAgeMs;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#reflector?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#describe();
        const endedBy = await this.#reflect();
        if (endedBy === 'TooLarge') return;
      } catch (error) {
        if (!signal.aborted) this.#fail(error);
      }
      if (!signal.aborted) await this.#wait(this.#backoff.next());
    }
  }

  async #describe(): Promise<void> {
    const { name, client, discovery, secrets, log } = this.#options;
    const kind = await describeKind(name, client, discovery, this.#stop.signal);
    if (kind.group === '' && kind.resource === 'secrets' && !secrets) throw new SecretsDenied();
    if (JSON.stringify(kind) === JSON.stringify(this.#kind)) return;
    if (this.#kind !== undefined && this.#kind.version !== kind.version) this.#begin();
    this.#kind = kind;
    log.info('feed-kind', { resource: name, version: kind.version });
    this.#options.onChange();
  }

  /** Until the kind is gone, or the memory is; now and then to look how it is described. */
  async #reflect(): Promise<'gone' | 'described' | 'TooLarge'> {
    const { client, clock, log } = this.#options;
    const kind = this.#kind;
    if (kind === undefined) return 'gone';
    const { promise: ended, resolve: end } = Promise.withResolvers<'gone' | 'described' | 'TooLarge'>();
    const reflector = new Reflector({
      client,
      resource: kind,
      clock,
      log,
      watchMs: WATCH_MS,
      silenceMs: 10_000,
      compareEveryMs: COMPARE_MS,
      maxObjects: feedLimits.maxObjects,
      sink: {
        replace: (objects, version) => this.#replace(objects, version, end),
        apply: (event) => this.#apply(event, end),
        bookmark: (version) => {
          this.#version = version;
          this.#options.onChange();
        },
      },
      onChange: (state) => this.#onState(state, end),
    });
    this.#reflector = reflector;
    reflector.start();
    const abort = (): void => end('gone');
    this.#stop.signal.addEventListener('abort', abort, { once: true });
    const looking = this.#lookEvery(DESCRIBE_MS, async () => {
      await this.#describe();
      if (this.#kind?.version !== kind.version) end('described');
    });
    const endedBy = await ended;
    looking.stop();
    this.#stop.signal.removeEventListener('abort', abort);
    await reflector.close();
    return endedBy;
  }

  #lookEvery(ms: number, look: () => Promise<void>): { stop(): void } {
    const { clock } = this.#options;
    let isOver = false;
    let timer: Timer | undefined;
    const schedule = (): void => {
      timer = clock.after(ms, () => {
        // What is wrong with the API the reflector says.
        look().then(again, again);
      });
    };
    const again = (): void => {
      if (!isOver) schedule();
    };
    schedule();
    return {
      stop: () => {
        isOver = true;
        timer?.cancel();
      },
    };
  }

  async #replace(objects: readonly RawObject[], version: number, end: (reason: 'TooLarge') => void): Promise<void> {
    this.#isReplacing = this.#isSynced;
    const log = this.#log;
    let since = performance.now();
    const breathe = async (): Promise<void> => {
      if (performance.now() - since < SLICE_MS) return;
      await new Promise((resolve) => void setImmediate(resolve));
      since = performance.now();
    };
    const gone = new Set<string>();
    for (const { namespace, name } of log.objects()) gone.add(`${namespace}/${name}`);
    // In the order in which they came to be, since whoever follows has a history.
    for (const object of objects.toSorted((one, other) => one.version - other.version)) {
      gone.delete(`${object.namespace}/${object.name}`);
      if (!this.#put(object, end, true)) return;
      await breathe();
    }
    for (const key of gone) {
      const slash = key.indexOf('/');
      log.delete(key.slice(0, slash), key.slice(slash + 1), version, true);
      await breathe();
    }
    this.#version = version;
    this.#isSynced = true;
    this.#isReplacing = false;
    this.#fault = undefined;
    this.#options.onChange();
  }

  #apply(event: RawEvent, end: (reason: 'TooLarge') => void): void {
    const { namespace, name, version } = event;
    if (event.type === 'deleted') this.#log.delete(namespace, name, version);
    else if (!this.#put(event, end)) return;
    this.#version = version;
    this.#options.onChange();
  }

  /** `isLeap`: it comes from a list, which does not tell what was between. */
  #put({ namespace, name, version, bytes }: RawObject, end: (reason: 'TooLarge') => void, isLeap = false): boolean {
    const { dropManagedFields, hasRoom, clock } = this.#options;
    const json = dropManagedFields ? spliceMetadata(bytes, { drop: ['managedFields'] }) : bytes;
    const tooLarge =
      json.length > feedLimits.maxObjectBytes
        ? `${namespace}/${name} has ${json.length} bytes`
        : hasRoom(json.length)
          ? undefined
          : 'the memory for all kinds is used up';
    if (tooLarge === undefined) {
      this.#log.put(namespace, name, version, json, isLeap);
      return true;
    }
    // A part would look like deletions: it is all or nothing.
    this.#begin();
    this.#fault = { reason: 'TooLarge', message: tooLarge, since: clock.now() };
    this.#options.onChange();
    end('TooLarge');
    return false;
  }

  #onState({ lastError }: ReflectorState, end: (reason: 'gone') => void): void {
    if (lastError === undefined) {
      if (this.#fault?.reason !== 'TooLarge') this.#fault = undefined;
    } else {
      this.#fail(lastError);
      // The definition may be gone, or come in another version.
      if (lastError instanceof CodedError && lastError.status === 404) end('gone');
    }
    this.#options.onChange();
  }

  #fail(error: unknown): void {
    const reason = reasonOf(error);
    const message = messageOf(error).slice(0, 1024);
    const { name, clock, log, onChange } = this.#options;
    if (this.#fault?.reason === 'TooLarge') return;
    if (this.#fault?.reason !== reason) log.warn('feed-kind-failed', { resource: name, reason, message });
    const since = this.#fault?.reason === reason ? this.#fault.since : clock.now();
    this.#fault = { reason, message, since };
    onChange();
  }

  #problem(): KindProblem | undefined {
    const { clock, unreachableSince } = this.#options;
    const since = unreachableSince();
    const fault =
      this.#fault ??
      (since === undefined ? undefined : { reason: 'Unreachable', message: 'the API does not answer', since });
    if (fault === undefined) return undefined;
    return { reason: fault.reason, message: fault.message, sinceMs: Math.max(0, clock.now() - fault.since) };
  }

  /** What was there is void. */
  #begin(): void {
    this.#log = this.#newLog();
    this.#isSynced = false;
    this.#isReplacing = false;
    this.#version = 0;
  }

  #newLog(): KindLog {
    return new KindLog({ nextSequence: this.#options.nextSequence });
  }

  async #wait(ms: number): Promise<void> {
    const { signal } = this.#stop;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => resolve();
    const timer = this.#options.clock.after(ms, done);
    signal.addEventListener('abort', done, { once: true });
    await promise;
    signal.removeEventListener('abort', done);
    timer.cancel();
  }
}

class SecretsDenied extends Error {
  constructor() {
    super('Secrets are fed only where `cache.secrets` is set');
  }
}

/** One word, as conditions have it. */
function reasonOf(error: unknown): string {
  if (error instanceof SecretsDenied) return 'SecretsDenied';
  if (!(error instanceof CodedError)) return 'Failed';
  if (error.code === 'resource-unknown') return 'NotServed';
  if (error.code === 'answer-malformed' || error.code === 'answer-too-large') return 'Malformed';
  if (error.code === 'answer-missing') return 'Unreachable';
  switch (error.status) {
    case 401:
      return 'Unauthorized';
    case 403:
      return 'Forbidden';
    case 404:
      return 'NotServed';
    case 410:
      return 'Expired';
    default:
      return error.status >= 500 ? 'Unavailable' : 'Failed';
  }
}
