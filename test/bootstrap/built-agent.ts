import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../base/index.ts';
import { buildAgent, checkout } from '../../deploy/agent/agent-file.ts';
import { isArch } from '../../deploy/agent/runtime-package.ts';
import { waitFor } from '../support/wait-for.ts';

/** The folder of the agent's file for this machine's processor. It is built once for the sources as they are, also by tests that run side by side. */
export async function builtAgent(): Promise<string> {
  const folder = join(checkout, 'node_modules', '.cache', 'causeway-agent');
  if (!isArch(process.arch)) throw new Error(`there is no agent for ${process.arch}`);
  const lock = join(folder, 'lock');
  mkdirSync(folder, { recursive: true });
  // One that was left by a test that was killed is taken after that time.
  await waitFor('another test to build the agent', () => isTaken(lock), { deadlineMs: 90_000, everyMs: 100 }).catch(
    () => undefined,
  );
  try {
    await buildAgent(process.arch, folder);
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
  return folder;
}

function isTaken(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return false;
  }
}
