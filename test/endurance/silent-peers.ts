/**
 * What peers cost that connect and then say nothing, at each step before it is known who they are: all of them are cut, the
 * memory comes back, and who means it gets in meanwhile.
 *
 *     node test/endurance/silent-peers.ts [--long]
 */
import { join } from 'node:path';
import { silentLog } from '../../base/index.ts';
import { agentConfigSchema, startAgent } from '../../edge-agent/index.ts';
import { Child } from './child.ts';
import { EnduranceFleet } from './endurance-fleet.ts';
import { waitFor } from '../support/wait-for.ts';
import { MemoryWatch, rssOf } from './memory-watch.ts';
import { Report, runAsProgram } from './report.ts';
import type { SilentOptions, SilentRole } from './roles/silent.ts';
import { silentCredentials } from './silent-steps.ts';

const MIB = 1024 * 1024;
const CUT_MS = 10_000;
/** What a process's heap differs by from one collection to the next. */
const NOISE_BYTES = 16 * MIB;
/** The same of what the system has given it. */
const NOISE_RSS_BYTES = 32 * MIB;
/** The first that come make the allocator ask for memory that it keeps: `warmUp` of them, of all kinds, before anything is measured. */
const LONG = { peers: 2000, warmUp: 4000 };
const SHORT = { peers: 50, warmUp: 20 };

export async function silentPeers(isLong: boolean): Promise<Report> {
  const { peers, warmUp } = isLong ? LONG : SHORT;
  const report = new Report(`silent peers: ${peers} of each kind`);
  const fleet = await EnduranceFleet.start();
  let silent: Child<SilentRole> | undefined;
  try {
    const options: SilentOptions = { ports: fleet.ports, credentials: await silentCredentials(fleet.certificates) };
    const role = new URL('roles/silent.ts', import.meta.url);
    const [started, steps] = await Child.start<SilentRole, string[]>('silent peers', role, options);
    silent = started;
    await silent.ask('stay', { steps, peers: Math.ceil(warmUp / steps.length) });
    if (isLong) for (const step of steps) await attack(fleet, silent, { name: step, steps: [step], peers }, report);
    else await attack(fleet, silent, { name: 'all at once', steps, peers }, report);
    report.equal('processes that died', fleet.crashes.length, 0);
    for (const crash of fleet.crashes) report.show('  crash', crash);
  } finally {
    await silent?.stop();
    await fleet.stop();
  }
  return report;
}

interface Attack {
  readonly name: string;
  readonly steps: readonly string[];
  /** Of each step. */
  readonly peers: number;
}

async function attack(
  fleet: EnduranceFleet,
  silent: Child<SilentRole>,
  { name, steps, peers }: Attack,
  report: Report,
): Promise<void> {
  const { replica } = fleet;
  const before = await held(fleet);
  const resident = rssOf(replica.pid);
  const memory = new MemoryWatch({ replica: replica.pid });
  const staying = silent.ask('stay', { steps, peers });
  const inMs = await getIn(fleet);
  const stoodMs = await staying;
  const most = memory.stop();
  const more = (await held(fleet)) - before;
  report.equal(`${name}: cut`, stoodMs.length, steps.length * peers);
  report.atMost(`${name}: the last after`, Math.max(...stoodMs), CUT_MS, 'ms', 'timing');
  report.atMost(`${name}: kept in memory`, more / MIB, NOISE_BYTES / MIB, 'MiB');
  const after = rssOf(replica.pid);
  report.atMost(`${name}: resident more`, (after - resident) / MIB, NOISE_RSS_BYTES / MIB, 'MiB', 'timing');
  const sizes = [resident, most['replica'] ?? 0, after].map((bytes) => (bytes / MIB).toFixed(0));
  report.show(`${name}: resident before, at most, after`, `${sizes.join(', ')} MiB`);
  report.show(`${name}: a new agent and a call meanwhile`, `${inMs.toFixed(0)} ms`);
}

/** An agent that was not there comes up, and a caller makes a connection of its own. */
async function getIn(fleet: EnduranceFleet): Promise<number> {
  const begin = performance.now();
  const edge = 'edge-new';
  await fleet.allow(edge).catch(() => undefined);
  const config = agentConfigSchema.parse({
    gateways: [`127.0.0.1:${fleet.ports.link}`],
    keys: await fleet.certificates.keyStore(join(fleet.folder, 'keys'), `edge/${edge}`),
    drainMs: 0,
  });
  const agent = await startAgent({ config, log: silentLog, version: 'test', env: {} });
  try {
    await waitFor(`${edge} to be linked`, () => agent.uplink.links.some(({ active }) => active), {
      deadlineMs: 60_000,
    });
    const { status } = await fleet.ask('/edges/edge-1/main-web/bytes/10');
    if (status !== 200) throw new Error(`a call was answered ${status}`);
    return performance.now() - begin;
  } finally {
    await agent.close('it was there');
  }
}

/** What the replica holds when all garbage is gone, in bytes. */
async function held({ replica }: EnduranceFleet): Promise<number> {
  await replica.ask('settle');
  const { heapUsed, external } = await replica.ask('heap');
  return (heapUsed + external) * MIB;
}

if (import.meta.main) await runAsProgram(silentPeers);
