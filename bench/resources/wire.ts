import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchCredentials } from '../baseline/credentials.ts';
import { startFedFleet, type FedFleet } from './fed-fleet.ts';
import { changeObjects } from './kube-origin.ts';
import { digits, type Report } from './report.ts';

const PODS = 2_000;
const UPDATES = 500;
const PER_SECOND = 50;
const CHANGED_OF_HUNDRED = 1;
/** A stream is given up this fast here, so that a lost link is a lost stream without a minute's wait. */
const limits = { resumeWithinMs: 1_500, keepDetachedMs: 3_000 };
const DOWN_MS = 4_000;

/** What the feed costs on the wire, with what an agent leaves out by default and without. */
export async function measureWire(credentials: BenchCredentials, report: Report): Promise<void> {
  for (const dropManagedFields of [true, false]) {
    const edges = [{ name: 'wire', pods: PODS }];
    const fleet = await startFedFleet({ credentials, edges, dropManagedFields, limits });
    try {
      await fleet.feed();
      await measureOne(fleet, dropManagedFields ? 'as by default' : 'managedFields kept', report);
    } finally {
      await fleet.stop();
    }
  }
}

async function measureOne(fleet: FedFleet, title: string, report: Report): Promise<void> {
  const { client, originPort, relay } = fleet;
  const whole = await feedBytes(fleet);
  const up = relay.bytesUp;
  const change = { edge: 'wire', resource: 'pods' } as const;
  const deltas = (await client.metric('causeway_feed_deltas')) + UPDATES;
  const { lineBytes } = await changeObjects(originPort, { ...change, count: UPDATES, perSecond: PER_SECOND });
  await client.until('causeway_feed_deltas', deltas, 10_000).catch(() => undefined);
  const steady = (await feedBytes(fleet)) - whole;
  const ratio = steady / lineBytes;
  report.add({
    title: `status updates, ${title}`,
    value: `${digits(steady / UPDATES)} B each`,
    baseline: `${digits(lineBytes / UPDATES)} B`,
    ratio: { median: ratio, min: ratio, max: ratio },
    target: '≤ 0.2',
    isMet: ratio <= 0.2,
    note: `with tunnel, TLS and acknowledgements ${digits((relay.bytesUp - up) / UPDATES)} B each; ${await counts(fleet)}`,
  });

  const before = await client.metrics();
  relay.cut();
  const changed = (PODS * CHANGED_OF_HUNDRED) / 100;
  await changeObjects(originPort, { ...change, count: changed });
  await sleep(DOWN_MS);
  const beforeResume = await feedBytes(fleet);
  const upBefore = relay.bytesUp;
  relay.mend();
  await client.until('causeway_feed_resumed', (before.get('causeway_feed_resumed') ?? 0) + 1, 60_000);
  await untilVersion(fleet, changed);
  const resume = (await feedBytes(fleet)) - beforeResume;
  const resumeRatio = resume / whole;
  report.add({
    title: `resume after a lost link, 1 % changed, ${title}`,
    value: `${digits(resume / 1e3)} kB`,
    baseline: `${digits(whole / 1e3)} kB`,
    ratio: { median: resumeRatio, min: resumeRatio, max: resumeRatio },
    target: '≤ 0.03',
    isMet: resumeRatio <= 0.03,
    note: `with TLS handshakes and all ${digits((relay.bytesUp - upBefore) / 1e3)} kB; ${await counts(fleet)}`,
  });
}

/** Until the replica has what changed while it was cut off. */
async function untilVersion(fleet: FedFleet, changed: number): Promise<void> {
  // Versions of the API count its changes.
  const wanted = 1_000_000 + UPDATES + changed;
  for (let tries = 0; (await fleet.client.version('wire', 'pods')) < wanted; tries++) {
    if (tries > 600) throw new Error('the replica did not catch up');
    await sleep(100);
  }
}

async function feedBytes({ client }: FedFleet): Promise<number> {
  return await client.metric('causeway_feed_wire_bytes');
}

async function counts({ client }: FedFleet): Promise<string> {
  const metrics = await client.metrics();
  const shown = ['puts', 'deltas', 'resumed', 'compared', 'divergences', 'streams'];
  return shown.map((name) => `${name} ${metrics.get(`causeway_feed_${name}`) ?? 0}`).join(', ');
}
