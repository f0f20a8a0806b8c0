import { createHash, randomBytes } from 'node:crypto';
import { Agent, request as httpsRequest } from 'node:https';
import { codeOf, messageOf, systemClock } from '../../base/index.ts';
import { clientTls } from '../../certs/index.ts';
import { connect, type Fleet, type Stream } from '../../sdk/index.ts';
import { waitFor } from '../support/wait-for.ts';
import type { DevProcesses, DevReplica } from './dev-processes.ts';

export interface TrafficSize {
  readonly streams: number;
  /** Requests a second over the SDK, and as many over HTTPS at the replicas. */
  readonly rate: number;
  /** SDK clients, which the streams and requests are spread over. */
  readonly clients: number;
}

/** A request under way; over the SDK when it names no replica. */
interface Asked {
  readonly began: number;
  readonly replica: string | undefined;
}

/** What a time came to. */
export interface Measured {
  readonly requests: number;
  readonly seconds: number;
  readonly failures: readonly string[];
  /** Longest time without a byte on any stream, ms. */
  readonly longestGapMs: number;
  /** Slowest request, also one that has not been answered yet, ms. */
  readonly slowestSdkMs: number;
  readonly slowestHttpsMs: number;
}

const CHUNK_BYTES = 2000;
const CHUNK_EVERY_MS = 20;
/** A request that takes longer has failed. */
const REQUEST_MS = 20_000;
const HELLO = '/time';

/** Requests and streams over the SDK, and HTTPS requests at each replica, all the time. */
export class ReplicaTraffic {
  readonly #fleet: DevProcesses;
  readonly #agent: Agent;
  readonly #clients: Fleet[] = [];
  readonly #streams: EchoStream[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #edges: readonly string[];
  /** Replicas that a fault is done to: what ends there is its clients' to repeat. */
  readonly #touched = new Set<string>();
  readonly #open = new Set<Asked>();
  #failures: string[] = [];
  #requests = 0;
  #slowestSdk = 0;
  #slowestHttps = 0;
  #since = systemClock.now();
  #turn = 0;

  static async start(fleet: DevProcesses, edges: readonly string[], size: TrafficSize): Promise<ReplicaTraffic> {
    const traffic = new ReplicaTraffic(fleet, edges);
    for (let index = 0; index < size.clients; index++)
      traffic.#clients.push(await connect({ config: fleet.clientFile }));
    for (let index = 0; index < size.streams; index++) {
      const stream = traffic.#client(index).edge(traffic.#edge(index)).dial('echo');
      traffic.#streams.push(new EchoStream(`${traffic.#edge(index)} ${index}`, stream));
    }
    traffic.#timers.push(
      atRate(size.rate, () => void traffic.#askSdk()),
      ...fleet.replicas.map((replica) =>
        atRate(size.rate / fleet.replicas.length, () => void traffic.#askHttps(replica)),
      ),
    );
    await waitFor('all streams to carry', () => traffic.#streams.every(({ carries }) => carries), {
      deadlineMs: 60_000,
    });
    return traffic;
  }

  private constructor(fleet: DevProcesses, edges: readonly string[]) {
    this.#fleet = fleet;
    this.#edges = edges;
    this.#agent = new Agent({ ...clientTls(fleet.keys), keepAlive: true, maxSockets: 32 });
  }

  /** Where the links of a client go that carry its streams. */
  activeOf(index: number): DevReplica | undefined {
    const target = this.#client(index).links.find(({ active }) => active)?.target;
    return this.#fleet.replicas.find(({ link }) => link === target);
  }

  /** From now on a replica is down. */
  touch(...replicas: readonly DevReplica[]): void {
    for (const { name } of replicas) this.#touched.add(name);
  }

  /** It serves again. */
  untouch(...replicas: readonly DevReplica[]): void {
    for (const { name } of replicas) this.#touched.delete(name);
  }

