import type { TunnelLimits } from '../../tunnel/index.ts';
import type { Child } from '../baseline/child.ts';
import type { BenchCredentials } from '../baseline/credentials.ts';
import { startReplicaProcess, type ReplicaPorts } from '../tunnel/replica-process.ts';
import { allow } from '../tunnel/tunnel.ts';
import { startEdgeAgents } from './edge-agents.ts';
import { startKubeOrigin, type OriginEdge } from './kube-origin.ts';
import { LinkRelay } from './link-relay.ts';
import { ReplicaClient } from './replica-client.ts';

/** A replica that is fed by agents of edges with a Kubernetes API. */
export interface FedFleet {
  readonly replica: Child<ReplicaPorts>;
  readonly originPort: number;
  readonly client: ReplicaClient;
  /** What the links go through. */
  readonly relay: LinkRelay;
  /** Starts the agents; resolves when everything is in the cache. */
  feed(): Promise<void>;
  stop(): Promise<void>;
}

export interface FedFleetOptions {
  readonly credentials: BenchCredentials;
  readonly edges: readonly OriginEdge[];
  /** Default true, as an agent's. */
  readonly dropManagedFields?: boolean;
  /** Of the tunnel, at both ends. */
  readonly limits?: Partial<TunnelLimits>;
  /** Of the replica's Node. */
  readonly flags?: readonly string[];
}

export async function startFedFleet(options: FedFleetOptions): Promise<FedFleet> {
  const { credentials, edges, dropManagedFields = true, limits = {}, flags = [] } = options;
  const [origin, replica] = await Promise.all([
    startKubeOrigin({ edges }),
    startReplicaProcess(credentials.relay, limits, flags),
  ]);
  const { api, link } = replica.ready;
  const relay = await LinkRelay.open(link);
  const parts: Child<object>[] = [origin, replica];
  const client = new ReplicaClient(api, credentials.client);
  for (const { name } of edges) await allow(api, credentials, name);
  return {
    replica,
    originPort: origin.ready.port,
    client,
    relay,
    async feed() {
      const known = await Promise.all(
        edges.map(async ({ name }) => ({ name, credentials: await credentials.newEdge(name) })),
      );
      parts.unshift(
        await startEdgeAgents({
          edges: known,
          linkPort: relay.port,
          originPort: origin.ready.port,
          dropManagedFields,
          limits,
        }),
      );
      const objects = edges.reduce((sum, { pods, configMaps = 0 }) => sum + pods + configMaps, 0);
      await client.until('causeway_cache_objects', objects);
      await client.until('causeway_cache_kinds', 2 * edges.length);
    },
    async stop() {
      relay.close();
      for (const part of parts) await part.stop();
    },
  };
}
