import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { formatYaml, systemClock } from '../../base/index.ts';
import { readAudit } from '../../sdk/index.ts';
import { RoleProcess } from '../support/role-process.ts';
import { waitFor } from '../support/wait-for.ts';
import type { DevProcesses, DevReplica } from './dev-processes.ts';
import { pause, type Phase } from './replica-faults.ts';

const TWIN = 'the twin';
const TAKES_OVER_MS = 10_000;
/** The older one of the two is told at once; the log is looked at a moment later. */
const TOLD_MS = 15_000;
const GOODBYE_MS = 3000;

/**
 * A second agent with the identity of the last edge. Half of the time the first one stands still meanwhile, so that its links
 * are open, and says goodbye when it is long superseded.
 */
export const twins: Phase = async ({ fleet, report }, tries) => {
  const edge = fleet.edges.at(-1) ?? '';
  const takeovers: number[] = [];
  const returns: number[] = [];
  const told: number[] = [];
  let [stale, lost, events] = [0, 0, 0];
  const server = createServer((_request, response) => response.end(TWIN)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    for (let attempt = 0; attempt < tries; attempt++) {
      const stands = attempt % 2 === 0;
      await served(fleet, edge, (who) => who !== TWIN);
      const since = new Date().toISOString();
      if (stands) fleet.signal('edges', edge, 'SIGSTOP');
      const answers = new Answers(fleet, edge);
      const twin = await Twin.start(fleet, edge, server.address() as AddressInfo, attempt);
      const began = systemClock.now();
      await served(fleet, edge, (who) => who === TWIN);
      takeovers.push(systemClock.now() - began);

      if (stands) fleet.signal('edges', edge, 'SIGCONT');
      const resumed = systemClock.now();
      await superseded(() => fleet.log(edge), since);
      told.push(systemClock.now() - resumed);
      console.error(
        `twins: ${stands ? 'stands still' : 'runs'}: ${takeovers.at(-1)?.toFixed(0)} ms, told ${told.at(-1)?.toFixed(0)} ms`,
      );
      const old = fleet.pid('edges', edge);
      fleet.signal('edges', edge, 'SIGTERM');
      await pause(GOODBYE_MS);
      const history = await answers.stop();
      stale += staleIn(history);
      lost += history.filter(({ who, ended }) => who === '' && ended > resumed).length;
      events += Number((await conflicts(fleet, edge, since)) > 0);

      // It comes again, as a newer instance: now the twin is the older one.
      await waitFor('a new agent', () => (fleet.pid('edges', edge) ?? old) !== old, {
        deadlineMs: 60_000,
        everyMs: 50,
      });
      const again = systemClock.now();
      await served(fleet, edge, (who) => who !== TWIN);
      returns.push(systemClock.now() - again);
      process.stderr.write(`twins again: ${returns.at(-1)?.toFixed(0)} ms\n`);
      await superseded(() => twin.log, since);
      await twin.stop();
    }
  } finally {
    server.close();
  }
  report.equal('twins: tries', told.length, tries);
  report.atMost('twins: until all replicas reach the newer one', Math.max(...takeovers), TAKES_OVER_MS, 'ms', 'timing');
  report.show(
    'twins: slowest, from the start of a process that is newer again',
    `${Math.max(...returns).toFixed(0)} ms`,
  );
  report.atMost('twins: until the older one is told', Math.max(...told), TOLD_MS, 'ms', 'timing');
  report.equal('twins: answers of the older behind one of the newer', stale, 0);
  report.equal('twins: requests lost while the older says goodbye', lost, 0);
  report.equal('twins: tries that an audit event tells of', events, tries);
};

/** A second agent of an edge, with a service of its own. */
class Twin {
  readonly #process: RoleProcess;
  readonly #logFile: string;

  static async start(fleet: DevProcesses, edge: string, { port }: AddressInfo, attempt: number): Promise<Twin> {
    const folder = join(fleet.folder, 'twins', String(attempt));
    mkdirSync(folder, { recursive: true });
    const config = {
      gateways: fleet.replicas.map(({ link }) => link),
      keys: join(fleet.folder, 'edges', edge, 'keys'),
      data: join(folder, 'data'),
      services: [{ name: 'hello', kind: 'http', url: `http://127.0.0.1:${port}` }],
    };
    const file = join(folder, 'agent.yaml');
    const logFile = join(folder, 'twin.log');
    writeFileSync(file, formatYaml(config));
    return new Twin(await RoleProcess.start(['agent', 'run', '--config', file], logFile), logFile);
  }

  private constructor(process: RoleProcess, logFile: string) {
    this.#process = process;
    this.#logFile = logFile;
  }

  get log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

/** One request: who answered; empty: nobody did. */
interface Answer {
  readonly began: number;
  readonly ended: number;
  readonly who: string;
}

/** Asks at all replicas all the time, and keeps who answered. */
class Answers {
  readonly #history: Answer[] = [];
  readonly #over: Promise<unknown>;
  #isOver = false;

  constructor(fleet: DevProcesses, edge: string) {
    this.#over = Promise.all(fleet.replicas.map((replica) => this.#run(fleet, replica, edge)));
  }

  async stop(): Promise<readonly Answer[]> {
    this.#isOver = true;
    await this.#over;
    return this.#history;
  }

  async #run(fleet: DevProcesses, replica: DevReplica, edge: string): Promise<void> {
    while (!this.#isOver) {
      const began = systemClock.now();
      const who = await answer(fleet, replica, edge);
      this.#history.push({ began, ended: systemClock.now(), who });
      await pause(20);
    }
  }
}

/** Empty: nobody, within the SDK's patience. */
async function answer(fleet: DevProcesses, replica: DevReplica, edge: string): Promise<string> {
  try {
    const { status, body } = await fleet.ask(replica, `/edges/${edge}/hello/`);
    return status === 200 ? body.toString('utf8') : '';
  } catch {
    return '';
  }
}

/** Waits until the edge's answers are by whom they are to be, at all replicas. */
async function served(fleet: DevProcesses, edge: string, isHe: (who: string) => boolean): Promise<void> {
  await Promise.all(
    fleet.replicas.map((replica) =>
      waitFor(
        `the answer at ${replica.name}`,
        async () => {
          const who = await answer(fleet, replica, edge);
          return who !== '' && isHe(who);
        },
        { deadlineMs: 90_000, everyMs: 50 },
      ),
    ),
  );
}

/** Requests that the older one answered, though they began when the newer one had answered another. */
function staleIn(history: readonly Answer[]): number {
  const first = Math.min(...history.filter(({ who }) => who === TWIN).map(({ ended }) => ended));
  return history.filter(({ who, began }) => who !== TWIN && who !== '' && began > first).length;
}

/** Waits until an agent has logged that it is superseded. */
async function superseded(log: () => string, since: string): Promise<void> {
  const isTold = (line: string): boolean => line.includes('instance-superseded') && timeIn(line) >= Date.parse(since);
  await waitFor('the older one to be told', () => log().split('\n').some(isTold), { deadlineMs: 90_000, everyMs: 50 });
}

function timeIn(line: string): number {
  const { time } = JSON.parse(line) as { readonly time: string | number };
  return typeof time === 'number' ? time : Date.parse(time);
}

async function conflicts(fleet: DevProcesses, edge: string, since: string): Promise<number> {
  let count = 0;
  for (const replica of fleet.replicas)
    for await (const record of readAudit(fleet.api(replica), { edge, actions: ['instance-conflict'], since }))
      if (record !== 'caught-up') count++;
  return count;
}
