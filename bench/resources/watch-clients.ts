import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import { clientOptions, type PemCredentials } from '../baseline/credentials.ts';
import { percentile } from '../baseline/load.ts';
import { stampIn, stampNow } from './sample-objects.ts';

export interface WatchClientsOptions {
  readonly port: number;
  readonly credentials: PemCredentials;
  /** One after the other, over and over. */
  readonly paths: readonly string[];
  readonly watchers: number;
  /** Each watcher ends after so many. */
  readonly events: number;
  /** Every so-many-th watcher reads the time of every event; the others count events. */
  readonly sampleEvery: number;
  /** Given up after this: what is missing then is counted as missing. */
  readonly withinMs: number;
}

export interface WatchResult {
  /** From the moment at which an object was written, ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly samples: number;
  /** Events that did not come. */
  readonly missing: number;
  /** Of all watches, MB. */
  readonly megabytes: number;
}

/** Opened at once, so that handshakes do not time out in each other's queue. */
const AT_ONCE = 16;

/** Watches over connections of their own, in a process of its own; done when each has all its events. */
export async function watchEvents(options: WatchClientsOptions): Promise<WatchResult> {
  const child: Child<WatchResult> = await startChild(import.meta.filename, options);
  await child.stop();
  return child.ready;
}

class Watcher {
  events = 0;
  bytes = 0;
  readonly latenciesMs: number[] = [];
  readonly done: Promise<unknown>;
  readonly #wanted: number;
  readonly #isSampled: boolean;
  readonly #finish: () => void;
  #rest: Buffer | undefined;

  constructor(wanted: number, isSampled: boolean) {
    this.#wanted = wanted;
    this.#isSampled = isSampled;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#finish = resolve;
  }

  read(response: IncomingMessage): void {
    response.on('data', (bytes: Buffer) => {
      this.bytes += bytes.length;
      if (this.#isSampled) this.#sample(bytes);
      else for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) this.events++;
      if (this.events >= this.#wanted) this.#finish();
    });
    response.on('error', () => this.#finish());
    response.on('close', () => this.#finish());
  }

  #sample(chunk: Buffer): void {
    const now = stampNow();
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, from)) {
      const written = stampIn(bytes.subarray(from, at));
      if (written !== undefined) this.latenciesMs.push(now - written);
      this.events++;
      from = at + 1;
    }
    this.#rest = from === bytes.length ? undefined : bytes.subarray(from);
  }
}

const newline = 0x0a;

async function run(options: WatchClientsOptions): Promise<WatchResult> {
  const { port, credentials, paths, events, sampleEvery, withinMs } = options;
  const tls = { ...clientOptions(credentials), host: '127.0.0.1', port, agent: false as const };
  const watchers = Array.from(
    { length: options.watchers },
    (_, index) => new Watcher(events, index % sampleEvery === 0),
  );
  const calls: ClientRequest[] = [];
  let next = 0;
  const opener = async (): Promise<void> => {
    for (let index = next++; index < watchers.length; index = next++) {
      const call = request({ ...tls, path: paths[index % paths.length] });
      calls.push(call);
      call.end();
      const [response] = (await once(call, 'response')) as [IncomingMessage];
      if (response.statusCode !== 200) throw new Error(`a watch was answered with ${response.statusCode ?? 0}`);
      call.on('error', () => undefined);
      watchers[index]?.read(response);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, opener));
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, withinMs);
  await Promise.race([late, Promise.all(watchers.map(({ done }) => done))]);
  clearTimeout(timer);
  for (const call of calls) call.destroy();
  const latencies = watchers.flatMap(({ latenciesMs }) => latenciesMs).toSorted((a, b) => a - b);
  return {
    p50Ms: percentile(latencies, 50),
    p99Ms: percentile(latencies, 99),
    maxMs: latencies.at(-1) ?? Number.NaN,
    samples: latencies.length,
    missing: watchers.reduce((sum, watcher) => sum + Math.max(0, events - watcher.events), 0),
    megabytes: watchers.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6,
  };
}

if (import.meta.main) serveAsChild(run);
