import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  authorityFiles,
  createAuthorityFiles,
  DAY_MS,
  ensureKeyFiles,
  readAuthorityFiles,
  writeReplacing,
  yamlFile,
} from '../fleet-files.ts';
import { kubeconfig } from '../kubeconfig.ts';
import { writeEtcdFiles, type EtcdPlan } from './dev-etcd.ts';
import { packageFolder } from '../version.ts';
import { apiUrl, linkAddress, publicAddress, type DevPlan, type EdgePlan, type ReplicaPlan } from './dev-plan.ts';

const VALID_MS = 365 * DAY_MS;
const WRITTEN = 'Written by `causeway dev` at each start.';

/** Makes the keys that are missing, and writes everything that the processes and the clients read. */
export async function writeDevFiles(plan: DevPlan): Promise<void> {
  const { folder, files, replicas, edges, etcd } = plan;
  await mkdir(folder, { recursive: true });
  if (etcd !== undefined) await writeEtcdFiles(etcd);
  const authority = (await readAuthorityFiles(files.ca)) ?? (await createAuthorityFiles(files.ca, 'causeway.local'));
  await ensureKeyFiles(authority, { folder: files.operator, name: 'operator/admin', validMs: VALID_MS });
  for (const replica of replicas) {
    const keys = join(replica.folder, 'keys');
    await ensureKeyFiles(authority, {
      folder: keys,
      name: `replica/${replica.site}/${replica.name}`,
      hosts: ['localhost', '127.0.0.1'],
      validMs: VALID_MS,
    });
    await writeReplacing(gatewayFile(replica), yamlFile([WRITTEN], gatewayConfig(plan, replica)));
  }
  for (const edge of edges) {
    await ensureKeyFiles(authority, {
      folder: join(edge.folder, 'keys'),
      name: `edge/${edge.name}`,
      validMs: VALID_MS,
    });
  }
  const client = {
    replicas: replicas.map((replica) => ({ api: apiUrl(replica), link: linkAddress(replica) })),
    keys: 'operator',
  };
  await writeReplacing(files.client, yamlFile([WRITTEN], client));
  const [first] = replicas;
  const server = first === undefined ? '' : apiUrl(first);
  await writeReplacing(
    files.kubeconfig,
    await kubeconfig({ server, keys: files.operator, edges: edges.map(({ name }) => name) }),
    0o600,
  );
  await chmod(files.kubeconfig, 0o600);
}

/** Writes what an edge's agent reads, once it is known where its demo services listen. */
export async function writeAgentFile(
  plan: DevPlan,
  edge: EdgePlan,
  ports: { readonly hello: number; readonly echo: number },
): Promise<void> {
  const config = {
    gateways: plan.replicas.map(linkAddress),
    keys: 'keys',
    data: 'data',
    services: [
      { name: 'kube', kind: 'embedded' },
      { name: 'hello', kind: 'http', url: `http://127.0.0.1:${ports.hello}`, allowConnect: true },
      { name: 'echo', kind: 'tcp', address: `127.0.0.1:${ports.echo}` },
    ],
  };
  await writeReplacing(agentFile(edge), yamlFile([WRITTEN], config));
}

export function gatewayFile(replica: ReplicaPlan): string {
  return join(replica.folder, 'gateway.yaml');
}

export function agentFile(edge: EdgePlan): string {
  return join(edge.folder, 'agent.yaml');
}

function gatewayConfig({ files, etcd }: DevPlan, replica: ReplicaPlan): object {
  const { name, site, ports } = replica;
  return {
    site,
    name,
    keys: 'keys',
    api: { host: '127.0.0.1', port: ports.api },
    link: { host: '127.0.0.1', port: ports.link },
    public: { host: '127.0.0.1', port: ports.public },
    advertise: [linkAddress(replica)],
    advertisePublic: [publicAddress(replica)],
    store: storeConfig(etcd),
    issuer: authorityFiles(files.ca, 'edge'),
    admins: ['operator/admin'],
    // Where `npm run build:agent` puts them.
    agentFiles: join(packageFolder(), 'dist', 'agent'),
    cache: { snapshots: 'cache' },
  };
}

function storeConfig(etcd: EtcdPlan | undefined): object {
  if (etcd === undefined) return { path: 'store.db' };
  const { endpoints, members, keys } = etcd;
  if (members.length === 0) return { etcd: { endpoints } };
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((file) => join(keys, file));
  return { etcd: { endpoints, ca, cert, key } };
}
