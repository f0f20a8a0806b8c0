import { resolve } from 'node:path';
import { readFile } from 'node:fs/promises';
import {
  identityName,
  identityOf,
  issueFreshLeaf,
  issueLeaf,
  loadKeyStore,
  parseTrustBundle,
  readCertificateRequest,
  saveKeyStore,
  type KeyStore,
} from '../certs/index.ts';
import { readAuthority, readTrustText } from './authority-folder.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { DAY_MS, exists, localHosts } from './fleet-files.ts';
import { print } from './terminal.ts';

export const caIssueCommand: CommandSpec = {
  name: 'issue',
  summary: 'issue a certificate for a replica, a component, an operator or an edge',
  arguments: ['[NAME]'],
  options: [
    { flags: '--dir DIR', help: 'the folder with the authorities', default: 'ca' },
    { flags: '--keys FOLDER', help: 'the key store to write; one that is there is renewed, with a new key' },
    {
      flags: '--csr FILE',
      help: 'a request to answer instead: the chain goes to stdout, the key stays where it was made',
    },
    {
      flags: '--host HOST',
      help: 'of a replica: a name or address that it is dialed by (default: as before)',
      many: true,
    },
    { flags: '--days N', help: 'how long it is good', default: '365' },
  ],
  notes:
    'NAME is replica/SITE/NAME, component/NAME, operator/NAME or edge/NAME; without it the certificate in --keys is renewed. A running replica, agent or client takes a renewed key store by itself.',
  examples: [
    'ca issue component/inventory --dir fleet/ca --keys fleet/inventory',
    'ca issue --dir fleet/ca --keys fleet/replica',
    'ca issue operator/alice --dir fleet/ca --csr alice.csr',
  ],
  run: issue,
};

async function issue(input: CommandInput): Promise<void> {
  const folder = resolve(input.text('dir') ?? '');
  const keys = input.text('keys');
  const csr = input.text('csr');
  const [given] = input.arguments;
  const validMs = (input.integer('days', 1, 1825) ?? 365) * DAY_MS;
  if ((keys === undefined) === (csr === undefined)) throw cliError('usage', 'give either --keys or --csr');
  if (csr !== undefined) {
    if (given === undefined) throw cliError('usage', 'give the NAME that the request is for');
    await answerRequest(folder, given, { csr, hosts: input.list('host'), validMs });
    return;
  }
  const path = resolve(keys ?? '');
  const before = (await exists(path)) ? await loadKeyStore(path) : undefined;
  const name = given ?? (before === undefined ? undefined : identityName(before.identity));
  if (name === undefined) throw cliError('usage', `${path} is not there: give the NAME to make it for`);
  if (before !== undefined && name !== identityName(before.identity))
    throw cliError('file-exists', `${path} is of ${identityName(before.identity)}`);
  const notAfter = await reissue(folder, { name, keys: path, before, hosts: input.list('host'), validMs });
  print(`${name}: good until ${notAfter.toISOString()}, in ${path}\n`);
}

export interface ReissueOptions {
  readonly name: string;
  /** The key store to write. */
  readonly keys: string;
  /** What stands there. */
  readonly before: KeyStore | undefined;
  readonly hosts: readonly string[];
  readonly validMs: number;
}

/** Makes a key and its certificate by the authorities of a folder, and writes the key store, with the roots that the fleet trusts. */
export async function reissue(folder: string, { name, keys, before, hosts, validMs }: ReissueOptions): Promise<Date> {
  const trustPem = await readTrustText(folder);
  const { authority, identity } = await issuerFor(folder, name);
  const listens = identity.kind === 'replica' ? { hosts: hosts.length > 0 ? hosts : hostsOf(before) } : {};
  const leaf = await issueFreshLeaf(authority, { identity, validMs, ...listens });
  await saveKeyStore(keys, { chainPem: leaf.chainPem, keyPem: leaf.keyPem, trustPem }, before?.passwordFile);
  return leaf.notAfter;
}

async function answerRequest(
  folder: string,
  name: string,
  { csr, hosts, validMs }: { readonly csr: string; readonly hosts: readonly string[]; readonly validMs: number },
): Promise<void> {
  const publicKey = await readCertificateRequest(await textOf(csr));
  const { authority, identity } = await issuerFor(folder, name);
  const listens = hosts.length > 0 ? { hosts } : {};
  print((await issueLeaf(authority, { identity, publicKey, validMs, ...listens })).chainPem);
}

async function issuerFor(folder: string, name: string) {
  const { trustDomain } = parseTrustBundle(await readTrustText(folder));
  const identity = identityOf(trustDomain, name);
  return { identity, authority: await readAuthority(folder, identity.kind) };
}

/** The names and addresses in a replica's certificate. */
function hostsOf(before: KeyStore | undefined): readonly string[] {
  const names = (before?.leaf.subjectAltName ?? '').split(', ');
  const hosts = names.flatMap((name) => /^(?:DNS|IP Address):(.+)$/u.exec(name)?.[1] ?? []);
  return hosts.length > 0 ? hosts : localHosts();
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw cliError('file-failed', file, error);
  }
}
