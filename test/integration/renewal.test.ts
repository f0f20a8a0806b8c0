import { join } from 'node:path';
import { test } from 'tap';
import { edgeNodePath } from '../../api/index.ts';
import { issuerKeyId, keyPinOf, loadKeyStore } from '../../certs/index.ts';
import type { Cluster } from '../support/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { start, WEB } from './start.ts';

/** Gives an edge a key store whose certificate lives this long; its agent is not told. */
async function giveKeys(cluster: Cluster, edge: string, validMs: number): Promise<void> {
  await cluster.certificates.keyStore(join(cluster.folder, 'keys'), `edge/${edge}`, { validMs });
}

test('an agent renews its certificate over the link, with a new key, and its links with it', async (t) => {
  const { cluster } = await start(t, { issuer: { validMs: 3000 } });
  const agent = cluster.agent('edge-1');
  await giveKeys(cluster, 'edge-1', 60_000);
  await agent.reload();
  const first = agent.keys.current;
  const links = new Set((await cluster.online('edge-1')).status?.links.map(({ id }) => id));
  await giveKeys(cluster, 'edge-1', 3000);
  await agent.reload();
  const given = agent.keys.current;
  t.not(given.leaf.serialNumber, first.leaf.serialNumber);
  await waitFor('two renewals', () => {
    const renewed = cluster.events('edge-1').filter(({ event }) => event === 'certificate-renewed');
    return renewed.length >= 2;
  });
  const now = agent.keys.current;
  t.not(now.keyPem, given.keyPem, 'another key');
  t.equal(issuerKeyId(now.leaf), issuerKeyId(given.leaf));
  const later = await waitFor('all links to be new ones', async () => {
    const node = await cluster.online('edge-1');
    return node.status?.links.every(({ id }) => !links.has(id)) ? node : undefined;
  });
  t.match(later.status?.certificate, { issuer: issuerKeyId(now.leaf), trustVersion: now.trust.version });
  t.equal((await cluster.ask(`${WEB}/after`)).status, 200);
});

async function stopAgent(cluster: Cluster): Promise<void> {
  await cluster.stopAgent('edge-1');
  await waitFor('the edge to be offline', async () => (await cluster.node('edge-1')).status?.online === false);
}

/** Stops the agent, gives it keys that ended a minute ago, and starts it again. */
async function comeBackExpired(cluster: Cluster, options: { readonly wallClock?: () => number } = {}): Promise<void> {
  await stopAgent(cluster);
  await giveKeys(cluster, 'edge-1', -60_000);
  await cluster.startAgent('edge-1', options);
}

test('an edge that was away longer than its certificate lived renews it at the public listener', async (t) => {
  const { cluster } = await start(t);
  await comeBackExpired(cluster);
  const node = await cluster.online('edge-1');
  t.ok(Date.parse(node.status?.certificate?.notAfter ?? '') > Date.now());
  t.ok(cluster.events('edge-1').some(({ event, over }) => event === 'certificate-renewed' && over === 'public'));
  t.equal((await cluster.ask(`${WEB}/after`)).status, 200);
});

test('an edge whose clock says 1970 comes back as well', async (t) => {
  const { cluster } = await start(t);
  const since = performance.now();
  await comeBackExpired(cluster, { wallClock: () => performance.now() - since });
  await cluster.online('edge-1');
  t.ok(cluster.events('edge-1').some(({ event }) => event === 'clock-is-behind'));
  t.equal((await cluster.ask(`${WEB}/after`)).status, 200);
});

test('an expired certificate is not renewed', async (t) => {
  const failures = (cluster: Cluster): unknown[] =>
    cluster
      .events('edge-1')
      .flatMap(({ event, error }) => (event === 'renewal-failed' ? [(error as { code: string }).code] : []));

  await t.test('for an edge that is off the whitelist', async (t) => {
    const { cluster } = await start(t);
    await cluster.setAdmission('edge-1', 'Denied');
    await comeBackExpired(cluster);
    await waitFor('the refusal', () => failures(cluster).includes('edge-denied'));
    t.ok(cluster.agent('edge-1').keys.leaf.validToDate.getTime() < Date.now());
  });

  await t.test('after its grace', async (t) => {
    const { cluster } = await start(t, { issuer: { graceMs: 1000 } });
    await comeBackExpired(cluster);
    await waitFor('the refusal', () => failures(cluster).includes('refused'));
    t.ok(cluster.agent('edge-1').keys.leaf.validToDate.getTime() < Date.now());
  });

  await t.test('when its key has been revoked', async (t) => {
    const { cluster } = await start(t);
    await stopAgent(cluster);
    await giveKeys(cluster, 'edge-1', -60_000);
    const { leaf } = await loadKeyStore(join(cluster.folder, 'keys', 'edge-edge-1'));
    const api = await cluster.api();
    await api.json('POST', '/apis/causeway.io/v1/revocations', {
      apiVersion: 'causeway.io/v1',
      kind: 'Revocation',
      metadata: { name: 'lost' },
      spec: { keyPin: keyPinOf(leaf) },
    });
    await cluster.startAgent('edge-1');
    await waitFor('the refusal', () => failures(cluster).includes('revoked'));
    t.ok(cluster.agent('edge-1').keys.leaf.validToDate.getTime() < Date.now());
  });
});

test('an edge whose key is pinned keeps the key', async (t) => {
  const { cluster } = await start(t, { issuer: { validMs: 3000 } });
  await giveKeys(cluster, 'edge-1', 4000);
  const agent = cluster.agent('edge-1');
  await agent.reload();
  const { keyPem, leaf } = agent.keys.current;
  const api = await cluster.api();
  await api.json('PATCH', edgeNodePath('edge-1'), { spec: { keyPin: keyPinOf(leaf) } });
  await waitFor('a renewal', () => agent.keys.leaf.serialNumber !== leaf.serialNumber);
  t.equal(agent.keys.keyPem, keyPem);
  await cluster.online('edge-1');
});
