/**
 * Runs every check and the whole suite; with arguments, only those test files. The last line is `N passed, N failed`,
 * where each check and each assertion counts as one; the exit code is 0 when nothing failed.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { TapReport } from './tap-report.ts';

const checks: Readonly<Record<string, readonly string[]>> = {
  format: ['oxfmt', '--check'],
  types: ['tsc', '-p', '.'],
  lint: ['oxlint'],
  unused: ['knip'],
};

const files = process.argv.slice(2);
let passed = 0;
let failed = 0;

if (files.length === 0) {
  for (const [name, [command = '', ...args]] of Object.entries(checks)) {
    const { output, exitCode } = await run(command, args);
    console.log(`${exitCode === 0 ? 'ok' : 'not ok'} ${name}: ${command} ${args.join(' ')}`);
    if (exitCode === 0) {
      passed++;
    } else {
      failed++;
      console.log(output);
    }
  }
}

const report = new TapReport((line) => console.log(line));
const tap = spawn('tap', ['--reporter=tap', '--no-color', ...files], { stdio: ['ignore', 'pipe', 'inherit'] });
createInterface({ input: tap.stdout }).on('line', (line) => report.line(line));
const totals = report.end(await exitOf(tap));
passed += totals.passed;
failed += totals.failed;

if (totals.skipped > 0) console.log(`${totals.skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function run(command: string, args: readonly string[]): Promise<{ output: string; exitCode: number | null }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  // Under CI=true some of them colour their output whatever NO_COLOR says.
  return { exitCode: await exitOf(child), output: stripVTControlCharacters(output) };
}

/** The exit code once the output has been read; null after a signal, or when the command could not be started. */
function exitOf(child: ReturnType<typeof spawn>): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.log(error.message);
      resolve(null);
    });
    child.once('close', resolve);
  });
}
