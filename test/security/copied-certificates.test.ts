/**
 * "Copied certificates accepted for another node" (KubeEdge): a certificate is good for the one edge that it names, for one agent
 * at a time, and with a key that was not banned.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { test } from 'tap';
import { edgeNodePath } from '../../api/index.ts';
import { createLog } from '../../base/index.ts';
import { identityOf, issueLeaf, loadKeyStore, type TlsCredentials } from '../../certs/index.ts';
import { agentConfigSchema, startAgent } from '../../edge-agent/index.ts';
import { join } from 'node:path';
import type { Cluster } from '../support/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { auditOf, dialLinkAs, pinOf, revoke, startFleet } from './fleet.ts';

function edgeKeys({ folder }: Cluster, edge: string) {
  return loadKeyStore(join(folder, 'keys', `edge-${edge}`));
}

/** A certificate with another name for the key of an edge: by a fault of whoever issues, or by an old one. */
async function reissued({ certificates }: Cluster, keys: TlsCredentials, name: string): Promise<TlsCredentials> {
  const { authority, trustDomain } = certificates;
  const publicKey = createPublicKey(createPrivateKey(keys.keyPem));
  const { chainPem } = await issueLeaf(authority.issuers.edge, { identity: identityOf(trustDomain, name), publicKey });
  return { ...keys, chainPem };
}

test('a HELLO cannot name another edge than the certificate, and what else it says names nobody', async (t) => {
  const { cluster } = await startFleet(t, { edges: 2 });
  const copied = await edgeKeys(cluster, 'edge-1');
  const before = await cluster.node('edge-2');
  const refused = await dialLinkAs(cluster, copied, { edge: 'edge-2' });
  t.match(refused, { code: 'denied', reason: /names edge-2, the certificate edge\/edge-1/u });
  const named = await dialLinkAs(cluster, copied, { role: 'client', edge: 'edge-2' });
  t.match(named, { code: 'hello-malformed' }, 'nor is an edge a client');
  const taken = await dialLinkAs(cluster, copied, {
    id: 'edge-2',
    name: 'edge-2',
    node: 'edge-2',
    principal: 'edge/edge-2',
  });
  t.ok('welcome' in taken, 'it is edge-1, whatever it calls itself');
  t.strictSame((await cluster.node('edge-2')).status?.instance, before.status?.instance);
  await waitFor('edge-1 to be it', async () => (await cluster.node('edge-1')).status?.instance === 'deadbeefdeadbeef');
  if ('close' in taken) taken.close();
});

test('of two agents with one certificate the newer one stays, the older one is told, and it is recorded', async (t) => {
  const { cluster } = await startFleet(t);
  const older = (await cluster.node('edge-1')).status?.instance;
  const events: { event: string; code?: string; retryMs?: number }[] = [];
  const log = createLog({
    name: 'copy',
    level: 'info',
    destination: { write: (line) => void events.push(JSON.parse(line)) },
  });
  const config = agentConfigSchema.parse({
    gateways: [`127.0.0.1:${cluster.ports.link}`],
    keys: join(cluster.folder, 'keys', 'edge-edge-1'),
    drainMs: 0,
  });
  const copy = await startAgent({ config, log, version: 'test', env: {} });
  t.teardown(() => copy.close('the test is over'));

  const told = () => cluster.events('edge-1').filter(({ code }) => code === 'instance-superseded');
  await waitFor('the older one to be told', () => told().length >= 2);
  t.ok(
    told().some(({ event, retryMs }) => event === 'link-failed' && Number(retryMs) >= 60_000),
    'it keeps away',
  );
  await waitFor('the newer one to be registered', async () => {
    const { status } = await cluster.node('edge-1');
    return status?.instance !== older && status?.links.length === 2;
  });
  const conflict = await waitFor('the record', () =>
    auditOf(cluster).find(({ action }) => action === 'instance-conflict'),
  );
  t.match(conflict, {
    edge: 'edge-1',
    code: 'instance-superseded',
    reason: new RegExp(`takes over from ${older}`, 'u'),
  });

  // It comes again, as it will in a minute.
  const back = await dialLinkAs(cluster, await edgeKeys(cluster, 'edge-1'), { instance: older, epoch: 1 });
  t.match(back, { code: 'instance-superseded' });
  await waitFor('that record', () => auditOf(cluster).some(({ reason }) => /comes back/u.test(String(reason))));
});

test('a banned key is refused under every name', async (t) => {
  const { cluster } = await startFleet(t, { edges: 2 });
  const keys = await edgeKeys(cluster, 'edge-1');
  const renamed = await reissued(cluster, keys, 'edge/edge-9');
  await cluster.allow('edge-9');
  const before = await dialLinkAs(cluster, renamed, {});
  t.ok('welcome' in before, 'the new name is on the whitelist');
  if ('close' in before) before.close();

  await revoke(cluster, 'key', { keyPin: pinOf(keys) });
  await waitFor(
    'the links of the old name to go',
    async () => (await cluster.node('edge-1')).status?.links.length === 0,
  );
  t.match(await dialLinkAs(cluster, renamed, {}), { code: 'revoked' });
  t.match(await dialLinkAs(cluster, keys, {}), { code: 'revoked' });
  t.equal((await cluster.node('edge-2')).status?.links.length, 2, 'other keys are not touched');
  const agent = await waitFor('the agent to say it', () => {
    return cluster.events('edge-1').find(({ event, code }) => event === 'link-closed' && code === 'revoked');
  });
  t.match(agent, { reason: /revoked/u });
});

test('an edge whose key is pinned registers with that key only, and one that has another is cut when it is pinned', async (t) => {
  const { cluster } = await startFleet(t);
  const keys = await edgeKeys(cluster, 'edge-1');
  const api = await cluster.api();
  const pin = (keyPin: string | null) => api.json('PATCH', edgeNodePath('edge-1'), { spec: { keyPin } });
  await pin(pinOf(keys));
  t.equal((await cluster.online('edge-1')).status?.links.length, 2, 'its own key stays');
  t.equal((await cluster.node('edge-1')).status?.certificate?.keyPin, pinOf(keys), 'which its object tells');
  const other = await cluster.certificates.credentials('edge/edge-1');
  const refused = await dialLinkAs(cluster, other, {});
  t.match(refused, { code: 'edge-denied', reason: /pinned to another key/u });
  await pin(pinOf(other));
  await waitFor(
    'the links of the old key to go',
    async () => (await cluster.node('edge-1')).status?.links.length === 0,
  );
  const taken = await dialLinkAs(cluster, other, {});
  t.ok('welcome' in taken);
  if ('close' in taken) taken.close();
});
