/**
 * What bad links may not do to streams: 32 streams each way while the agent's links are cut, black-holed and left half-open.
 *
 *     node test/endurance/cuts.ts [--long]
 */
import { waitFor } from '../support/wait-for.ts';
import { EnduranceFleet } from './endurance-fleet.ts';
import { Report, runAsProgram } from './report.ts';
import type { Gap } from './transfer.ts';
import type { WeakLinkChild } from './weak-link-child.ts';

const MIB = 1024 * 1024;

interface Size {
  readonly streams: number;
  readonly bytes: number;
  readonly posts: number;
  readonly postEveryMs: number;
  readonly cuts: number;
  /** So thin that the transfers outlast the faults. */
  readonly bitsPerSecond: number;
}

const LONG: Size = { streams: 32, bytes: 64 * MIB, posts: 1000, postEveryMs: 60, cuts: 20, bitsPerSecond: 400e6 };
const SHORT: Size = { streams: 8, bytes: 8 * MIB, posts: 200, postEveryMs: 100, cuts: 6, bitsPerSecond: 30e6 };

/** A black hole is to be noticed, and left, within this while anyone waits. */
const NOTICE_MS = 5000;

interface Fault {
  readonly kind: string;
  readonly at: number;
}

export async function cuts(isLong: boolean): Promise<Report> {
  const size = isLong ? LONG : SHORT;
  const report = new Report(`cuts: ${size.streams} streams of ${size.bytes / MIB} MiB each way, ${size.posts} POSTs`);
  const fleet = await EnduranceFleet.start({
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
  const client = await fleet.startClient('client');
  const poster = await fleet.startClient('poster');
  const begin = Date.now();
  const transfers = client.ask('transfers', { count: size.streams, bytes: size.bytes });
  const posts = poster.ask('calls', {
    path: '/edges/edge-1/main-web/count/#',
    method: 'POST',
    count: size.posts,
    everyMs: size.postEveryMs,
  });
  let isOver = false;
  void transfers.then(() => {
    isOver = true;
  });
  const faults: Fault[] = [];
  const moving = async (): Promise<void> => {
    const { bytes } = await client.ask('progress');
    await waitFor(
      'the transfers to move',
      async () => isOver || (await client.ask('progress')).bytes > bytes + 64 * 1024,
      { deadlineMs: 30_000 },
    );
  };
  await moving();
  for (const { kind, strike } of plan(size.cuts)) {
    const links = await fleet.weakLinks();
    await moving();
    if (isOver) break;
    faults.push({ kind, at: Date.now() });
    const restore = await strike(links);
    await moving();
    await pause(kind.startsWith('cut') ? 500 : 1500);
    await restore?.();
  }
  const here = await transfers;
  const seconds = (Date.now() - begin) / 1000;
  const called = await posts;
  const there = await waitFor('the other ends', async () => {
    const results = await fleet.origin().ask('results');
    return results.length >= size.streams ? results : undefined;
  });
  const counted = new Map(await fleet.origin().ask('counts'));

  report.show(
    'time',
    `${seconds.toFixed(1)} s, ${((2 * size.streams * size.bytes) / MIB / seconds).toFixed(0)} MiB/s both ways`,
  );
  report.equal('faults done', faults.length, size.cuts + 3);
  const errors = [...here, ...there].flatMap(({ error }) => error ?? []);
  report.equal('errors at the applications', errors.length, 0);
  for (const error of new Set(errors)) report.show('  error', error);
  const whole = here.filter((mine) => {
    const other = there.find(({ id }) => id === mine.id);
    return other !== undefined && mine.sentSha === other.receivedSha && mine.receivedSha === other.sentSha;
  });
  report.equal('streams whose sums agree both ways', whole.length, size.streams);
  report.equal('POSTs answered 2xx', called.latenciesMs.length, size.posts);
  for (const failure of called.failures.slice(0, 5)) report.show('  failure', failure);
  report.equal('POSTs counted', counted.size, size.posts);
  report.equal('POSTs counted twice', [...counted.values()].filter((times) => times !== 1).length, 0);
  report.show('slowest POST', `${Math.max(...called.latenciesMs).toFixed(0)} ms`);
  const gaps = [...here, ...there].flatMap((result) => result.gaps);
  for (const kind of new Set(faults.map((fault) => fault.kind))) {
    const longest = Math.max(0, ...gapsOf(faults, kind, gaps).map(({ from, to }) => to - from));
    if (kind.startsWith('cut')) report.show(`longest pause, ${kind}`, `${longest} ms`);
    else report.atMost(`longest pause, ${kind}`, longest, NOTICE_MS, 'ms', 'timing');
  }
  report.equal('processes that died', fleet.crashes.length, 0);
  for (const crash of fleet.crashes) report.show('  crash', crash);
}

type Links = Awaited<ReturnType<EnduranceFleet['weakLinks']>>;
type Strike = (links: Links) => Promise<(() => Promise<void>) | undefined>;

/** Cuts of all kinds in turn, and among them the faults that nobody is told of. */
function plan(cutCount: number): readonly { readonly kind: string; readonly strike: Strike }[] {
  const silent = (kind: string, hide: (link: WeakLinkChild) => Promise<void>): { kind: string; strike: Strike } => ({
    kind,
    strike: async ({ active }) => {
      await hide(active);
      return () => active.tell({ command: 'restore' });
    },
  });
  const steps: { readonly kind: string; readonly strike: Strike }[] = Array.from({ length: cutCount }, (_, index) => ({
    kind: ['cut both', 'cut the active one', 'cut the other one'][index % 3] ?? '',
    strike: async ({ active, standby }: Links) => {
      const cut = index % 3 === 0 ? [active, ...standby] : index % 3 === 1 ? [active] : standby;
      await Promise.all(cut.map((link) => link.tell({ command: 'cutAll' })));
      return undefined;
    },
  }));
  steps.splice(
    Math.floor(cutCount / 4),
    0,
    silent('black hole', (link) => link.tell({ command: 'blackHole' })),
  );
  steps.splice(
    Math.floor(cutCount / 2),
    0,
    silent('half-open from the agent', (link) => link.tell({ command: 'halfOpen', direction: 'toTarget' })),
  );
  steps.splice(
    Math.floor((cutCount * 3) / 4),
    0,
    silent('half-open to the agent', (link) => link.tell({ command: 'halfOpen', direction: 'toClient' })),
  );
  return steps;
}

/** A pause belongs to the last fault before its end. */
function gapsOf(faults: readonly Fault[], kind: string, gaps: readonly Gap[]): readonly Gap[] {
  return gaps.filter(({ to }) => faults.findLast(({ at }) => at <= to)?.kind === kind);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

if (import.meta.main) await runAsProgram(cuts);
