import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../base/index.ts';
import {
  authorityKeyId,
  fingerprintOfRoot,
  identityName,
  issuerKeyId,
  loadKeyStore,
  parseTrustBundle,
  signTrust,
} from '../certs/index.ts';
import type { Api } from '../sdk/index.ts';
import {
  endRotation,
  moveToNext,
  nextFolder,
  previousFolder,
  readAuthority,
  readRotation,
  readTrustText,
  writeRotation,
  writeTrustText,
  type Rotation,
} from './authority-folder.ts';
import { reissue } from './ca-issue.ts';
import { cliError } from './cli-error.ts';
import { clientConfig, clientOption, withApi } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { authorityFiles, createAuthorityFiles, DAY_MS, exists, writeReplacing } from './fleet-files.ts';
import { fleetTrust, type Holder } from './fleet-trust.ts';
import { print } from './terminal.ts';

export const caRotateCommand: CommandSpec = {
  name: 'rotate',
  summary: 'roll the root: each call goes one step on, when everybody is ready for it',
  options: [
    { flags: '--dir DIR', help: 'the folder with the authorities', default: 'ca' },
    { flags: '--status', help: 'only show how far it is' },
    {
      flags: '--keys FOLDER',
      help: 'a key store to issue anew in the second step; it takes the new root with it',
      many: true,
    },
    {
      flags: '--issuer FOLDER',
      help: "a replica's folder for the edges' issuing key: it gets the new one in the second step",
      many: true,
    },
    { flags: '--days N', help: 'how long those are good', default: '365' },
    { flags: '--wait SECONDS', help: 'wait so long for edges and replicas to be ready' },
    {
      flags: '--compromised',
      help: 'the old root is in wrong hands: edges that were away all the time have to enrol again',
    },
    { flags: '--force', help: 'go on without those that are not ready; they may have to enrol again' },
    clientOption,
  ],
  notes: `1. New authorities are made in DIR/next, and everybody is told to trust both roots.
2. The new authorities take the place of the old ones, and edges renew. Replicas have to have the new issuing key, and key stores of replicas,
   operators and components are issued anew: with --keys, or with \`ca issue\` where they are.
3. The old root leaves. Edges that were away meanwhile can still renew for their grace, unless it is --compromised.
No step ends a link or a stream before its successor is there.`,
  examples: [
    'ca rotate --dir fleet/ca',
    'ca rotate --dir fleet/ca --wait 600 --issuer fleet/issuer --keys fleet/replica --keys fleet/operator',
    'ca rotate --dir fleet/ca --status',
  ],
  run: rotate,
};

const bundlesPath = '/apis/causeway.io/v1/trustbundles';

async function rotate(input: CommandInput): Promise<void> {
  const folder = resolve(input.text('dir') ?? '');
  await withApi(input, async (api) => {
    const state = await readRotation(folder);
    if (input.flag('status')) {
      print(await statusText(api, folder, state));
      return;
    }
    if (state === undefined) await begin(api, folder);
    else if (state.phase === 'spread') await move(api, folder, state, input);
    else await finish(api, folder, input);
  });
}

async function begin(api: Api, folder: string): Promise<void> {
  const root = await readAuthority(folder, 'root');
  const before = parseTrustBundle(await readTrustText(folder));
  const isMade = await exists(nextFolder(folder));
  const next = isMade
    ? await readAuthority(nextFolder(folder), 'root')
    : (await createAuthorityFiles(nextFolder(folder), root.trustDomain)).root;
  // Edges that are away since an earlier rotation are not forgotten by this one.
  const text = signTrust(before.pem + next.certPem, before.serial + 1, [root], before.retired);
  await publish(api, { bundle: text });
  await writeTrustText(folder, text);
  await writeRotation(folder, { phase: 'spread', startedAt: new Date().toISOString() });
  print(`1 of 3: a new root has been made, and replicas and edges take it beside the old one.
Clients that are connected take it too; others by \`causeway ca issue --keys FOLDER\`, or by a copy of ${folder}/trust.pem as their ca.pem.
When they have it: causeway ca rotate --dir ${folder}\n`);
}

async function move(api: Api, folder: string, state: Rotation, input: CommandInput): Promise<void> {
  const { version } = parseTrustBundle(await readTrustText(folder));
  await requireReady(api, input, 'trust the new root', (holder) => holder.trustVersion === version);
  await moveToNext(folder);
  for (const keys of input.list('keys')) {
    const before = await loadKeyStore(resolve(keys));
    const name = identityName(before.identity);
    const validMs = (input.integer('days', 1, 1825) ?? 365) * DAY_MS;
    await reissue(folder, { name, keys: resolve(keys), before, hosts: [], validMs });
    print(`${name}: issued anew in ${keys}\n`);
  }
  const edgeIssuer = await readAuthority(folder, 'edge');
  for (const place of input.list('issuer')) {
    const files = authorityFiles(resolve(place), 'edge');
    await writeReplacing(files.key, edgeIssuer.keyPem, 0o600);
    await writeReplacing(files.cert, edgeIssuer.certPem);
    print(`the new issuing key of edges is in ${place}\n`);
  }
  const { certPem } = edgeIssuer;
  await publish(api, { issuer: authorityKeyId(new X509Certificate(certPem)) });
  await writeRotation(folder, { ...state, phase: 'move' });
  print(`2 of 3: the new authorities are in place, and edges renew within a minute where replicas have the new issuing key.
A replica whose \`issuer\` names ${folder} has it already; bring edge.cert.pem and edge.key.pem to the others.
Issue the key stores of replicas, operators and components anew: causeway ca issue --dir ${folder} --keys FOLDER
When they are: causeway ca rotate --dir ${folder}\n`);
}

