import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { test } from 'tap';
import {
  authorityKeyId,
  createFleetAuthority,
  issueFreshLeaf,
  identityOf,
  saveKeyStore,
  fingerprintOfRoot,
  signTrust,
} from '../../certs/index.ts';
import { X509Certificate } from 'node:crypto';
import { waitFor } from '../support/wait-for.ts';
import { start, WEB } from './start.ts';

const bundlesPath = '/apis/causeway.io/v1/trustbundles';

test('a root is rolled by overlap: replica, agent and client follow, and a stream goes on all the time', async (t) => {
  const { cluster } = await start(t, { issuer: { validMs: 30_000 } });
  const agent = cluster.agent('edge-1');
  await cluster.certificates.keyStore(join(cluster.folder, 'keys'), 'edge/edge-1', { validMs: 20_000 });
  await agent.reload();
  const { root: oldRoot } = cluster.certificates.authority;
  const next = await createFleetAuthority('fleet.test');
  const client = await cluster.client();
  const stream = client.edge('edge-1').dial('echo');
  stream.on('error', () => undefined);
  const echo = async (text: string): Promise<void> => {
    const seen = new Promise<string>((resolve) => stream.once('data', (chunk: Buffer) => resolve(String(chunk))));
    stream.write(text);
    t.equal(await seen, text);
  };
  await echo('before');
  const api = await cluster.api();
  const bundle = (spec: object): object => ({
    apiVersion: 'causeway.io/v1',
    kind: 'TrustBundle',
    metadata: { name: 'fleet' },
    spec,
  });

  const both = signTrust(oldRoot.certPem + next.root.certPem, 1, [oldRoot]);
  await api.json('POST', bundlesPath, bundle({ bundle: both }));
  await waitFor('the edge to trust both', async () => {
    const node = await cluster.node('edge-1');
    return node.status?.certificate?.trustVersion.startsWith('1-');
  });
  t.equal(agent.keys.trust.roots.length, 2);
  await echo('with both roots');

  writeFileSync(join(cluster.folder, 'issuer.key.pem'), next.issuers.edge.keyPem);
  writeFileSync(join(cluster.folder, 'issuer.cert.pem'), next.issuers.edge.certPem);
  const issuer = authorityKeyId(new X509Certificate(next.issuers.edge.certPem));
  await api.json('PATCH', `${bundlesPath}/fleet`, { spec: { issuer } });
  await cluster.reloadReplica();
  await waitFor(
    'the edge to have moved',
    async () => (await cluster.node('edge-1')).status?.certificate?.issuer === issuer,
  );
  const replica = await issueFreshLeaf(next.issuers.replica, {
    identity: identityOf('fleet.test', 'replica/site-a/r0'),
    hosts: ['localhost', '127.0.0.1'],
  });
  await saveKeyStore(join(cluster.folder, 'keys', 'replica-site-a-r0'), { ...replica, trustPem: both });
  await cluster.reloadReplica();
  await echo('under the new issuers');

  const oldCertificate = new X509Certificate(oldRoot.certPem);
  const alone = signTrust(next.root.certPem, 2, [oldRoot, next.root], [fingerprintOfRoot(oldCertificate)]);
  const operator = await issueFreshLeaf(next.issuers.operator, {
    identity: identityOf('fleet.test', 'operator/tester'),
  });
  await t.rejects(
    api.json('PATCH', `${bundlesPath}/fleet`, { spec: { bundle: signTrust(next.root.certPem, 3, []) } }),
    {
      code: 'object-invalid',
    },
  );
  const stranger = (await createFleetAuthority('fleet.test')).root.certPem;
  await t.rejects(api.json('PATCH', `${bundlesPath}/fleet`, { spec: { bundle: alone, retired: stranger } }), {
    code: 'object-invalid',
  });
  await api.json('PATCH', `${bundlesPath}/fleet`, { spec: { bundle: alone, retired: oldRoot.certPem } });
  await waitFor('the edge to trust the new root only', () => agent.keys.trust.roots.length === 1);
  await echo('after the old root has left');
  const underNewRoot = { credentials: operator, ca: next.root.certPem };
  t.equal((await cluster.ask(`${WEB}/new`, underNewRoot)).status, 200);
  await t.rejects(cluster.ask(`${WEB}/old`), 'the old root vouches for nobody');
  stream.destroy();
});
