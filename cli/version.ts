import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import type { CommandSpec } from './command-line.ts';
import { print } from './terminal.ts';

export const versionCommand: CommandSpec = {
  name: 'version',
  summary: 'print the version',
  run: async () => print(`${readVersion()}\n`),
};

/** The folder of the nearest `package.json` above this file: it is one folder further up in a published package. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

export function readVersion(): string {
  // In the agent of one file there is no folder beside the program.
  const text = isSea() ? getAsset('package.json', 'utf8') : readFileSync(join(packageFolder(), 'package.json'), 'utf8');
  const content: unknown = JSON.parse(text);
  const isPackage = typeof content === 'object' && content !== null && 'version' in content;
  return isPackage ? String(content.version) : '0.0.0';
}
