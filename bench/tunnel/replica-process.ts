import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeFlags, silentLog } from '../../base/index.ts';
import { saveKeyStore } from '../../certs/index.ts';
import { gatewayConfigSchema, startReplica } from '../../gateway/index.ts';
import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import type { PemCredentials } from '../baseline/credentials.ts';

export interface ReplicaPorts {
  readonly link: number;
  readonly api: number;
  readonly public: number;
}

/** A replica in a process of its own, with an empty store. */
export async function startReplicaProcess(credentials: PemCredentials): Promise<Child<ReplicaPorts>> {
  return await startChild(import.meta.filename, { credentials }, runtimeFlags);
}

async function run({ credentials }: { readonly credentials: PemCredentials }): Promise<ReplicaPorts> {
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
    log: 'silent',
  });
  const replica = await startReplica({ config, log: silentLog, version: '0.0.0' });
  process.once('SIGTERM', () => {
    void rm(folder, { recursive: true }).finally(() => process.exit(0));
  });
  return replica.ports;
}

if (import.meta.main) serveAsChild(run);
