import { baseError } from './base-error.ts';

/** Older majors lack fixes for TLS session reuse across identities and for host name checks, which is our whole surface. */
const oldestMajor = 24;

/** The 24 that `package.json` pins, kept equal by a test: older ones lack security fixes that it has. */
export const pinnedRuntime = '24.21.0';

/**
 * How a replica or an agent is to be run, as `bin/causeway` does (docs/decisions/0012): with a small young generation the
 * buffers that pass through are freed while they are still in the processor's cache.
 */
export const runtimeFlags: readonly string[] = ['--max-semi-space-size=1', '--heap-growing-percent=70'];

/**
 * Refuses (`runtime-too-old`) a Node that the program may not run on. Answers with a warning for one that it may run on
 * and that is older than the pinned one, else undefined. `version` is for tests.
 */
export function checkRuntime(version: string = process.versions.node): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (!(major >= oldestMajor))
    throw baseError('runtime-too-old', { detail: `this is ${version}, ${oldestMajor} is needed` });
  const [, pinnedMinor = 0] = pinnedRuntime.split('.').map(Number);
  if (major > oldestMajor || minor >= pinnedMinor) return undefined;
  return `Node ${version} is older than ${pinnedRuntime} and lacks security fixes; run the pinned one, \`node_modules/.bin/node\``;
}
