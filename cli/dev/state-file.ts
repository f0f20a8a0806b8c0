import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf } from '../../base/index.ts';
import { cliError } from '../cli-error.ts';
import type { Child } from './child-process.ts';
import { apiUrl, linkAddress, type DevPlan } from './dev-plan.ts';

/** The processes of a fleet, by their names. */
export interface Children {
  readonly replicas: ReadonlyMap<string, Child>;
  readonly edges: ReadonlyMap<string, Child>;
  readonly etcd: ReadonlyMap<string, Child>;
}

/**
 * Replaces `state.json`, in one step and before anything else can happen: whoever reads it finds what is so. A process
 * that is not there at the moment has no pid in it.
 */
export function writeState({ files, replicas, edges }: DevPlan, children: Children): void {
  const state = {
    api: replicas.map(apiUrl),
    kubeconfig: files.kubeconfig,
    client: files.client,
    tls: {
      ca: join(files.operator, 'ca.pem'),
      cert: join(files.operator, 'cert.pem'),
      key: join(files.operator, 'key.pem'),
    },
    edges: edges.map(({ name }) => name),
    pids: { replicas: pidsOf(children.replicas), edges: pidsOf(children.edges), etcd: pidsOf(children.etcd) },
    replicas: Object.fromEntries(
      replicas.map((replica) => {
        const { name, site, ports } = replica;
        return [
          name,
          { site, api: apiUrl(replica), link: linkAddress(replica), public: `https://127.0.0.1:${ports.public}` },
        ];
      }),
    ),
  };
  writeFileSync(`${files.state}.new`, `${JSON.stringify(state, undefined, 2)}\n`);
  renameSync(`${files.state}.new`, files.state);
}

/** Takes the folder for this process; returns what gives it back. Throws `already-running`. The lock of a process that is gone does not count. */
export function lock(file: string): () => void {
  mkdirSync(dirname(file), { recursive: true });
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw cliError('file-failed', file, error);
      const pid = Number(readIfThere(file));
      if (isCauseway(pid)) throw cliError('already-running', `${dirname(file)}, pid ${pid}`);
      rmSync(file, { force: true });
    }
  }
}

/** Pids are used again: what runs under one now may be something else. */
function isCauseway(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const commandLine = readIfThere(`/proc/${pid}/cmdline`);
  return commandLine === '' || /causeway/u.test(commandLine);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function pidsOf(children: ReadonlyMap<string, Child>): Record<string, number> {
  return Object.fromEntries([...children].flatMap(([name, { pid }]) => (pid === undefined ? [] : [[name, pid]])));
}
