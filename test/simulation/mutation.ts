import { spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutant } from './mutants.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Copies the tunnel and the simulation into `folder`, below the checkout so that its packages are found. */
export function copyInto(folder: string): void {
  for (const part of ['base', 'tunnel', join('test', 'simulation')])
    cpSync(join(root, part), join(folder, part), { recursive: true });
}

/** How often the text that a mutant replaces stands in its file. */
export function occurrences({ file, find }: Mutant): number {
  return readFileSync(join(root, 'tunnel', file), 'utf8').split(find).length - 1;
}

export function mutate(folder: string, { file, find, replace }: Mutant): void {
  const path = join(folder, 'tunnel', file);
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(find, () => replace),
  );
}

/** Plays seeds on the copy until one fails: its line, or undefined when all are clean. A run that does not end is a failure. */
export async function firstFailure(folder: string, seeds: number, timeoutMs: number): Promise<string | undefined> {
  const script = join(folder, 'test', 'simulation', 'run.ts');
  const child = spawn(process.execPath, [script, '--seeds', String(seeds), '--stop'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  if (exitCode === 0) return undefined;
  return output.split('\n')[0] ?? `ended with ${exitCode}`;
}
