import process from 'node:process';
import { systemClock } from '../../base/index.ts';
import { exchange, readAll } from '../../resources/index.ts';
import { waitFor } from '../support/wait-for.ts';
import type { DevProcesses, DevReplica } from './dev-processes.ts';
import type { Measured, ReplicaTraffic } from './replica-traffic.ts';
import { percentile, type Report } from './report.ts';

/** What a phase works with. */
export interface World {
  readonly fleet: DevProcesses;
  readonly traffic: ReplicaTraffic;
  /** Edges that the traffic goes to. */
  readonly edges: readonly string[];
  readonly report: Report;
  readonly isLong: boolean;
}

/** One phase: does a fault so many times, and adds to the report what came of it. */
export type Phase = (world: World, tries: number) => Promise<void>;

const KILL_GAP_MS = 2000;
const STOP_GAP_MS = 5000;
const SITE_GAP_MS = 5000;
const DECISION_MS = 2000;
const HEALED_MS = 10_000;
/** A promise on the 503 is kept by the replica; the way to it takes a moment more. */
const ON_THE_WAY_MS = 250;
const STOPPED_MS = 12_000;
/** What was killed starts again after 5 s. */
const ALONE_MS = 4500;
const QUORUM_AWAY_MS = 60_000;
const QUORUM_AWAY_SHORT_MS = 12_000;
const READ_MS = 10_000;
const READ_BYTES = 1024 * 1024;

/** SIGKILL, in turn, of the replica with the active link of an edge and of the one that a client uses. */
export const kill: Phase = async ({ fleet, traffic, edges, report }, tries) => {
  const phase = new Faults('kill', traffic);
  for (let attempt = 0; attempt < tries; attempt++) {
    await fleet.whole();
    const edge = edges[attempt % edges.length] ?? '';
    const used = attempt % 2 === 0 ? undefined : traffic.activeOf(attempt);
    const victim = used ?? (await fleet.holderOf(edge));
    phase.begin(victim);
    fleet.signal('replicas', victim.name, 'SIGKILL');
    await pause(ALONE_MS);
    phase.lost();
    await phase.end(fleet, used === undefined ? `${victim.name}, holds ${edge}` : `${victim.name}, used`);
  }
  phase.report(report, KILL_GAP_MS);
};

/** SIGSTOP: connections stay open, and nobody answers on them. */
export const stop: Phase = async ({ fleet, traffic, edges, report }, tries) => {
  const phase = new Faults('stop', traffic);
  for (let attempt = 0; attempt < tries; attempt++) {
    await fleet.whole();
    const victim = await fleet.holderOf(edges[attempt % edges.length] ?? '');
    phase.begin(victim);
    fleet.signal('replicas', victim.name, 'SIGSTOP');
    await pause(STOPPED_MS);
    fleet.signal('replicas', victim.name, 'SIGCONT');
    await phase.end(fleet, victim.name);
  }
  phase.report(report, STOP_GAP_MS);
};

/** Both replicas of a site and the member of etcd there, at once. */
export const site: Phase = async ({ fleet, traffic, edges, report }, tries) => {
  const phase = new Faults('site', traffic);
  const spreads: number[] = [];
  for (let attempt = 0; attempt < tries; attempt++) {
    await fleet.whole();
    await spread(fleet, edges);
    const lost = attempt % 2 === 0 ? 'site-a' : 'site-b';
    const victims = fleet.replicas.filter((replica) => replica.site === lost);
    phase.begin(...victims);
    fleet.signal('etcd', `etcd-${attempt % 2}`, 'SIGKILL');
    for (const { name } of victims) fleet.signal('replicas', name, 'SIGKILL');
    await pause(ALONE_MS);
    phase.lost();
    await phase.end(fleet, lost);
    const began = systemClock.now();
    await spread(fleet, edges);
    spreads.push(systemClock.now() - began);
  }
  phase.report(report, SITE_GAP_MS);
  report.atMost('site: until links are spread over both again', Math.max(...spreads) / 1000, 60, 's', 'timing');
};

/** A member of etcd dies, in turn, while somebody decides all the time. */
export const member: Phase = async ({ fleet, traffic, report }, tries) => {
  const phase = new Faults('member', traffic);
  const decisions = new Decisions(fleet);
  for (let attempt = 0; attempt < tries; attempt++) {
    const name = `etcd-${attempt % 3}`;
    await waitFor(`${name} to run`, () => fleet.pid('etcd', name), { deadlineMs: 60_000, everyMs: 100 });
    // It has to have found the others before the next one goes, or the majority is lost.
    await pause(attempt === 0 ? 500 : 8000);
    phase.begin();
    fleet.signal('etcd', name, 'SIGKILL');
    await pause(5000);
    await phase.end(fleet, name);
  }
  const { refused, slowestMs, done } = await decisions.stop();
  phase.report(report, KILL_GAP_MS);
  report.equal(`member: decisions that failed, of ${done + refused.length}`, refused.length, 0);
  for (const refusal of new Set(refused)) report.show('  refusal', refusal);
  report.show('member: slowest decision', `${slowestMs.toFixed(0)} ms`);
};

