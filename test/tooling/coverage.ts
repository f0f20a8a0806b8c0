/**
 * Measures which lines of the folders below their own tests run, prints what is not run, and fails under the floor.
 * A file that no test loads counts with all its lines: tap's own report leaves it out.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { root, sourcesIn } from './imports.ts';

const folders = ['tunnel', 'base'];
const leastPercent = 95;

interface Lines {
  readonly total: number;
  readonly covered: number;
}

const tests = folders.flatMap((folder) => sourcesIn(`test/${folder}`)).filter((path) => path.endsWith('.test.ts'));
const reports = ['--coverage-report=text', '--coverage-report=json-summary'];
const { status } = spawnSync('tap', ['--no-disable-coverage', '--reporter=silent', ...reports, ...tests], {
  cwd: root,
  stdio: 'inherit',
});
const summary = JSON.parse(readFileSync(join(root, '.tap/report/coverage-summary.json'), 'utf8')) as Readonly<
  Record<string, { lines: Lines }>
>;

let short = status !== 0;
if (short) console.log('the tests themselves failed');
for (const folder of folders) {
  let total = 0;
  let covered = 0;
  for (const path of sourcesIn(folder)) {
    const lines = summary[join(root, path)]?.lines ?? unloaded(path);
    total += lines.total;
    covered += lines.covered;
    if (lines.covered === 0 && lines.total > 0) console.log(`${path}: no test loads it`);
  }
  const percent = total === 0 ? 100 : (covered / total) * 100;
  console.log(`${folder}: ${percent.toFixed(1)} % of ${total} lines`);
  if (percent < leastPercent) short = true;
}
if (short) console.log(`below ${leastPercent} % of the lines of ${folders.join(' or ')}, or tests failed`);
process.exitCode = short ? 1 : 0;

/** A file that holds only types or passes names on has no lines to run. */
function unloaded(path: string): Lines {
  const text = readFileSync(join(root, path), 'utf8');
  const code = stripTypeScriptTypes(text).replaceAll(
    /\/\*[\s\S]*?\*\/|\/\/.*$|^(?:import|export)\s[^;]*?\sfrom\s.*$/gm,
    '',
  );
  const total = code.trim() === '' ? 0 : text.split('\n').length;
  return { total, covered: 0 };
}
