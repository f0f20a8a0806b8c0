import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { codeOf, formatYaml, isDnsName } from '../base/index.ts';
import {
  createFleetAuthority,
  identityKinds,
  identityOf,
  issueFreshLeaf,
  loadKeyStore,
  parseAuthority,
  saveKeyStore,
  type Authority,
  type FleetAuthority,
  type IdentityKind,
} from '../certs/index.ts';
import { cliError } from './cli-error.ts';

export const DAY_MS = 24 * 3_600_000;

/** A key store is issued anew when less than this is left of it. */
const RENEW_BEFORE_MS = 30 * DAY_MS;

/** Makes a fleet's authorities and writes them: `NAME.cert.pem` and, readable for the owner only, `NAME.key.pem`. */
export async function createAuthorityFiles(folder: string, trustDomain: string): Promise<FleetAuthority> {
  const authority = await createFleetAuthority(trustDomain);
  for (const kind of identityKinds) await writeAuthority(folder, kind, authority.issuers[kind]);
  // Last, so that a folder with a root is whole.
  await writeAuthority(folder, 'root', authority.root);
  return authority;
}

/** Reads what `createAuthorityFiles` wrote; undefined when there is none. */
export async function readAuthorityFiles(folder: string): Promise<FleetAuthority | undefined> {
  if (!(await exists(join(folder, 'root.cert.pem')))) return undefined;
  const read = async (name: string) => {
    return parseAuthority(
      await readFile(join(folder, `${name}.cert.pem`), 'utf8'),
      await readFile(join(folder, `${name}.key.pem`), 'utf8'),
    );
  };
  const [root, edge, replica, component, operator] = await Promise.all([
    read('root'),
    read('edge'),
    read('replica'),
    read('component'),
    read('operator'),
  ]);
  return { root, issuers: { edge, replica, component, operator } };
}

/** Where `createAuthorityFiles` puts an authority: the issuer of a kind, or the root. */
export function authorityFiles(
  folder: string,
  name: IdentityKind | 'root',
): { readonly cert: string; readonly key: string } {
  return { cert: join(folder, `${name}.cert.pem`), key: join(folder, `${name}.key.pem`) };
}

/** Writes an authority there. Throws `file-exists`. */
export async function writeAuthority(
  folder: string,
  name: IdentityKind | 'root',
  { certPem, keyPem }: Pick<Authority, 'certPem' | 'keyPem'>,
): Promise<void> {
  const files = authorityFiles(folder, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeNew(files.key, keyPem, 0o600);
  await writeNew(files.cert, certPem);
}

export interface KeyFilesOptions {
  readonly folder: string;
  /** `edge/edge-1`, `replica/site-a/r0`, `operator/admin`. */
  readonly name: string;
  /** For a replica: what it is dialed by. */
  readonly hosts?: readonly string[];
  readonly validMs: number;
}

/** Makes a key and its certificate, and writes them as a key store. */
export async function createKeyFiles(
  authority: FleetAuthority,
  { folder, name, hosts, validMs }: KeyFilesOptions,
): Promise<void> {
  const identity = identityOf(authority.root.trustDomain, name);
  const issuer = authority.issuers[identity.kind satisfies IdentityKind];
  const leaf = await issueFreshLeaf(issuer, { identity, validMs, ...(hosts === undefined ? {} : { hosts }) });
  await saveKeyStore(folder, { chainPem: leaf.chainPem, keyPem: leaf.keyPem, trustPem: authority.root.certPem });
}

/** Keeps the key store that is there while it is good for some time yet, else makes it. */
export async function ensureKeyFiles(authority: FleetAuthority, options: KeyFilesOptions): Promise<void> {
  if (await isUsable(authority, options)) return;
  await createKeyFiles(authority, options);
}

/** Names and addresses that a replica on this machine is dialed by. */
export function localHosts(): readonly string[] {
  const own = hostname().toLowerCase();
  return [...new Set(['localhost', '127.0.0.1', ...(isDnsName(own) ? [own] : [])])];
}

/** A configuration file as YAML, below the lines of a comment. */
export function yamlFile(comment: readonly string[], value: unknown): string {
  return `${comment.map((line) => `# ${line}\n`).join('')}${formatYaml(value)}`;
}

/** Writes a file that must not be there yet. Throws `file-exists`. */
export async function writeNew(file: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(file, content, { flag: 'wx', mode });
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw cliError('file-exists', file);
    throw cliError('file-failed', file, error);
  }
}

/** Puts a file in place in one step: a reader finds the old one or the new one. */
export async function writeReplacing(file: string, content: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, content, { mode });
  await rename(`${file}.new`, file);
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

async function isUsable({ root, issuers }: FleetAuthority, { folder, name }: KeyFilesOptions): Promise<boolean> {
  try {
    const { leaf, identity, trust } = await loadKeyStore(folder);
    const expected = identityOf(root.trustDomain, name);
    const isOurs =
      JSON.stringify(identity) === JSON.stringify(expected) &&
      leaf.checkIssued(new X509Certificate(issuers[identity.kind].certPem));
    const isTrusting = trust.pem.trim() === new X509Certificate(root.certPem).toString().trim();
    return isOurs && isTrusting && leaf.validToDate.getTime() - Date.now() > RENEW_BEFORE_MS;
  } catch {
    return false;
  }
}