/** Two members of three stand still. */
export const quorum: Phase = async ({ fleet, traffic, edges, report, isLong }, tries) => {
  const phase = new Faults('quorum', traffic);
  const healed: number[] = [];
  const answers: number[] = [];
  const statuses = new Set<string>();
  let unread = 0;
  let reads = 0;
  for (let attempt = 0; attempt < tries; attempt++) {
    await fleet.whole();
    const cached = await cachedReads(fleet, edges);
    phase.begin();
    const stopped = [attempt % 3, (attempt + 1) % 3].map((index) => `etcd-${index}`);
    for (const name of stopped) fleet.signal('etcd', name, 'SIGSTOP');
    const until = systemClock.now() + (isLong ? QUORUM_AWAY_MS : QUORUM_AWAY_SHORT_MS);
    // What was decided before is under way yet.
    await pause(500);
    for (let turn = 0; systemClock.now() < until; turn++) {
      const replica = inTurn(fleet.replicas, turn);
      const { status, code, retryAfter, tookMs } = await decide(fleet, replica, edges[0] ?? '');
      statuses.add(`${status} ${code}${retryAfter ? '' : ' without Retry-After'}`);
      answers.push(tookMs);
      const read = inTurn(cached, turn);
      reads++;
      if (!(await isCached(fleet, read.replica, read.edge))) unread++;
      await pause(500);
    }
    for (const name of stopped) fleet.signal('etcd', name, 'SIGCONT');
    const began = systemClock.now();
    for (const replica of fleet.replicas) {
      await waitFor(
        `a decision at ${replica.name}`,
        async () => (await decide(fleet, replica, edges[0] ?? '')).status === 200,
        { deadlineMs: 60_000, everyMs: 100 },
      );
    }
    healed.push(systemClock.now() - began);
    await phase.end(fleet, stopped.join(' and '));
  }
  phase.report(report, KILL_GAP_MS);
  const wrong = [...statuses].filter((status) => !/^503 store-(?:unavailable|outcome-unknown)$/u.test(status));
  report.show('quorum: how decisions were answered', [...statuses].toSorted().join(', '));
  report.equal('quorum: answers other than 503 of the store with Retry-After', wrong.length, 0);
  report.atMost('quorum: slowest of them', Math.max(...answers), DECISION_MS + ON_THE_WAY_MS, 'ms', 'timing');
  report.equal(`quorum: cached reads that failed, of ${reads}`, unread, 0);
  report.atMost('quorum: until every replica decides again', Math.max(...healed), HEALED_MS, 'ms', 'timing');
};

/** Measures one fault after the other, and puts together what they came to. */
export class Faults {
  readonly #name: string;
  readonly #traffic: ReplicaTraffic;
  readonly #gaps: number[] = [];
  /** Of them, those before what was lost began to return. */
  readonly #lossGaps: number[] = [];
  readonly #sdk: number[] = [];
  readonly #https: number[] = [];
  readonly #failures: string[] = [];
  #touched: readonly DevReplica[] = [];
  #ended = 0;
  #requests = 0;
  #seconds = 0;

  constructor(name: string, traffic: ReplicaTraffic) {
    this.#name = name;
    this.#traffic = traffic;
    this.#take();
  }

  /** These replicas are going to be away. */
  begin(...victims: readonly DevReplica[]): void {
    this.#take();
    this.#touched = victims;
    this.#traffic.touch(...victims);
  }

  /** The fault has had its effect, and what it was done to has not begun to come back. */
  lost(): void {
    this.#lossGaps.push(this.#noted().longestGapMs);
  }

  /** Waits until all is as it was. */
  async end(fleet: DevProcesses, what: string): Promise<void> {
    await fleet.whole();
    const lossGapMs = this.#lossGaps[this.#ended];
    const { longestGapMs, slowestSdkMs, slowestHttpsMs } = this.#noted();
    const gapMs = Math.max(longestGapMs, lossGapMs ?? 0);
    this.#traffic.untouch(...this.#touched);
    this.#gaps.push(gapMs);
    this.#ended++;
    const loss = lossGapMs === undefined ? '' : ` (${lossGapMs.toFixed(0)} at the loss)`;
    const [gap, sdk, https] = [gapMs, slowestSdkMs, slowestHttpsMs].map((ms) => ms.toFixed(0));
    const failed = this.#failures.length;
    process.stderr.write(`${this.#name} ${what}: gap ${gap}${loss}, SDK ${sdk}, HTTPS ${https} ms, ${failed} failed\n`);
  }