async function finish(api: Api, folder: string, input: CommandInput): Promise<void> {
  const issuers = await issuerIds(folder);
  await requireReady(
    api,
    input,
    'have a certificate under the new root',
    (holder) => holder.issuer === issuers[holder.kind],
  );
  const own = await loadKeyStore((await clientConfig(input)).keys);
  const { certPem } = await readAuthority(folder, own.identity.kind);
  const hasMoved = issuerKeyId(own.leaf) === authorityKeyId(new X509Certificate(certPem));
  if (!hasMoved && !input.flag('force'))
    throw cliError(
      'rotation-not-ready',
      `${identityName(own.identity)}, which this command acts as, would lock itself out`,
    );
  const [root, old] = [await readAuthority(folder, 'root'), await readAuthority(previousFolder(folder), 'root')];
  const { serial } = parseTrustBundle(await readTrustText(folder));
  const isCompromised = input.flag('compromised');
  const retired = isCompromised ? [] : [fingerprintOfRoot(new X509Certificate(old.certPem))];
  const text = signTrust(root.certPem, serial + 1, [old, root], retired);
  await publish(api, { bundle: text, retired: isCompromised ? null : old.certPem });
  await writeTrustText(folder, text);
  const aside = await endRotation(folder, serial + 1);
  print(`3 of 3: the old root has left. Delete ${aside} when no edge that was away is waited for any more.\n`);
}

/** Waits as long as is asked for. Throws `rotation-not-ready`, naming who is not. */
async function requireReady(
  api: Api,
  input: CommandInput,
  what: string,
  isReady: (holder: Holder) => boolean,
): Promise<void> {
  if (input.flag('force')) return;
  const deadline = Date.now() + (input.integer('wait', 0, 86_400) ?? 0) * 1000;
  for (;;) {
    const missing = (await fleetTrust(api)).filter((holder) => holder.isOnline && !isReady(holder));
    if (missing.length === 0) return;
    if (Date.now() >= deadline)
      throw cliError('rotation-not-ready', `${missing.length} do not ${what}: ${namesOf(missing)}`);
    await delay(1000);
  }
}

/** Merges into the one object, or makes it. */
async function publish(api: Api, spec: Readonly<Record<string, string | null>>): Promise<void> {
  try {
    await api.json('PATCH', `${bundlesPath}/fleet`, { spec });
  } catch (error) {
    if (codeOf(error) !== 'object-not-found') throw error;
    const object = { apiVersion: 'causeway.io/v1', kind: 'TrustBundle', metadata: { name: 'fleet' }, spec };
    await api.json('POST', bundlesPath, object);
  }
}

async function statusText(api: Api, folder: string, state: Rotation | undefined): Promise<string> {
  const { version, roots } = parseTrustBundle(await readTrustText(folder));
  const holders = await fleetTrust(api);
  const issuers = await issuerIds(folder);
  const online = holders.filter(({ isOnline }) => isOnline);
  const of = (some: readonly Holder[]): string => `${some.length} of ${online.length}`;
  const away = holders.length - online.length;
  const phases = {
    none: 'no root is being rolled',
    spread: '1 of 3: both roots spread',
    move: '2 of 3: certificates move',
  };
  const trusting = online.filter(({ trustVersion }) => trustVersion === version);
  const moved = online.filter(({ kind, issuer }) => issuer === issuers[kind]);
  const missing =
    state?.phase === 'move'
      ? online.filter((each) => !moved.includes(each))
      : online.filter((each) => !trusting.includes(each));
  return [
    `phase       ${phases[state?.phase ?? 'none']}`,
    `bundle      ${version}, ${roots.length} root${roots.length === 1 ? '' : 's'}`,
    `trust it    ${of(trusting)} replicas and edges that are online`,
    `issued by   the authorities in ${folder}: ${of(moved)}`,
    ...(away > 0 ? [`offline     ${away} edges`] : []),
    ...(missing.length > 0 && state !== undefined ? [`not ready   ${namesOf(missing)}`] : []),
    '',
  ].join('\n');
}

async function issuerIds(folder: string): Promise<Readonly<Record<Holder['kind'], string>>> {
  const idOf = async (kind: Holder['kind']): Promise<string> =>
    authorityKeyId(new X509Certificate((await readAuthority(folder, kind)).certPem));
  return { edge: await idOf('edge'), replica: await idOf('replica') };
}

function namesOf(holders: readonly Holder[]): string {
  const names = holders.slice(0, 10).map(({ name }) => name);
  return `${names.join(', ')}${holders.length > names.length ? `, and ${holders.length - names.length} more` : ''}`;
}
