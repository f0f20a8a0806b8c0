import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from '../../base/index.ts';

export type Arch = 'x64' | 'arm64';

export function isArch(text: string): text is Arch {
  return text === 'x64' || text === 'arm64';
}

const lockFile = z.object({
  packages: z.record(z.string(), z.object({ version: z.string(), integrity: z.string() }).partial()),
});
const packed = z.array(z.object({ filename: z.string(), integrity: z.string() })).length(1);

const run = promisify(execFile);

/**
 * The Node of an architecture, as the lock file pins it: the installed one, else it is fetched from the registry into `work` and held
 * against the lock file's hash. Throws when it cannot be had.
 */
export async function runtimeFor(arch: Arch, work: string, checkout: string): Promise<string> {
  const name = `node-linux-${arch}`;
  if (arch === process.arch) return join(checkout, 'node_modules', name, 'bin', 'node');
  const lock = lockFile.parse(JSON.parse(await readFile(join(checkout, 'package-lock.json'), 'utf8')));
  const { version, integrity } = lock.packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined) throw new Error(`package-lock.json does not name ${name}`);
  try {
    const packing = ['pack', `${name}@${version}`, '--json', '--silent', '--pack-destination', work];
    const { stdout } = await run('npm', packing, { cwd: work, maxBuffer: 64 * 1024 * 1024 });
    const [tarball] = packed.parse(JSON.parse(stdout));
    if (tarball?.integrity !== integrity)
      throw new Error(`the registry's ${name}@${version} is not what the lock file names`);
    await run('tar', ['-xzf', join(work, tarball.filename), '-C', work, 'package/bin/node']);
  } catch (error) {
    throw new Error(`${name}@${version} could not be had from the registry`, { cause: error });
  }
  return join(work, 'package', 'bin', 'node');
}
