import { test, type Test } from 'tap';
import { cuts } from './cuts.ts';
import type { Report } from './report.ts';
import { stalledReaders } from './stalled-readers.ts';
import { thinLink } from './thin-link.ts';

/** What depends on how busy the machine is, is judged by the scenario's own run only. */
async function holds(t: Test, run: Promise<Report>): Promise<void> {
  const report = await run;
  for (const { name, value, bound, isMet, isTiming } of report.figures) {
    if (bound !== '' && !isTiming) t.ok(isMet, `${name}: ${value}, ${bound}`);
  }
  t.comment(report.toString());
}

test('streams go on, byte for byte, while links are cut, black-holed and half-open', { timeout: 120_000 }, (t) =>
  holds(t, cuts(false)),
);

test('readers that stopped cost no more than their windows', { timeout: 120_000 }, (t) =>
  holds(t, stalledReaders(false, [0, 3])),
);

test('small calls go on beside a bulk transfer that fills a thin link', { timeout: 120_000 }, (t) =>
  holds(t, thinLink(false)),
);
