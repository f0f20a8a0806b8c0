import { copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, validate, z } from '../base/index.ts';
import {
  identityKinds,
  openKey,
  parseAuthority,
  parseTrustBundle,
  type Authority,
  type IdentityKind,
} from '../certs/index.ts';
import { cliError } from './cli-error.ts';
import { authorityFiles, exists, writeReplacing } from './fleet-files.ts';

export type AuthorityName = IdentityKind | 'root';

const names: readonly AuthorityName[] = ['root', ...identityKinds];

/** How far a rollover of the root is; it stands in `rotation.json` beside the authorities. */
const rotation = z.object({
  /** `spread`: everybody is to trust the new root too. `move`: everybody is to have certificates under it. */
  phase: z.enum(['spread', 'move']),
  startedAt: z.iso.datetime(),
});

export type Rotation = z.output<typeof rotation>;

/**
 * Reads one authority, whose key may be encrypted. Throws `key-password`, and `file-failed` when its files are not there: keys that
 * are kept elsewhere have to be brought.
 */
export async function readAuthority(folder: string, name: AuthorityName): Promise<Authority> {
  const { cert, key } = authorityFiles(folder, name);
  try {
    return parseAuthority(await readFile(cert, 'utf8'), await openKey(await readFile(key, 'utf8'), key));
  } catch (error) {
    if (codeOf(error) === 'key-password') throw error;
    throw cliError('file-failed', `${cert} and ${key}`, error);
  }
}

/** The roots that the fleet trusts by what stands in the folder: `trust.pem`, else the root alone. */
export async function readTrustText(folder: string): Promise<string> {
  const file = (await exists(join(folder, 'trust.pem')))
    ? join(folder, 'trust.pem')
    : authorityFiles(folder, 'root').cert;
  try {
    const text = await readFile(file, 'utf8');
    parseTrustBundle(text);
    return text;
  } catch (error) {
    throw cliError('file-failed', file, error);
  }
}

export async function writeTrustText(folder: string, text: string): Promise<void> {
  await writeReplacing(join(folder, 'trust.pem'), text);
}

/** Undefined when no root is being rolled. */
export async function readRotation(folder: string): Promise<Rotation | undefined> {
  const file = join(folder, 'rotation.json');
  try {
    const result = validate<Rotation>(rotation, JSON.parse(await readFile(file, 'utf8')));
    if ('value' in result) return result.value;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw cliError('file-failed', file, error);
  }
  throw cliError('file-failed', file);
}

export async function writeRotation(folder: string, state: Rotation): Promise<void> {
  await writeReplacing(join(folder, 'rotation.json'), `${JSON.stringify(state, undefined, 2)}\n`);
}

/** The authorities that take the place of those in the folder, until they do. */
export function nextFolder(folder: string): string {
  return join(folder, 'next');
}

export function previousFolder(folder: string): string {
  return join(folder, 'previous');
}

/**
 * Puts the next authorities in place of those in the folder, which go to `previous`. Repeated after a crash it ends the same: what is
 * in `previous` already is not written over.
 */
export async function moveToNext(folder: string): Promise<void> {
  const previous = previousFolder(folder);
  await mkdir(previous, { recursive: true, mode: 0o700 });
  for (const name of names) {
    const [from, to] = [authorityFiles(folder, name), authorityFiles(previous, name)];
    for (const part of ['key', 'cert'] as const) if (!(await exists(to[part]))) await copyFile(from[part], to[part]);
  }
  for (const name of names) {
    const [from, to] = [authorityFiles(nextFolder(folder), name), authorityFiles(folder, name)];
    // A replica that reads in between finds a pair that does not belong together, and reads again.
    await writeReplacing(to.key, await readFile(from.key, 'utf8'), 0o600);
    await writeReplacing(to.cert, await readFile(from.cert, 'utf8'));
  }
}

/** Ends a rollover: nothing is next any more, and the authorities from before are put aside, under the serial of the bundle that they left with. */
export async function endRotation(folder: string, serial: number): Promise<string> {
  const aside = join(folder, `retired-${serial}`);
  await rm(nextFolder(folder), { recursive: true, force: true });
  await rename(previousFolder(folder), aside);
  await rm(join(folder, 'rotation.json'), { force: true });
  return aside;
}
