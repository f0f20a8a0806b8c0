import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeFlags, silentLog } from '../../base/index.ts';
import { saveKeyStore } from '../../certs/index.ts';
import { agentConfigSchema, startAgent } from '../../edge-agent/index.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/index.ts';
import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import type { PemCredentials } from '../baseline/credentials.ts';

export interface EdgeAgentsOptions {
  readonly edges: readonly { readonly name: string; readonly credentials: PemCredentials }[];
  readonly linkPort: number;
  /** Of the Kubernetes APIs. */
  readonly originPort: number;
  readonly dropManagedFields: boolean;
  readonly limits: Partial<TunnelLimits>;
}

/** Started at once. */
const AT_ONCE = 8;

/** Real agents in one process: each feeds the Pods and ConfigMaps of its API, through one link. */
export async function startEdgeAgents(options: EdgeAgentsOptions): Promise<Child<object>> {
  return await startChild(import.meta.filename, options, runtimeFlags);
}

async function run(options: EdgeAgentsOptions): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-bench-'));
  process.once('SIGTERM', () => {
    void rm(folder, { recursive: true }).finally(() => process.exit(0));
  });
  let next = 0;
  const starter = async (): Promise<void> => {
    for (let edge = options.edges[next++]; edge !== undefined; edge = options.edges[next++])
      await startOne(join(folder, edge.name), edge, options);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, starter));
  return {};
}

async function startOne(
  keys: string,
  { name, credentials }: EdgeAgentsOptions['edges'][number],
  { linkPort, originPort, dropManagedFields, limits }: EdgeAgentsOptions,
): Promise<void> {
  await saveKeyStore(keys, credentials);
  const config = agentConfigSchema.parse({
    gateways: [`127.0.0.1:${linkPort}`],
    keys,
    links: 1,
    services: [
      {
        name: 'kube',
        kind: 'http',
        url: `http://127.0.0.1:${originPort}/${name}`,
        cache: { resources: ['pods', 'configmaps'], dropManagedFields },
      },
    ],
  });
  await startAgent({ config, log: silentLog, version: '0.0.0', limits: { ...defaultLimits, ...limits } });
}

if (import.meta.main) serveAsChild(run);
