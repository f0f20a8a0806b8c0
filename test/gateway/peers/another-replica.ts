import { join } from 'node:path';
import { silentLog } from '../../../base/index.ts';
import { gatewayConfigSchema, startReplica, type Replica } from '../../../gateway/index.ts';
import type { Store } from '../../../store/index.ts';
import type { Cluster } from '../../support/cluster.ts';
import { freePort } from '../../support/program.ts';

/** One more replica of a fleet, with the same store. */
export async function anotherReplica(cluster: Cluster, store: Store, site: string, name: string): Promise<Replica> {
  const link = await freePort();
  const anywhere = { host: '127.0.0.1', port: 0 };
  const config = gatewayConfigSchema.parse({
    site,
    name,
    keys: await cluster.certificates.keyStore(join(cluster.folder, 'keys'), `replica/${site}/${name}`),
    link: { host: '127.0.0.1', port: link },
    api: anywhere,
    public: anywhere,
    advertise: [`127.0.0.1:${link}`],
    store: { path: join(cluster.folder, 'unused.db') },
    audit: { file: join(cluster.folder, `audit-${name}.jsonl`) },
    admins: ['operator/tester'],
    drainMs: 200,
    log: 'silent',
  });
  return await startReplica({ config, log: silentLog, version: 'test', store });
}
