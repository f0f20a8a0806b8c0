/**
 * What the loss of a replica, a site or etcd may not do to those who use the others: 2 sites with 2 replicas each, 3 members of
 * etcd, requests over the SDK and at the replicas, and streams, all the time.
 *
 *     node test/endurance/replicas.ts [--long] [PHASE[:TRIES] ...]
 *
 * PHASE: kill, stop, member, quorum, site, twins.
 */
import process from 'node:process';
import { DevProcesses } from './dev-processes.ts';
import { kill, member, quorum, site, stop, type Phase } from './replica-faults.ts';
import { ReplicaTraffic, type TrafficSize } from './replica-traffic.ts';
import { twins } from './replica-twins.ts';
import { Report, runAsProgram } from './report.ts';

/** In the order in which they run; with how often in the long form, and in the short one. */
const PHASES: Readonly<Record<string, { readonly run: Phase; readonly long: number; readonly short: number }>> = {
  kill: { run: kill, long: 100, short: 2 },
  stop: { run: stop, long: 20, short: 1 },
  member: { run: member, long: 21, short: 0 },
  quorum: { run: quorum, long: 1, short: 0 },
  site: { run: site, long: 20, short: 0 },
  twins: { run: twins, long: 20, short: 0 },
};

interface Size extends TrafficSize {
  readonly edges: number;
}

const LONG: Size = { edges: 20, streams: 16, rate: 75, clients: 4 };
const SHORT: Size = { edges: 4, streams: 16, rate: 60, clients: 2 };

/** `only`: the phases to run, as `kill` or `kill:5`; none: all of the form. */
export async function replicas(isLong: boolean, only: readonly string[] = []): Promise<Report> {
  const size = isLong ? LONG : SHORT;
  const report = new Report(
    `replicas: 2 × 2, ${size.edges} edges, ${size.streams} streams, ${2 * size.rate} requests/s`,
  );
  const fleet = await DevProcesses.start(size.edges);
  try {
    await fleet.whole();
    // The last edge is for twins.
    const edges = fleet.edges.slice(0, -1);
    const traffic = await ReplicaTraffic.start(fleet, edges, size);
    for (const [name, { run, long, short }] of Object.entries(PHASES)) {
      const asked = only.map((word) => word.split(':')).find(([phase]) => phase === name);
      if (only.length > 0 && asked === undefined) continue;
      const tries = Number(asked?.[1] ?? (isLong ? long : asked === undefined ? short : Math.max(1, short)));
      if (tries > 0) await run({ fleet, traffic, edges, report, isLong }, tries);
    }
    const { whole, wrong } = await traffic.stop();
    report.equal('streams that came back as they were sent', whole, size.streams);
    for (const stream of wrong) report.show('  stream', stream);
  } finally {
    await fleet.stop();
  }
  return report;
}

if (import.meta.main)
  await runAsProgram((isLong) =>
    replicas(
      isLong,
      process.argv.slice(2).filter((word) => !word.startsWith('--')),
    ),
  );
