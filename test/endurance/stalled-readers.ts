/**
 * What 100 readers that stopped reading may cost: memory of replica and agent, and the time of everyone else.
 *
 *     node test/endurance/stalled-readers.ts [--long] [phase]
 */
import { MemoryWatch, rssOf } from './memory-watch.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Child } from './child.ts';
import { EnduranceFleet } from './endurance-fleet.ts';
import { median, percentile, Report, runAsProgram } from './report.ts';
import type { ClientRole } from './roles/client.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const READERS = 100;
/** For each reader its window, and something for everything else. */
const GROWTH_BYTES = READERS * 256 * KIB + 16 * MIB;
const PROCESSES = 4;
const SLOWER = 2;

interface Size {
  readonly stallMs: number;
  readonly calls: number;
  /** Before anything is measured: until the heap has the size that this rate of calls gives it. */
  readonly warmUpCalls: number;
}

const LONG: Size = { stallMs: 60_000, calls: 3000, warmUpCalls: 20_000 };
const SHORT: Size = { stallMs: 4_000, calls: 1000, warmUpCalls: 500 };

type Phase = readonly [name: string, begin: (clients: readonly Child<ClientRole>[]) => Promise<unknown>];

const PHASES: readonly Phase[] = [
  ['SDK streams nobody reads', (clients) => stall(clients, 'sdk', 'endless')],
  ['HTTPS answers nobody reads', (clients) => stall(clients, 'http', 'endless')],
  ['SDK processes stopped', (clients) => stop(clients, 'sdk', 'endless')],
  ['HTTPS processes stopped', (clients) => stop(clients, 'http', 'endless')],
  ['SDK streams nobody reads, one-byte writes', (clients) => stall(clients, 'sdk', 'dribble')],
  ['HTTPS answers nobody reads, one-byte writes', (clients) => stall(clients, 'http', 'dribble')],
  ['SDK uploads of one-byte writes to who does not read', (clients) => upload(clients, 'sdk')],
  ['HTTPS uploads of one-byte writes to who does not read', (clients) => upload(clients, 'http')],
];

/** `only`: the phases to run, by their index; default all. */
export async function stalledReaders(
  isLong: boolean,
  only: readonly number[] = PHASES.map((_, index) => index),
): Promise<Report> {
  const size = isLong ? LONG : SHORT;
  const report = new Report(
    `stalled readers: ${READERS} for ${size.stallMs / 1000} s, each phase with a fleet of its own`,
  );
  for (const [index, phase] of PHASES.entries()) {
    if (!only.includes(index)) continue;
    try {
      await inFleet(phase, size, report);
    } catch (error) {
      report.equal(`${phase[0]}: failed`, String(error), '');
    }
  }
  return report;
}

