import { join, resolve } from 'node:path';
import { cliError } from '../cli-error.ts';
import type { CommandInput } from '../command-line.ts';
import { planEtcd, type EtcdPlan } from './dev-etcd.ts';

export interface ReplicaPlan {
  readonly name: string;
  readonly site: string;
  readonly folder: string;
  readonly ports: ReplicaPorts;
}

export interface ReplicaPorts {
  readonly api: number;
  readonly link: number;
  readonly public: number;
}

export interface EdgePlan {
  readonly name: string;
  readonly folder: string;
}

/** What `causeway dev` is going to start, and where it keeps it. */
export interface DevPlan {
  readonly folder: string;
  readonly replicas: readonly ReplicaPlan[];
  readonly edges: readonly EdgePlan[];
  /** Undefined: each replica has an embedded store. */
  readonly etcd: EtcdPlan | undefined;
  readonly restart: 'always' | 'never';
  readonly files: {
    readonly ca: string;
    readonly operator: string;
    readonly client: string;
    readonly kubeconfig: string;
    readonly state: string;
    readonly lock: string;
    readonly logs: string;
  };
}

/** Ports of a replica: the API, links and public, side by side; the next replica's begin this much higher. */
const PORT_STEP = 10;
const MAX_SITES = 8;
const MAX_REPLICAS = 16;
const MAX_EDGES = 1000;

/**
 * Reads the options. All are checked, also those that this version does not have yet: `not-in-this-version`.
 * Port 0 stands for ports that are free; `ports` finds them.
 */
export async function planDev(
  input: CommandInput,
  ports: (count: number) => Promise<readonly number[]>,
): Promise<DevPlan> {
  const sites = input.integer('sites', 1, MAX_SITES) ?? 1;
  const perSite = input.integer('replicas', 1, MAX_REPLICAS) ?? 1;
  const edges = input.integer('edges', 0, MAX_EDGES) ?? 2;
  const total = sites * perSite;
  const apiPort = input.integer('apiPort', 0, 65_535 - PORT_STEP * total) ?? 8440;
  const running = input.text('etcd')?.split(',');
  if (input.text('store') === 'embedded' && (running !== undefined || total > 1))
    throw cliError('usage', '--store embedded is for one replica, and for no --etcd');
  if (input.text('driver') === 'qemu') throw cliError('not-in-this-version', '--driver qemu: only none');

  const folder = resolve(input.text('dir') ?? '.causeway-dev');
  const free = apiPort === 0 ? await ports(total * 3) : [];
  const replicas = Array.from({ length: total }, (_, index): ReplicaPlan => {
    const name = `r${index}`;
    const own = apiPort === 0 ? free.slice(index * 3) : [0, 1, 2].map((offset) => apiPort + PORT_STEP * index + offset);
    const [api = 0, link = 0, open = 0] = own;
    const site = `site-${'abcdefgh'.charAt(Math.floor(index / perSite))}`;
    return { name, site, folder: join(folder, 'replicas', name), ports: { api, link, public: open } };
  });
  const etcdPorts = (): Promise<readonly number[]> =>
    apiPort === 0
      ? ports(6)
      : Promise.resolve([0, 1, 2].flatMap((index) => [3, 4].map((offset) => apiPort + PORT_STEP * index + offset)));
  const etcd =
    running !== undefined
      ? { endpoints: running, members: [], folder: '', keys: '' }
      : input.text('store') === 'etcd' || total > 1
        ? await planEtcd(folder, etcdPorts)
        : undefined;
  return {
    folder,
    replicas,
    etcd,
    edges: Array.from({ length: edges }, (_, index) => ({
      name: `edge-${index + 1}`,
      folder: join(folder, 'edges', `edge-${index + 1}`),
    })),
    restart: input.text('restart') === 'never' ? 'never' : 'always',
    files: {
      ca: join(folder, 'ca'),
      operator: join(folder, 'operator'),
      client: join(folder, 'client.yaml'),
      kubeconfig: join(folder, 'admin.kubeconfig'),
      state: join(folder, 'state.json'),
      lock: join(folder, 'dev.pid'),
      logs: join(folder, 'logs'),
    },
  };
}

/** `https://127.0.0.1:PORT` of a replica's API. */
export function apiUrl({ ports }: ReplicaPlan): string {
  return `https://127.0.0.1:${ports.api}`;
}

/** `127.0.0.1:PORT` of a replica's link listener. */
export function linkAddress({ ports }: ReplicaPlan): string {
  return `127.0.0.1:${ports.link}`;
}

export function publicAddress({ ports }: ReplicaPlan): string {
  return `127.0.0.1:${ports.public}`;
}
