/**
 * The cache of edges' resources beside what it is measured against, in one run: `npm run bench:resources -- [ROUNDS] [FILTER]
 * [PODS]`. FILTER: one of reads, watches, wire, memory. PODS: for memory. Every part is a process on this machine.
 */
import { makeCredentials } from './baseline/credentials.ts';
import { startFedFleet } from './resources/fed-fleet.ts';
import { measureMemory } from './resources/memory.ts';
import { measureReads, readEdges } from './resources/reads.ts';
import { Report } from './resources/report.ts';
import { measureWatches } from './resources/watches.ts';
import { measureWire } from './resources/wire.ts';

const rounds = Number(process.argv[2] ?? 3);
const filter = process.argv[3] ?? '';
const pods = Number(process.argv[4] ?? 200_000);
const report = new Report();
const credentials = await makeCredentials();
const isWanted = (part: string): boolean => part.includes(filter);

if (isWanted('reads') || isWanted('watches')) {
  const fleet = await startFedFleet({ credentials, edges: readEdges });
  try {
    await fleet.feed();
    if (isWanted('reads')) {
      report.begin('reads from the cache');
      await measureReads(fleet, credentials, rounds, report);
    }
    if (isWanted('watches')) {
      report.begin('watches of the cache');
      await measureWatches(fleet, credentials, report);
    }
  } finally {
    await fleet.stop();
  }
}
if (isWanted('wire')) {
  report.begin('feed on the wire');
  await measureWire(credentials, report);
}
if (isWanted('memory')) {
  report.begin('memory');
  await measureMemory(credentials, pods, report);
}
report.finish();
