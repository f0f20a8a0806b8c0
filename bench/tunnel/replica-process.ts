import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeFlags, silentLog } from '../../base/index.ts';
import { saveKeyStore } from '../../certs/index.ts';
import { gatewayConfigSchema, startReplica } from '../../gateway/index.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/index.ts';
import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import type { PemCredentials } from '../baseline/credentials.ts';

export interface ReplicaPorts {
  readonly link: number;
  readonly api: number;
  readonly public: number;
}

interface ReplicaProcessOptions {
  readonly credentials: PemCredentials;
  readonly limits: Partial<TunnelLimits>;
}

/** A replica in a process of its own, with an empty store. `flags`: Node's, besides those that a replica has. */
export async function startReplicaProcess(
  credentials: PemCredentials,
  limits: Partial<TunnelLimits> = {},
  flags: readonly string[] = [],
): Promise<Child<ReplicaPorts>> {
  return await startChild(import.meta.filename, { credentials, limits }, [...runtimeFlags, ...flags]);
}

async function run({ credentials, limits }: ReplicaProcessOptions): Promise<ReplicaPorts> {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-bench-'));
  await saveKeyStore(join(folder, 'keys'), credentials);
  const port = { host: '127.0.0.1', port: 0 };
  const config = gatewayConfigSchema.parse({
    site: 'bench',
    name: 'r0',
    keys: join(folder, 'keys'),
    link: port,
    api: port,
    public: port,
    store: { path: join(folder, 'store.db') },
    admins: ['component/bench'],
    log: 'silent',
  });
  const replica = await startReplica({
    config,
    log: silentLog,
    version: '0.0.0',
    limits: { ...defaultLimits, ...limits },
  });
  process.once('SIGTERM', () => {
    void rm(folder, { recursive: true }).finally(() => process.exit(0));
  });
  return replica.ports;
}

if (import.meta.main) serveAsChild(run);
