import { test } from 'tap';
import { TapReport } from './tap-report.ts';

function retell(lines: readonly string[], exitCode: number | null): { said: string[]; totals: object } {
  const said: string[] = [];
  const report = new TapReport((line) => said.push(line));
  for (const line of lines) report.line(line);
  return { totals: report.end(exitCode), said };
}

const passing = [
  'TAP version 14',
  '# Subtest: a.test.ts',
  '    ok 1 - works',
  '    1..1',
  'ok 1 - a.test.ts # time=2ms',
];
const failing = ['# Subtest: b.test.ts', '    not ok 1 - breaks', '    1..1', 'not ok 2 - b.test.ts # time=2ms'];

test('a file that passed is one line, and a file that failed is told in full', (t) => {
  const { said, totals } = retell([...passing, ...failing, '# { total: 2, pass: 1, fail: 1 }'], 1);
  t.strictSame(said, ['ok a.test.ts # time=2ms', ...failing]);
  t.strictSame(totals, { passed: 1, failed: 1, skipped: 0 });
  t.end();
});

test('what was skipped is said and counted', (t) => {
  const lines = ['    ok 1 - needs nginx # SKIP not installed', 'ok 1 - c.test.ts', '# { total: 1, pass: 0, skip: 1 }'];
  const { said, totals } = retell(lines, 0);
  t.strictSame(said, ['skipped: needs nginx # SKIP not installed', 'ok c.test.ts']);
  t.strictSame(totals, { passed: 0, failed: 0, skipped: 1 });
  t.end();
});

test('a run that crashed has failed, whatever it counted', (t) => {
  t.strictSame(retell([...passing, '# { total: 1, pass: 1 }'], 1).totals, { passed: 1, failed: 1, skipped: 0 });
  t.strictSame(retell(passing, null).totals, { passed: 0, failed: 1, skipped: 0 });
  t.end();
});

test('a file that failed without a failed assertion counts as a failure', (t) => {
  const { totals } = retell([...failing, '# { total: 1, pass: 1 }'], 1);
  t.strictSame(totals, { passed: 1, failed: 1, skipped: 0 });
  t.end();
});