  report(report: Report, boundMs: number): void {
    this.#take();
    const name = this.#name;
    report.show(`${name}: faults done`, String(this.#gaps.length));
    report.atLeast(`${name}: requests a second`, this.#requests / this.#seconds, 100, '', 'timing');
    report.equal(`${name}: failed, of ${this.#requests}`, this.#failures.length, 0);
    for (const failure of [...new Set(this.#failures)].slice(0, 8)) report.show('  failure', failure);
    report.atMost(`${name}: longest pause of a stream`, Math.max(...this.#gaps), boundMs, 'ms', 'timing');
    if (this.#lossGaps.length > 0)
      report.show(`${name}: the same, before it begins to return`, `${Math.max(...this.#lossGaps).toFixed(0)} ms`);
    report.show(`${name}: median of the longest pauses`, `${percentile(this.#gaps, 0.5).toFixed(0)} ms`);
    report.show(`${name}: slowest request, SDK`, `${Math.max(...this.#sdk).toFixed(0)} ms`);
    report.show(`${name}: slowest request, HTTPS at other replicas`, `${Math.max(...this.#https).toFixed(0)} ms`);
  }

  #noted(): Measured {
    const measured = this.#take();
    this.#sdk.push(measured.slowestSdkMs);
    this.#https.push(measured.slowestHttpsMs);
    return measured;
  }

  #take(): Measured {
    const measured = this.#traffic.measure();
    this.#requests += measured.requests;
    this.#seconds += measured.seconds;
    this.#failures.push(...measured.failures);
    return measured;
  }
}

/** Somebody who decides something at each replica in turn. */
class Decisions {
  readonly #over: Promise<void>;
  readonly #refused: string[] = [];
  #slowestMs = 0;
  #done = 0;
  #isOver = false;

  constructor(fleet: DevProcesses) {
    this.#over = this.#run(fleet);
  }

  async stop(): Promise<{ readonly refused: readonly string[]; readonly slowestMs: number; readonly done: number }> {
    this.#isOver = true;
    await this.#over;
    return { refused: this.#refused, slowestMs: this.#slowestMs, done: this.#done };
  }

  async #run(fleet: DevProcesses): Promise<void> {
    for (let turn = 0; !this.#isOver; turn++) {
      const { status, code, tookMs } = await decide(fleet, inTurn(fleet.replicas, turn), inTurn(fleet.edges, turn));
      this.#slowestMs = Math.max(this.#slowestMs, tookMs);
      if (status === 200) this.#done++;
      else this.#refused.push(`${status} ${code}`);
      await pause(100);
    }
  }
}

interface Decision {
  readonly status: number;
  readonly code: string;
  readonly retryAfter: boolean;
  readonly tookMs: number;
}

/** Writes a label of an edge. */
async function decide(fleet: DevProcesses, replica: DevReplica, edge: string): Promise<Decision> {
  const began = systemClock.now();
  const body = Buffer.from(JSON.stringify({ metadata: { labels: { tried: String(Math.floor(began)) } } }));
  const answer = await fleet.api(replica).request('PATCH', `/apis/causeway.io/v1/edgenodes/${edge}`, body);
  const { status, headers } = answer;
  return {
    status,
    code: String(headers['causeway-code'] ?? ''),
    retryAfter: headers['retry-after'] !== undefined,
    tookMs: systemClock.now() - began,
  };
}

interface CachedRead {
  readonly replica: DevReplica;
  readonly edge: string;
}

/** What can be read from memory now. */
async function cachedReads(fleet: DevProcesses, edges: readonly string[]): Promise<readonly CachedRead[]> {
  return await waitFor(
    'copies of all edges',
    async () => {
      const all = fleet.replicas.flatMap((replica) => edges.map((edge) => ({ replica, edge })));
      const are = await Promise.all(all.map(({ replica, edge }) => isCached(fleet, replica, edge)));
      const cached = all.filter((_, index) => are[index]);
      return edges.every((edge) => cached.some((read) => read.edge === edge)) ? cached : undefined;
    },
    { deadlineMs: 60_000, everyMs: 200 },
  );
}

async function isCached(fleet: DevProcesses, replica: DevReplica, edge: string): Promise<boolean> {
  const path = `/edges/${edge}/kube/api/v1/namespaces?resourceVersion=0`;
  const request = { method: 'GET', path, headers: { 'cache-control': 'only-if-cached' } };
  const { status, headers, body } = await exchange(fleet.api(replica).transport, request, {
    clock: systemClock,
    silenceMs: READ_MS,
  });
  await readAll(body, READ_BYTES);
  return status === 200 && headers['age'] !== undefined;
}

/** Waits until each edge has links to both sites. */
async function spread(fleet: DevProcesses, edges: readonly string[]): Promise<void> {
  const siteOf = (replica: string): string => replica.split('/', 1)[0] ?? '';
  for (const edge of edges) {
    await waitFor(
      `${edge} to have links to both sites`,
      async () => new Set((await fleet.links(edge)).map(({ replica }) => siteOf(replica))).size === 2,
      { deadlineMs: 120_000, everyMs: 200 },
    );
  }
}

export function inTurn<T>(all: readonly T[], turn: number): T {
  const one = all[turn % all.length];
  if (one === undefined) throw new Error('there is none');
  return one;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
