import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { build } from 'esbuild';
import { pinnedRuntime, runtimeFlags } from '../../base/index.ts';
import { runtimeFor, type Arch } from './runtime-package.ts';

/** The checkout. */
export const checkout = fileURLToPath(new URL('../../', import.meta.url));

export interface AgentFile {
  readonly file: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** Where Node looks for a program inside of itself: https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const RESOURCE = 'NODE_SEA_BLOB';

const run = promisify(execFile);

/**
 * Builds the agent as one executable file: the pinned Node with the program inside. Writes `linux-ARCH`, the same as `.gz`, and
 * its checksum `.sha256` as `sha256sum` does; the checksum last, so that where it stands the others are whole. What the same
 * sources gave before is kept. Throws when the runtime of the other architecture cannot be had.
 */
export async function buildAgent(arch: Arch, folder: string): Promise<AgentFile> {
  const program = await bundle();
  const file = join(folder, `linux-${arch}`);
  const made = createHash('sha256')
    .update(program)
    .update(`${pinnedRuntime} ${runtimeFlags.join(' ')}`)
    .digest('hex');
  const before = await described(file, made);
  if (before !== undefined) return before;

  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), 'causeway-agent-'));
  try {
    const executable = join(work, basename(file));
    await copyFile(await runtimeFor(arch, work, checkout), executable);
    const blob = await blobOf(program, work);
    const postject = join(checkout, 'node_modules', 'postject', 'dist', 'cli.js');
    // It warns of notes in Node's own file that it leaves as they are.
    await run(process.execPath, [postject, executable, RESOURCE, blob, '--sentinel-fuse', FUSE]);
    await chmod(executable, 0o755);
    const sha256 = await sha256Of(executable);
    await pipeline(createReadStream(executable), createGzip(), createWriteStream(join(work, 'gz')));
    await rm(`${file}.sha256`, { force: true });
    await moveTo(executable, file);
    await moveTo(join(work, 'gz'), `${file}.gz`);
    await writeFile(`${file}.made-of`, `${made}\n`);
    await writeFile(`${file}.sha256`, `${sha256}  ${basename(file)}\n`);
    return { file, sha256, bytes: (await stat(file)).size };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What is there already, if it was made of the same. */
async function described(file: string, made: string): Promise<AgentFile | undefined> {
  try {
    const [sum, madeOf] = await Promise.all([readFile(`${file}.sha256`, 'utf8'), readFile(`${file}.made-of`, 'utf8')]);
    const sha256 = sum.slice(0, 64);
    if (madeOf.trim() !== made || sha256 !== (await sha256Of(file))) return undefined;
    return { file, sha256, bytes: (await stat(file)).size };
  } catch {
    return undefined;
  }
}

/** The program and all that it imports, as one script. CommonJS: this Node takes no other main program. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: checkout,
    entryPoints: ['cli/causeway-agent.ts'],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    // Names of errors and classes stand in logs.
    keepNames: true,
    legalComments: 'none',
    // Paths beside the program are asked for in a checkout only.
    logOverride: { 'empty-import-meta': 'silent' },
    logLevel: 'warning',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

/** What Node finds in its own file at the start. Without a code cache, which would bind it to the processor of this machine. */
async function blobOf(program: string, work: string): Promise<string> {
  const main = join(work, 'agent.cjs');
  const output = join(work, 'agent.blob');
  const config = join(work, 'sea.json');
  await writeFile(main, program);
  await writeFile(
    config,
    JSON.stringify({
      main,
      output,
      disableExperimentalSEAWarning: true,
      useCodeCache: false,
      execArgv: [...runtimeFlags, '--disable-warning=ExperimentalWarning'],
      assets: { 'package.json': join(checkout, 'package.json') },
    }),
  );
  await run(process.execPath, ['--experimental-sea-config', config]);
  return output;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Into another file system too, and there in one step: a replica may be handing out the old file. */
async function moveTo(from: string, to: string): Promise<void> {
  const beside = `${to}.${process.pid}.new`;
  await copyFile(from, beside);
  await rename(beside, to);
}
