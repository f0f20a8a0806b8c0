/**
 * What certificates may not do to streams: they transfer both ways, and requests run, while the edge renews its certificate again and
 * again, and the root is rolled under all of it by `causeway ca rotate`.
 *
 *     node test/endurance/renewals.ts [--long]
 */
import { join } from 'node:path';
import { identityKinds } from '../../certs/index.ts';
import { writeAuthority } from '../../cli/fleet-files.ts';
import { causeway } from '../cli/causeway.ts';
import { waitFor } from '../support/wait-for.ts';
import { EnduranceFleet } from './endurance-fleet.ts';
import { percentile, Report, runAsProgram } from './report.ts';

const MIB = 1024 * 1024;

interface Size {
  readonly streams: number;
  readonly bytes: number;
  readonly renewals: number;
  /** Of the edge's certificates; a renewal comes at two thirds of it. */
  readonly certificateMs: number;
  readonly callEveryMs: number;
  /** So thin that the transfers outlast the renewals. */
  readonly bitsPerSecond: number;
}

const LONG: Size = {
  streams: 16,
  bytes: 40 * MIB,
  renewals: 20,
  certificateMs: 4000,
  callEveryMs: 20,
  bitsPerSecond: 80e6,
};
const SHORT: Size = {
  streams: 16,
  bytes: 2 * MIB,
  renewals: 5,
  certificateMs: 3000,
  callEveryMs: 20,
  bitsPerSecond: 20e6,
};

export async function renewals(isLong: boolean): Promise<Report> {
  const size = isLong ? LONG : SHORT;
  const report = new Report(
    `renewals: ${size.renewals} and a new root, ${size.streams} streams of ${size.bytes / MIB} MiB each way, ${1000 / size.callEveryMs} requests/s`,
  );
  const fleet = await EnduranceFleet.start({
    certificateMs: size.certificateMs,
    weak: { delayMs: 5, bitsPerSecond: size.bitsPerSecond, queueBytes: 256 * 1024 },
  });
  try {
    await run(fleet, size, report);
  } finally {
    await fleet.stop();
  }
  return report;
}

async function run(fleet: EnduranceFleet, size: Size, report: Report): Promise<void> {
  const { agent } = fleet.edge();
  const [client, poster] = [await fleet.startClient('client'), await fleet.startClient('poster')];
  await fleet.giveKeys('edge/edge-1', size.certificateMs);
  await waitFor('the edge to take its keys', async () => (await agent.ask('renewals')) > 0);
  const first = await agent.ask('renewals');

  const begin = Date.now();
  const transfers = client.ask('transfers', { count: size.streams, bytes: size.bytes });
  let areTransferred = false;
  transfers.then(
    () => {
      areTransferred = true;
    },
    () => undefined,
  );
  const outlastMs = size.renewals * size.certificateMs;
  const count = Math.ceil(outlastMs / size.callEveryMs);
  const calls = poster.ask('calls', {
    path: '/edges/edge-1/main-web/count/#',
    method: 'POST',
    count,
    everyMs: size.callEveryMs,
  });
  calls.catch(() => undefined);
  const renewed = async (wanted: number): Promise<void> => {
    await waitFor(`${wanted} renewals`, async () => (await agent.ask('renewals')) - first >= wanted, {
      deadlineMs: wanted * size.certificateMs * 3 + 30_000,
      everyMs: 50,
    });
  };

  await renewed(Math.floor(size.renewals / 3));
  await rollRoot(fleet);
  await renewed(size.renewals);
  report.atLeast('renewals', (await agent.ask('renewals')) - first, size.renewals, '');
  report.equal('transfers were still running', String(!areTransferred), 'true');
  const roots = await waitFor('the old root to leave', async () => ((await agent.ask('roots')) === 1 ? 1 : undefined), {
    deadlineMs: 30_000,
    everyMs: 50,
  });
  report.equal('roots that the edge trusts', roots, 1);

  const here = await transfers;
  const seconds = (Date.now() - begin) / 1000;
  const called = await calls;
  const there = await waitFor('the other ends', async () => {
    const results = await fleet.origin().ask('results');
    return results.length >= size.streams ? results : undefined;
  });
  const counted = new Map(await fleet.origin().ask('counts'));
  report.show('time', `${seconds.toFixed(1)} s`);
  const errors = [...here, ...there].flatMap(({ error }) => error ?? []);
  report.equal('errors at the applications', errors.length, 0);
  for (const error of new Set(errors)) report.show('  error', error);
  const whole = here.filter((mine) => {
    const other = there.find(({ id }) => id === mine.id);
    return other !== undefined && mine.sentSha === other.receivedSha && mine.receivedSha === other.sentSha;
  });
  report.equal('streams whose sums agree both ways', whole.length, size.streams);
  report.equal('requests answered 2xx', called.latenciesMs.length, count);
  for (const failure of called.failures.slice(0, 5)) report.show('  failure', failure);
  report.equal('requests counted', counted.size, count);
  report.equal('requests counted twice', [...counted.values()].filter((times) => times !== 1).length, 0);
  report.show(
    'requests, p50 and p99',
    `${percentile(called.latenciesMs, 0.5).toFixed(0)}, ${percentile(called.latenciesMs, 0.99).toFixed(0)} ms`,
  );
  const gaps = [...here, ...there].flatMap((result) => result.gaps).map(({ from, to }) => to - from);
  report.show('longest pause of a stream', `${Math.max(0, ...gaps)} ms`);
  report.equal('processes that died', fleet.crashes.length, 0);
  for (const crash of fleet.crashes) report.show('  crash', crash);
}

/** As an operator does it, with the command. */
async function rollRoot(fleet: EnduranceFleet): Promise<void> {
  const { root, issuers } = fleet.certificates.authority;
  const folder = join(fleet.folder, 'ca');
  await writeAuthority(folder, 'root', root);
  for (const kind of identityKinds) await writeAuthority(folder, kind, issuers[kind]);
  const env = { CAUSEWAY_CONFIG: fleet.writeClientFile() };
  const rotate = async (...args: string[]): Promise<void> => {
    const { exitCode, stdout, stderr } = await causeway(['ca', 'rotate', '--dir', folder, ...args], { env });
    if (exitCode !== 0) throw new Error(`ca rotate ${args.join(' ')}: ${String(stdout)}${stderr}`);
  };
  const [replica, operator] = [fleet.keysOf('replica/site-a/r0'), fleet.keysOf('operator/tester')];
  await rotate();
  await rotate('--wait', '30', '--issuer', fleet.issuerFolder, '--keys', replica, '--keys', operator);
  await rotate('--wait', '60');
}

if (import.meta.main) await runAsProgram(renewals);
