import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { test, type Test } from 'tap';
import { startCauseway } from '../cli/causeway.ts';
import { missing } from '../support/program.ts';
import { waitFor, within } from '../support/wait-for.ts';
import { root } from '../tooling/imports.ts';
import { codeBlocks, readPage } from './pages.ts';

const run = promisify(execFile);

/** What `npm start` says in the README, and what it is in the test's fleet. */
interface Fleet {
  readonly folder: string;
  readonly api: string;
}

const blocks = codeBlocks(readPage('README.md'));

test('every snippet of the README does what it says, in a fresh fleet', async (t) => {
  const fleet = await startFleet(t);
  const lines = blocks
    .filter(({ language, traits }) => language === 'sh' && !traits.includes('setup'))
    .flatMap((block) => block.text.trimEnd().split('\n'));
  t.ok(lines.length > 5, 'there are commands to try');
  for (const line of lines) {
    const [command = '', expected] = line.split(/ {2,}# /u);
    const skip = command.startsWith('kubectl') && missing('kubectl', 'kubernetes-client');
    if (skip !== false) {
      t.pass(command, { skip });
      continue;
    }
    if (command.includes('port-forward')) {
      await t.test(command, (t) => forward(t, fleet, command));
      continue;
    }
    const { stdout } = await run('sh', ['-ec', inFleet(fleet, command)], { cwd: root, env: environment(fleet) });
    t.not(stdout, '', command);
    if (expected !== undefined) t.equal(stdout.trimEnd(), expected, command);
  }

  const programs = blocks.filter(({ language }) => language === 'ts');
  t.equal(programs.length, 1, 'there is a program');
  for (const program of programs) {
    // In the checkout, so that the package finds itself by its name.
    const file = join(t.testdir(), 'program.ts');
    writeFileSync(file, inFleet(fleet, program.text));
    t.equal((await run(process.execPath, [file])).stdout, 'Hello from edge-1\nthere and back\n2 false\n');
  }
});

test('`causeway dev` prints the commands that the README shows', async (t) => {
  const shown = codeBlocks(readPage('README.md')).flatMap((block) => block.text.split('\n'));
  const printed = readFileSync(join(root, 'cli/dev/next-steps.ts'), 'utf8');
  for (const [, command = ''] of printed.matchAll(/\$\{causeway\} (node ls|status|[\w-]+ \$\{edge\})/gu)) {
    const words = `bin/causeway ${command.replace('$' + '{edge}', 'edge-1')}`;
    t.ok(
      shown.some((line) => line.includes(words)),
      words,
    );
  }
});

test('the example of the tunnel runs', async (t) => {
  const [example] = codeBlocks(readPage('tunnel/README.md')).filter(({ language }) => language === 'ts');
  const file = join(t.testdir(), 'example.ts');
  writeFileSync(file, (example?.text ?? '').replaceAll("from './", `from '${root}`));
  t.equal((await run(process.execPath, [file])).stdout, 'there and back\n');
});

/** Runs `causeway dev` until the test ends. */
async function startFleet(t: Test): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-readme-'));
  const dev = startCauseway(['dev', '--api-port', '0', '--dir', folder], {}, ['ignore', 'pipe', 'inherit']);
  t.teardown(async () => {
    await end(dev, 'SIGTERM');
    rmSync(folder, { recursive: true });
  });
  const output = outputOf(dev);
  await waitFor('the line `ready`', () => output().split('\n').includes('ready'), { deadlineMs: 60_000, everyMs: 20 });
  const state = JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')) as { readonly api: readonly string[] };
  return { folder, api: state.api[0] ?? '' };
}

/** Starts a forward on a free port, and calls the service through it. */
async function forward(t: Test, fleet: Fleet, command: string): Promise<void> {
  const args = command.replace('bin/causeway ', '').replace(/ \d+:/u, ' 0:').split(' ');
  const child = startCauseway(args, { env: environment(fleet) }, ['ignore', 'pipe', 'ignore']);
  t.teardown(() => end(child, 'SIGINT'));
  const output = outputOf(child);
  const port = await waitFor('the local port', () => /:(\d+) -> /u.exec(output())?.[1]);
  const [answer] = await once(get({ host: '127.0.0.1', port, agent: false }), 'response');
  t.equal(await text(answer), 'Hello from edge-1\n');
}

/** The README speaks of the default folder and port. */
function inFleet({ folder, api }: Fleet, snippet: string): string {
  return snippet.replaceAll('.causeway-dev', folder).replaceAll('https://127.0.0.1:8440', api);
}

function environment({ folder }: Fleet): Record<string, string> {
  // kubectl keeps what it has discovered below its home.
  return { PATH: process.env['PATH'] ?? '', HOME: folder, CAUSEWAY_CONFIG: join(folder, 'client.yaml') };
}

function outputOf(child: ChildProcess): () => string {
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  return () => output;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await within('the process to end', exited, 20_000);
}
