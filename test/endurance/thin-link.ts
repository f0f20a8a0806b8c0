/**
 * A thin and long link that a bulk transfer fills: what a small call waits, and what the transfer gets of it.
 *
 *     node test/endurance/thin-link.ts [--long]
 */
import { EnduranceFleet } from './endurance-fleet.ts';
import { percentile, Report, runAsProgram } from './report.ts';

const BITS_PER_SECOND = 10e6;
const ONE_WAY_MS = 25;
/** Three round trips and something for the processes. */
const CALL_MS = 3 * 2 * ONE_WAY_MS + 50;
const GOODPUT_SHARE = 0.85;
const SETTLE_MS = 4000;

export async function thinLink(isLong: boolean): Promise<Report> {
  const calls = isLong ? 300 : 100;
  const report = new Report(`thin link: ${BITS_PER_SECOND / 1e6} Mbit/s each way, ${2 * ONE_WAY_MS} ms round trip`);
  for (const direction of ['down', 'up'] as const) {
    const fleet = await EnduranceFleet.start({ weak: { delayMs: ONE_WAY_MS, bitsPerSecond: BITS_PER_SECOND } });
    try {
      await run(fleet, direction, calls, report);
    } finally {
      await fleet.stop();
    }
  }
  return report;
}

async function run(fleet: EnduranceFleet, direction: 'down' | 'up', calls: number, report: Report): Promise<void> {
  const bulk = await fleet.startClient('bulk');
  const caller = await fleet.startClient('caller');
  const call = (count: number) => caller.ask('calls', { path: '/edges/edge-1/main-web/bytes/100', count });
  const idle = await call(20);
  const moved = () => (direction === 'down' ? bulk.ask('pumped') : fleet.origin().ask('drained'));
  await bulk.ask('pump', { direction });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const begin = await moved();
  const during = await call(calls);
  const end = await moved();
  const goodput = ((end.bytes - begin.bytes) * 8000) / (end.at - begin.at) / BITS_PER_SECOND;
  const name = direction === 'down' ? 'download' : 'upload';
  report.show(`${name}: GET on the idle link, p50`, `${percentile(idle.latenciesMs, 0.5).toFixed(0)} ms`);
  report.show(`${name}: GET beside it, p50`, `${percentile(during.latenciesMs, 0.5).toFixed(0)} ms`);
  report.atMost(`${name}: GET beside it, p99`, percentile(during.latenciesMs, 0.99), CALL_MS, 'ms', 'timing');
  report.atLeast(`${name}: its share of the link`, goodput, GOODPUT_SHARE, '', 'timing');
  report.equal(`${name}: GETs that failed`, during.failures.length + idle.failures.length, 0);
  for (const crash of fleet.crashes) report.equal('crash', crash, '');
}

if (import.meta.main) await runAsProgram(thinLink);