async function inFleet([name, begin]: Phase, size: Size, report: Report): Promise<void> {
  const isUpload = name.includes('uploads');
  const fleet = await EnduranceFleet.start({ origins: ['main', 'hello'] });
  let memory: MemoryWatch | undefined;
  try {
    const caller = await fleet.startClient('caller');
    const clients = await Promise.all(
      Array.from({ length: PROCESSES }, (_, index) => fleet.startClient(`reader ${index}`)),
    );
    for (const busy of [fleet.origin(), ...clients]) await busy.ask('yieldToOthers');
    for (const client of clients)
      await waitFor('the links of the clients', async () => (await client.ask('links')) > 0);
    await warmUp(caller, size.warmUpCalls);
    const before = [percentile(await call(caller, size.calls), 0.99), percentile(await call(caller, size.calls), 0.99)];
    const { replica } = fleet;
    const { agent } = fleet.edge();
    await Promise.all([replica.ask('settle'), agent.ask('settle')]);
    await pause(1000);
    const held = { replica: rssOf(replica.pid), agent: rssOf(agent.pid) };
    const base = { replica: await replica.ask('heap'), agent: await agent.ask('heap') };
    memory = new MemoryWatch({ replica: replica.pid, agent: agent.pid });

    await begin(clients);
    const until = Date.now() + size.stallMs;
    const during: number[] = [];
    while (during.length < 2 || Date.now() < until) during.push(percentile(await call(caller, size.calls), 0.99));
    const most = memory.stop();
    await Promise.all([replica.ask('settle'), agent.ask('settle')]);
    const kept = { replica: await replica.ask('heap'), agent: await agent.ask('heap') };

    for (const part of ['replica', 'agent'] as const) {
      const growth = (most[part] ?? 0) - held[part];
      report.atMost(
        `${name}: ${part} grows from ${(held[part] / MIB).toFixed(0)} MiB by`,
        growth / MIB,
        GROWTH_BYTES / MIB,
        'MiB',
        // When the collector last ran, and what the allocator gave back, is the machine's business.
        'timing',
      );
      const heldMore = heldMib(kept[part]) - heldMib(base[part]);
      report.atMost(`${name}: ${part} keeps more at the end`, heldMore, GROWTH_BYTES / MIB, 'MiB');
    }
    report.show(`${name}: p99 of 1 KiB GETs before`, before.map((ms) => ms.toFixed(2)).join(' ') + ' ms');
    report.show(
      `${name}: p99 during, in turn`,
      `${during
        .map((ms) => ms.toFixed(2))
        .slice(0, 12)
        .join(' ')} ms`,
    );
    // Who uploads byte by byte is as busy as can be until the window is full: that is load, not a stalled reader.
    const slower = median(during) / Math.max(...before);
    if (isUpload) report.show(`${name}: median p99 during, to before`, slower.toFixed(2));
    else report.atMost(`${name}: median p99 during, to before`, slower, SLOWER, '', 'timing');
    report.equal(`${name}: processes that died`, fleet.crashes.length, 0);
    for (const crash of fleet.crashes) report.show('  crash', crash);
  } finally {
    memory?.stop();
    await fleet.stop();
  }
}

/** What a process still held after a garbage collection. */
function heldMib({ heapUsed = 0, external = 0 }: Readonly<Record<string, number>>): number {
  return heapUsed + external;
}

/** All paths in full swing once, so that what follows is not the price of starting. */
async function warmUp(caller: Child<ClientRole>, calls: number): Promise<void> {
  await call(caller, 2000);
  for (const direction of ['down', 'up'] as const) {
    await caller.ask('pump', { direction });
    await pause(700);
    await caller.ask('release');
  }
  for (const how of ['sdk', 'http'] as const) {
    await caller.ask('stall', { how, source: 'endless', count: 25, reads: true });
    await pause(1000);
    await caller.ask('release');
  }
  await call(caller, calls);
}

async function call(caller: Child<ClientRole>, count: number): Promise<readonly number[]> {
  const { latenciesMs, failures } = await caller.ask('calls', {
    path: '/edges/edge-1/hello-web/bytes/1024',
    count,
    concurrency: 4,
  });
  if (failures.length > 0) throw new Error(`calls failed: ${failures.slice(0, 3).join('; ')}`);
  return latenciesMs;
}

async function stall(clients: readonly Child<ClientRole>[], how: 'sdk' | 'http', source: string): Promise<void> {
  await Promise.all(clients.map((client) => client.ask('stall', { how, source, count: READERS / PROCESSES })));
}

/** They read until they are stopped. */
async function stop(clients: readonly Child<ClientRole>[], how: 'sdk' | 'http', source: string): Promise<void> {
  await Promise.all(
    clients.map((client) => client.ask('stall', { how, source, count: READERS / PROCESSES, reads: true })),
  );
  await pause(500);
  for (const client of clients) client.signal('SIGSTOP');
}

async function upload(clients: readonly Child<ClientRole>[], how: 'sdk' | 'http'): Promise<void> {
  await Promise.all(clients.map((client) => client.ask('dribble', { how, count: READERS / PROCESSES })));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

if (import.meta.main) {
  const phases = process.argv.slice(2).filter((argument) => /^\d$/u.test(argument));
  await runAsProgram((isLong) => stalledReaders(isLong, phases.length > 0 ? phases.map(Number) : undefined));
}
