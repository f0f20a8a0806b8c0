import { join } from 'node:path';
import { test } from 'tap';
import { createLog } from '../../../base/index.ts';
import { agentConfigSchema, startAgent, type Agent } from '../../../edge-agent/index.ts';
import { connect, readAudit } from '../../../sdk/index.ts';
import { openEmbeddedStore } from '../../../store/index.ts';
import { start } from '../../integration/start.ts';
import { startUpstream } from '../../integration/upstream.ts';
import { waitFor } from '../../support/wait-for.ts';
import { anotherReplica } from './another-replica.ts';

test('of two agents with one identity at different replicas the newer serves, and the older is told', async (t) => {
  const store = openEmbeddedStore();
  t.teardown(() => store.close());
  const { cluster } = await start(t, { store });
  const other = await anotherReplica(cluster, store, 'site-b', 'r1');
  t.teardown(() => other.close('the test is over'));
  const keys = await cluster.certificates.keyStore(join(cluster.folder, 'keys'), 'edge/edge-2');
  await cluster.allow('edge-2');

  /** An agent of edge-2 with one link, to one replica. */
  const agentAt = async (port: number, says: string): Promise<{ agent: Agent; said: string[] }> => {
    const { services } = await startUpstream(t, says);
    const said: string[] = [];
    const config = agentConfigSchema.parse({ gateways: [`127.0.0.1:${port}`], links: 1, keys, services, drainMs: 0 });
    const log = createLog({
      name: says,
      level: 'info',
      destination: { write: (line: string) => void said.push(line) },
    });
    const agent = await startAgent({ config, log, version: 'test', env: {} });
    t.teardown(() => agent.close('the test is over'));
    return { agent, said };
  };
  const clients = await Promise.all(
    [cluster.ports, other.ports].map(({ api, link }) =>
      connect({
        config: {
          replicas: [{ api: `https://127.0.0.1:${api}`, link: `127.0.0.1:${link}` }],
          keys: cluster.clientConfig.keys,
        },
      }),
    ),
  );
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  const served = (by: string): Promise<unknown> =>
    waitFor(`${by} to answer at both replicas`, async () => {
      const answers = await Promise.all(
        clients.map(async (client) => (await client.edge('edge-2').fetch('web', '/')).text()),
      );
      return answers.every((answer) => answer === `${by} GET /`);
    });

  const older = await agentAt(cluster.ports.link, 'older');
  await served('older');
  await agentAt(other.ports.link, 'newer');
  await served('newer');
  await waitFor('the older to be told', () => older.said.some((line) => line.includes('instance-superseded')));
  const conflicts = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const { api } of clients)
      for await (const record of readAudit(api, { edge: 'edge-2', actions: ['instance-conflict'] }))
        if (record !== 'caught-up') found.push(`${record.replica} ${record.code}`);
    return found;
  };
  t.ok((await conflicts()).includes('site-a/r0 instance-superseded'));

  await older.agent.close('its goodbye comes late');
  await served('newer');
});
