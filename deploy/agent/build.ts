/**
 * Builds the agent of one file: `npm run build:agent [-- --out DIR] [--arch x64,arm64]`. DIR (default `dist/agent`) then has for each
 * architecture `linux-x64`, `linux-x64.gz` and `linux-x64.sha256`: what a replica hands out that has DIR as its `agentFiles`.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAgent, checkout } from './agent-file.ts';
import { isArch, type Arch } from './runtime-package.ts';

const { values } = parseArgs({ options: { out: { type: 'string' }, arch: { type: 'string' } } });
const out = resolve(values.out ?? join(checkout, 'dist', 'agent'));
const wanted = (values.arch ?? 'x64,arm64').split(',');
const unknown = wanted.find((arch) => !isArch(arch));

if (unknown !== undefined) {
  console.error(`build:agent: there is no agent for ${JSON.stringify(unknown)}: x64 and arm64 are known`);
  process.exitCode = 2;
} else {
  for (const arch of wanted.filter(isArch)) await build(arch);
}

async function build(arch: Arch): Promise<void> {
  try {
    const { file, bytes, sha256 } = await buildAgent(arch, out);
    console.log(`${file}  ${(bytes / 1e6).toFixed(0)} MB  sha256 ${sha256}`);
  } catch (error) {
    console.error(
      `build:agent: linux-${arch} was not built: ${error instanceof Error ? error.message : String(error)}`,
    );
    process.exitCode = 1;
  }
}
