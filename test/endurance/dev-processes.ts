import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { loadKeyStore, type KeyStore } from '../../certs/index.ts';
import { Api, type ApiAnswer } from '../../sdk/index.ts';
import { startCauseway } from '../cli/causeway.ts';
import { noProxies } from '../support/fleet-access.ts';
import { temporaryFolder } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';

export interface DevReplica {
  readonly name: string;
  readonly site: string;
  readonly api: string;
  readonly link: string;
}

type Kind = 'replicas' | 'edges' | 'etcd';

interface State {
  readonly client: string;
  readonly edges: readonly string[];
  readonly pids: Readonly<Record<Kind, Readonly<Record<string, number>>>>;
  readonly replicas: Readonly<Record<string, Omit<DevReplica, 'name'>>>;
}

const RETURNS_WITHIN_MS = 90_000;

/** `causeway dev` with several sites: everything is a process that can be killed and stopped, and that comes back when it was killed. */
export class DevProcesses {
  readonly folder: string;
  readonly edges: readonly string[];
  readonly replicas: readonly DevReplica[];
  readonly keys: KeyStore;
  readonly #dev: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #apis = new Map<string, Api>();

  /** Resolves when all edges are online. */
  static async start(edges: number): Promise<DevProcesses> {
    const folder = temporaryFolder('replicas');
    const args = ['dev', '--dir', folder, '--sites', '2', '--replicas', '2', '--edges', `${edges}`, '--api-port', '0'];
    const dev = startCauseway(args, { env: noProxies }, ['ignore', 'pipe', 'pipe']);
    let output = '';
    for (const stream of [dev.stdout, dev.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        output = (output + chunk).slice(-65_536);
      });
    const exited = once(dev, 'exit');
    // Also where a scenario ends in a way that nobody thought of.
    process.once('exit', () => dev.kill('SIGTERM'));
    try {
      await waitFor('`causeway dev`', () => dev.exitCode !== null || output.split('\n').includes('ready'), {
        deadlineMs: 180_000,
        everyMs: 50,
      });
      if (dev.exitCode !== null) throw new Error('it ended at once');
      const state = stateIn(folder);
      return new DevProcesses(folder, dev, exited, state, await loadKeyStore(join(folder, 'operator')));
    } catch (error) {
      dev.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
      throw new Error(`the fleet did not start: ${String(error)}\n${output}`, { cause: error });
    }
  }

  private constructor(folder: string, dev: ChildProcess, exited: Promise<unknown>, state: State, keys: KeyStore) {
    this.folder = folder;
    this.#dev = dev;
    this.#exited = exited;
    this.keys = keys;
    this.edges = state.edges;
    this.replicas = Object.entries(state.replicas).map(([name, replica]) => ({ name, ...replica }));
  }

  get clientFile(): string {
    return join(this.folder, 'client.yaml');
  }

  pid(kind: Kind, name: string): number | undefined {
    return stateIn(this.folder).pids[kind][name];
  }

  signal(kind: Kind, name: string, signal: NodeJS.Signals): void {
    const pid = this.pid(kind, name);
    if (pid === undefined) throw new Error(`${name} does not run`);
    process.kill(pid, signal);
  }

  /** The API of one replica, and of no other. */
  api({ name, api }: DevReplica): Api {
    const known = this.#apis.get(name);
    if (known !== undefined) return known;
    const made = new Api([api], this.keys);
    this.#apis.set(name, made);
    return made;
  }

  ask(replica: DevReplica, path: string): Promise<ApiAnswer> {
    return this.api(replica).request('GET', path);
  }

  /** What a process has written. */
  log(name: string): string {
    return readFileSync(join(this.folder, 'logs', `${name}.log`), 'utf8');
  }

  /** Waits until replicas are there, know all the others, and have links to them. */
  async whole(replicas: readonly DevReplica[] = this.replicas): Promise<void> {
    for (const replica of replicas) {
      await waitFor(
        `${replica.name} to serve`,
        async () => {
          const listed = await this.api(replica).json('GET', '/apis/causeway.io/v1/replicas');
          return itemsOf(listed).length === this.replicas.length && (await this.ask(replica, '/readyz')).status === 200;
        },
        { deadlineMs: RETURNS_WITHIN_MS, everyMs: 100 },
      );
    }
  }

  /** The replica that has the active link of an edge, as some replica tells it. */
  async holderOf(edge: string): Promise<DevReplica> {
    const links = (await this.links(edge)).filter(({ active }) => active);
    const holder = this.replicas.find(({ site, name }) => links.some(({ replica }) => replica === `${site}/${name}`));
    if (holder === undefined) throw new Error(`${edge} has no active link`);
    return holder;
  }

  async links(edge: string): Promise<readonly { readonly replica: string; readonly active: boolean }[]> {
    for (const replica of this.replicas) {
      try {
        const node = await this.api(replica).json('GET', `/apis/causeway.io/v1/edgenodes/${edge}`);
        const { status } = node as {
          readonly status?: { readonly links?: readonly { replica: string; active: boolean }[] };
        };
        return status?.links ?? [];
      } catch {
        // The next one.
      }
    }
    return [];
  }

  async stop(): Promise<void> {
    for (const api of this.#apis.values()) await api.close();
    // What stands still would be ended by force only.
    for (const pids of Object.values(stateIn(this.folder).pids)) for (const pid of Object.values(pids)) resume(pid);
    this.#dev.kill('SIGTERM');
    await this.#exited;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // It has ended.
  }
}

function itemsOf(list: unknown): readonly unknown[] {
  const { items } = list as { readonly items?: readonly unknown[] };
  return items ?? [];
}

function stateIn(folder: string): State {
  return JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')) as State;
}
