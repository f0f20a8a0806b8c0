/**
 * A long link without a limit: what one stream makes of it, beside the same without the delay.
 *
 *     node test/endurance/fat-link.ts [--long]
 */
import { EnduranceFleet } from './endurance-fleet.ts';
import { median, Report, runAsProgram } from './report.ts';

const ONE_WAY_MS = 25;
const SHARE = 0.6;
const MB = 1e6;

interface Size {
  readonly bytes: number;
  readonly rounds: number;
}

const LONG: Size = { bytes: 500 * MB, rounds: 3 };
const SHORT: Size = { bytes: 150 * MB, rounds: 1 };

export async function fatLink(isLong: boolean): Promise<Report> {
  const size = isLong ? LONG : SHORT;
  const report = new Report(`fat link: ${2 * ONE_WAY_MS} ms round trip, one stream of ${size.bytes / MB} MB`);
  for (const direction of ['down', 'up'] as const) {
    const rates: Record<'near' | 'far', number[]> = { near: [], far: [] };
    const steady: Record<'near' | 'far', number[]> = { near: [], far: [] };
    // In turn: the machine may be slower in one minute than in the next.
    for (let round = 0; round < size.rounds; round++) {
      for (const [place, delayMs] of [
        ['near', 0],
        ['far', ONE_WAY_MS],
      ] as const) {
        const rate = await measure(delayMs, direction, size.bytes);
        rates[place].push(rate.whole);
        steady[place].push(rate.secondHalf);
      }
    }
    const name = direction === 'down' ? 'download' : 'upload';
    for (const place of ['near', 'far'] as const) {
      report.show(`${name}: ${place}, MB/s`, rates[place].map((rate) => rate.toFixed(0)).join(' '));
      report.show(`${name}: ${place}, second half, MB/s`, steady[place].map((rate) => rate.toFixed(0)).join(' '));
    }
    report.show(`${name}: far to near`, (median(rates.far) / median(rates.near)).toFixed(2));
    const share = median(steady.far) / median(steady.near);
    report.atLeast(`${name}: far to near, second half`, share, SHARE, '', 'timing');
  }
  return report;
}

interface Rate {
  readonly whole: number;
  readonly secondHalf: number;
}

async function measure(delayMs: number, direction: 'down' | 'up', bytes: number): Promise<Rate> {
  const fleet = await EnduranceFleet.start({ weak: { delayMs } });
  try {
    const client = await fleet.startClient('client');
    const moved = () => (direction === 'down' ? client.ask('pumped') : fleet.origin().ask('drained'));
    await client.ask('pump', { direction });
    const begin = await moved();
    let half: typeof begin | undefined;
    for (;;) {
      const now = await moved();
      const done = now.bytes - begin.bytes;
      if (half === undefined && done >= bytes / 2) half = now;
      if (half !== undefined && done >= bytes) {
        const rate = (from: typeof begin): number => (now.bytes - from.bytes) / (now.at - from.at) / 1000;
        return { whole: rate(begin), secondHalf: rate(half) };
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    await fleet.stop();
  }
}

if (import.meta.main) await runAsProgram(fatLink);
