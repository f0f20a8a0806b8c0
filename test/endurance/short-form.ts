import { test } from 'tap';
import type { Report } from './report.ts';

/** Makes the short form of a scenario a test. What depends on how busy the machine is, is judged by the scenario's own run only. */
export function testShortForm(behaviour: string, scenario: () => Promise<Report>): void {
  test(behaviour, { timeout: 280_000 }, async (t) => {
    const report = await scenario();
    for (const { name, value, bound, isMet, isTiming } of report.figures) {
      if (bound !== '' && !isTiming) t.ok(isMet, `${name}: ${value}, ${bound}`);
    }
    t.comment(report.toString());
  });
}
