/**
 * A replica that was broken into goes on answering where the others, and agents, dial it. Revoked, it has links with nobody: not with
 * those who dial it either.
 */
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { createLog, silentLog } from '../../base/index.ts';
import { gatewayConfigSchema, startReplica, type Replica } from '../../gateway/index.ts';
import { dialPeer } from '../../gateway/peers/index.ts';
import { openEmbeddedStore } from '../../store/index.ts';
import type { AgentEvent, Cluster } from '../support/cluster.ts';
import { freePort } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';
import { keysOf, lift, revoke, startFleet } from './fleet.ts';

/** Two replicas of one fleet; the first dials the second, and the agent has a link with each. */
async function startTwo(t: Test): Promise<{
  readonly cluster: Cluster;
  readonly other: Replica;
  readonly events: readonly AgentEvent[];
}> {
  const store = openEmbeddedStore();
  t.teardown(() => store.close());
  const events: AgentEvent[] = [];
  const write = (line: string): void => void events.push(JSON.parse(line) as AgentEvent);
  const log = createLog({ name: 'replica', level: 'info', destination: { write } });
  const port = await freePort();
  const gateway = { link: { host: '127.0.0.1', port }, advertise: [`127.0.0.1:${port}`] };
  const { cluster } = await startFleet(t, { store, gateway, log });
  const other = await secondReplica(cluster, store);
  t.teardown(() => other.close('the test is over'));
  return { cluster, other, events };
}

async function secondReplica(cluster: Cluster, store: ReturnType<typeof openEmbeddedStore>): Promise<Replica> {
  const link = await freePort();
  const anywhere = { host: '127.0.0.1', port: 0 };
  const config = gatewayConfigSchema.parse({
    site: 'site-b',
    name: 'r1',
    keys: await cluster.certificates.keyStore(join(cluster.folder, 'keys'), 'replica/site-b/r1'),
    link: { host: '127.0.0.1', port: link },
    api: anywhere,
    public: anywhere,
    advertise: [`127.0.0.1:${link}`],
    store: { path: join(cluster.folder, 'unused.db') },
    drainMs: 200,
    log: 'silent',
  });
  return await startReplica({ config, log: silentLog, version: 'test', store });
}

test('a revoked replica is left by the replicas and agents that have dialed it, until that is lifted', async (t) => {
  const { cluster, other, events } = await startTwo(t);
  const targets = (): readonly string[] => cluster.agent('edge-1').uplink.links.map(({ target }) => target);
  const address = `127.0.0.1:${other.ports.link}`;
  await waitFor('the agent to have a link with each', () => targets().includes(address) && targets().length === 2);
  const opened = (): number => events.filter(({ event }) => event === 'peer-link-opened').length;
  await waitFor('the link between them', () => opened() === 1);

  await revoke(cluster, 'broken-into', { principal: 'replica/site-b/r1' });
  await waitFor('the link that was dialed to be cut', () => events.some(({ event }) => event === 'peer-link-cut'), {
    deadlineMs: 2000,
  });
  await waitFor('the agent to leave it', () => !targets().includes(address), { deadlineMs: 2000 });
  await waitFor('it to be dialed in vain', () =>
    events.some(({ event, reason }) => event === 'peer-link-failed' && /revoked/u.test(String(reason))),
  );
  await waitFor('the agent to dial it in vain', () =>
    cluster
      .events('edge-1')
      .some(
        ({ event, target, reason }) => event === 'link-failed' && target === address && /revoked/u.test(String(reason)),
      ),
  );
  t.notOk(targets().includes(address));
  t.equal(opened(), 1);

  await lift(cluster, 'broken-into');
  await waitFor('the link between them to come back', () => opened() === 2);
});

test('a replica links with the very replica that it has dialed, and with no other', async (t) => {
  const { cluster } = await startFleet(t);
  const keys = await keysOf(cluster, 'replica/site-b/r1');
  const target = `127.0.0.1:${cluster.ports.link}`;
  const accepted = (): undefined => undefined;
  await t.rejects(dialPeer('site-a/other', target, keys, accepted), {
    code: 'link-refused',
    message: /replica\/site-a\/r0 answers in place of replica\/site-a\/other/u,
  });
  const { wire, peer } = await dialPeer('site-a/r0', target, keys, accepted);
  t.equal(peer.principal, 'replica/site-a/r0');
  wire.destroy();
});
