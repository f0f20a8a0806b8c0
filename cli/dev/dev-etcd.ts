import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { validate, z } from '../../base/index.ts';
import { cliError } from '../cli-error.ts';
import { createAuthorityFiles, DAY_MS, ensureKeyFiles, readAuthorityFiles, writeReplacing } from '../fleet-files.ts';

export interface EtcdMemberPlan {
  readonly name: string;
  readonly ports: { readonly client: number; readonly peer: number };
}

/** The etcd of `causeway dev`: members that it runs itself, or one that runs already. */
export interface EtcdPlan {
  readonly endpoints: readonly string[];
  /** None where it runs already. */
  readonly members: readonly EtcdMemberPlan[];
  readonly folder: string;
  /** Members and replicas show one certificate, of an authority of its own: it names nobody in the fleet. */
  readonly keys: string;
}

const MEMBERS = 3;
const VALID_MS = 365 * DAY_MS;
const LISTENS_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 50;

const portsFile = z.array(z.strictObject({ client: z.int(), peer: z.int() })).length(MEMBERS);

/**
 * Three members. Their ports stay what they were at the first start in the folder, since the members know each other by
 * them; `choosePorts` says which ones the first time.
 */
export async function planEtcd(folder: string, choosePorts: () => Promise<readonly number[]>): Promise<EtcdPlan> {
  const own = join(folder, 'etcd');
  const known = knownPorts(own) ?? [];
  const fresh = known.length > 0 ? [] : await choosePorts();
  const members = Array.from({ length: MEMBERS }, (_, index): EtcdMemberPlan => {
    const [client = 0, peer = 0] = fresh.slice(index * 2);
    return { name: `etcd-${index}`, ports: known[index] ?? { client, peer } };
  });
  return {
    endpoints: members.map(({ ports }) => `https://127.0.0.1:${ports.client}`),
    members,
    folder: own,
    keys: join(own, 'keys'),
  };
}

/** Makes what the members read. Throws `program-missing`. */
export async function writeEtcdFiles({ members, folder, keys }: EtcdPlan): Promise<void> {
  if (members.length === 0) return;
  if (pathOf('etcd') === undefined) throw cliError('program-missing', 'etcd; on Debian: apt-get install etcd-server');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const ca = join(folder, 'ca');
  const authority = (await readAuthorityFiles(ca)) ?? (await createAuthorityFiles(ca, 'etcd.local'));
  const hosts = ['localhost', '127.0.0.1'];
  await ensureKeyFiles(authority, { folder: keys, name: 'replica/dev/etcd', hosts, validMs: VALID_MS });
  await writeReplacing(join(folder, 'ports.json'), JSON.stringify(members.map(({ ports }) => ports)));
}

/** The program and its arguments. Where it can be had, the kernel ends a member with the process that started it, however that ends. */
export function etcdCommand(
  { members, folder, keys }: EtcdPlan,
  { name, ports }: EtcdMemberPlan,
): { readonly file: string; readonly args: readonly string[] } {
  const url = (port: number): string => `https://127.0.0.1:${port}`;
  const [cert, key, ca] = ['cert.pem', 'key.pem', 'ca.pem'].map((file) => join(keys, file));
  const tls = (prefix: string): string[] => [
    `--${prefix}cert-file=${cert}`,
    `--${prefix}key-file=${key}`,
    `--${prefix}trusted-ca-file=${ca}`,
    `--${prefix}client-cert-auth`,
  ];
  const args = [
    `--name=${name}`,
    `--data-dir=${join(folder, name)}`,
    `--listen-client-urls=${url(ports.client)}`,
    `--advertise-client-urls=${url(ports.client)}`,
    `--listen-peer-urls=${url(ports.peer)}`,
    `--initial-advertise-peer-urls=${url(ports.peer)}`,
    `--initial-cluster=${members.map((member) => `${member.name}=${url(member.ports.peer)}`).join(',')}`,
    ...tls(''),
    ...tls('peer-'),
    '--logger=zap',
    '--log-level=warn',
    // On one machine a heartbeat takes no time: a member that is gone is noticed the sooner.
    '--heartbeat-interval=50',
    '--election-timeout=500',
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=1h',
  ];
  const setpriv = pathOf('setpriv');
  return setpriv === undefined
    ? { file: 'etcd', args }
    : { file: setpriv, args: ['--pdeathsig', 'KILL', '--', 'etcd', ...args] };
}

/** Resolves when a member takes connections, which it does when it has found the others. Throws `start-timeout`. */
export async function untilListening({ name, ports }: EtcdMemberPlan, isAlive: () => boolean): Promise<void> {
  const deadline = performance.now() + LISTENS_WITHIN_MS;
  while (isAlive()) {
    if (await listens(ports.client)) return;
    if (performance.now() > deadline) throw cliError('start-timeout', `${name} does not listen`);
    await delay(LOOK_EVERY_MS);
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (isListening: boolean): void => {
      socket.destroy();
      resolve(isListening);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

function knownPorts(folder: string): readonly EtcdMemberPlan['ports'][] | undefined {
  const file = join(folder, 'ports.json');
  if (!existsSync(file)) return undefined;
  const read = validate(portsFile, JSON.parse(readFileSync(file, 'utf8')));
  if ('value' in read) return read.value;
  throw cliError('file-failed', file);
}

function pathOf(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