  /** What came since the last time, or the start. */
  measure(): Measured {
    const now = systemClock.now();
    for (const asked of this.#open) this.#took(asked);
    const measured: Measured = {
      requests: this.#requests,
      seconds: (now - this.#since) / 1000,
      failures: [
        ...this.#failures,
        ...this.#streams.flatMap(({ name, error }) => (error === undefined ? [] : `stream ${name}: ${error}`)),
      ],
      longestGapMs: Math.max(0, ...this.#streams.map((stream) => stream.takeGap())),
      slowestSdkMs: this.#slowestSdk,
      slowestHttpsMs: this.#slowestHttps,
    };
    this.#failures = [];
    this.#requests = 0;
    this.#slowestSdk = 0;
    this.#slowestHttps = 0;
    this.#since = now;
    return measured;
  }

  /** Ends all streams in good order; how many came back as they were sent. */
  async stop(): Promise<{ readonly whole: number; readonly wrong: readonly string[] }> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#streams.map((stream) => stream.end()));
    for (const client of this.#clients) await client.close();
    this.#agent.destroy();
    const wrong = this.#streams.filter((stream) => !stream.isWhole);
    return { whole: this.#streams.length - wrong.length, wrong: wrong.map((stream) => stream.toString()) };
  }

  #client(index: number): Fleet {
    const client = this.#clients[index % this.#clients.length];
    if (client === undefined) throw new Error('there is no client');
    return client;
  }

  #edge(index: number): string {
    return this.#edges[index % this.#edges.length] ?? '';
  }

  async #askSdk(): Promise<void> {
    const index = this.#turn++;
    const edge = this.#edge(index);
    await this.#ask({ began: systemClock.now(), replica: undefined }, `SDK, ${edge}`, async () => {
      const signal = AbortSignal.timeout(REQUEST_MS);
      const response = await this.#client(index).edge(edge).fetch('hello', HELLO, { signal });
      await response.text();
      return String(response.status);
    });
  }

  async #askHttps({ name, api }: DevReplica): Promise<void> {
    if (this.#touched.has(name)) return;
    const edge = this.#edge(this.#turn++);
    const asked = { began: systemClock.now(), replica: name };
    await this.#ask(asked, `HTTPS at ${name}, ${edge}`, () => this.#get(`${api}/edges/${edge}/hello${HELLO}`));
  }

  async #ask(asked: Asked, what: string, send: () => Promise<string>): Promise<void> {
    this.#open.add(asked);
    const outcome = await send().catch((error: unknown) => `${codeOf(error)} ${messageOf(error)}`);
    this.#open.delete(asked);
    if (this.#isExcused(asked)) return;
    this.#took(asked);
    if (outcome === '200') this.#requests++;
    else this.#failures.push(`${what}: ${outcome}`);
  }

  /** What was under way when its replica was hit is no matter of others. */
  #isExcused({ replica }: Asked): boolean {
    return replica !== undefined && this.#touched.has(replica);
  }

  #took(asked: Asked): void {
    const tookMs = systemClock.now() - asked.began;
    if (asked.replica === undefined) this.#slowestSdk = Math.max(this.#slowestSdk, tookMs);
    else if (!this.#isExcused(asked)) this.#slowestHttps = Math.max(this.#slowestHttps, tookMs);
  }

  #get(url: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = httpsRequest(url, { agent: this.#agent, timeout: REQUEST_MS }, (response) => {
        response.once('error', reject);
        const code = response.headers['causeway-code'];
        response.once('end', () => resolve(`${response.statusCode}${code === undefined ? '' : ` ${String(code)}`}`));
        response.resume();
      });
      request.once('timeout', () => request.destroy(new Error('no answer in time')));
      request.once('error', reject);
      request.end();
    });
  }
}

/** A stream that what is written to comes back on. */
class EchoStream {
  readonly name: string;
  readonly #stream: Stream;
  readonly #sent = createHash('sha256');
  readonly #received = createHash('sha256');
  readonly #timer: NodeJS.Timeout;
  readonly #closed: Promise<void>;
  #sums: readonly [string, string] | undefined;
  #bytes: [number, number] = [0, 0];
  #last = systemClock.now();
  #gap = 0;
  error: string | undefined;

  constructor(name: string, stream: Stream) {
    this.name = name;
    this.#stream = stream;
    this.#closed = new Promise((resolve) => void stream.once('close', () => resolve()));
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('error', (error: Error) => {
      this.error = `${codeOf(error)} ${error.message}`;
    });
    this.#timer = setInterval(() => this.#send(), CHUNK_EVERY_MS);
  }

  /** Something has come back. */
  get carries(): boolean {
    return this.#bytes[1] > 0;
  }

  get isWhole(): boolean {
    const [sent, received] = this.#sums ?? ['', '-'];
    return this.error === undefined && sent === received;
  }

  /** The longest silence since it was asked the last time, the one that lasts too. */
  takeGap(): number {
    const gap = Math.max(this.#gap, systemClock.now() - this.#last);
    this.#gap = 0;
    return gap;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#stream.end();
    const late = setTimeout(() => this.#stream.destroy(new Error('it did not end')), 60_000);
    await this.#closed;
    clearTimeout(late);
    this.#sums = [this.#sent.digest('hex'), this.#received.digest('hex')];
  }

  toString(): string {
    return `${this.name}: ${this.#bytes.join(' sent, ')} back, ${this.error ?? 'no error'}`;
  }

  #send(): void {
    // One that finds no way is not filled with what nobody takes.
    if (this.#stream.destroyed || this.#stream.writableLength > CHUNK_BYTES * 64) return;
    const chunk = randomBytes(CHUNK_BYTES);
    this.#sent.update(chunk);
    this.#bytes[0] += chunk.length;
    this.#stream.write(chunk);
  }

  #take(chunk: Buffer): void {
    const now = systemClock.now();
    this.#gap = Math.max(this.#gap, now - this.#last);
    this.#last = now;
    this.#received.update(chunk);
    this.#bytes[1] += chunk.length;
  }
}

/** So often a second, also on a machine that is late; what a second's stall left out stays out. */
function atRate(rate: number, run: () => void): NodeJS.Timeout {
  const everyMs = 1000 / rate;
  let due = systemClock.now();
  return setInterval(() => {
    const now = systemClock.now();
    for (due = Math.max(due, now - 1000); due <= now; due += everyMs) run();
  }, everyMs);
}
