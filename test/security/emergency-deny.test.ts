import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { emergencyDenyPath } from '../../api/index.ts';
import { loadKeyStore } from '../../certs/index.ts';
import { begin, closed, codeIn } from '../integration/start.ts';
import type { Cluster } from '../support/cluster.ts';
import { waitFor, within } from '../support/wait-for.ts';
import { auditOf, dialLinkAs, keysOf, startFleet } from './fleet.ts';

function order(cluster: Cluster, body: object, more: object = {}) {
  return cluster.ask(emergencyDenyPath, { method: 'POST', body: JSON.stringify(body), ...more });
}

test('an emergency denial cuts an edge off without a word to the store, outlives the replica, and is lifted', async (t) => {
  const { cluster } = await startFleet(t, { edges: 2 });
  const { response } = await begin(cluster, '/edges/edge-1/web/endless');
  const gone = closed(response);
  const answer = await order(cluster, { edge: 'edge-1', reason: 'stolen' });
  t.match(JSON.parse(String(answer.body)), {
    edge: 'edge-1',
    replica: 'site-a/r0',
    denied: true,
    changed: true,
    kept: true,
  });
  await within('what runs there to be cut', gone, 2000);
  t.equal(codeIn(await cluster.ask('/edges/edge-1/web/')), 'edge-denied');
  t.equal((await cluster.node('edge-1')).spec.admission, 'Allowed', 'the whitelist says nothing of it');
  t.equal((await cluster.ask('/edges/edge-2/web/')).status, 200);
  t.match(
    auditOf(cluster).find(({ action }) => action === 'emergency-deny'),
    { principal: 'operator/tester', edge: 'edge-1', reason: 'stolen' },
  );

  await cluster.restartReplica();
  const keys = await loadKeyStore(join(cluster.folder, 'keys', 'edge-edge-1'));
  t.match(await dialLinkAs(cluster, keys, {}), { code: 'edge-denied' });
  await cluster.setAdmission('edge-1', 'Allowed');
  t.match(await dialLinkAs(cluster, keys, {}), { code: 'edge-denied' }, 'the whitelist alone does not lift it');
  const listed = JSON.parse(String((await cluster.ask(emergencyDenyPath)).body)) as { denied: unknown[] };
  t.match(listed.denied, [{ edge: 'edge-1', by: 'operator/tester', reason: 'stolen' }]);

  const lifted = await order(cluster, { edge: 'edge-1', lift: true });
  t.match(JSON.parse(String(lifted.body)), { denied: false, changed: true, kept: true });
  const back = await dialLinkAs(cluster, keys, {});
  t.ok('close' in back, 'it is back');
  if ('close' in back) back.close();
  const again = await order(cluster, { edge: 'edge-1', lift: true });
  t.match(JSON.parse(String(again.body)), { denied: false, changed: false });
});

test('only an administrator may, and what is no order is none', async (t) => {
  const { cluster } = await startFleet(t);
  const bob = await keysOf(cluster, 'operator/bob');
  const refused = await order(cluster, { edge: 'edge-1' }, { credentials: bob });
  t.equal(refused.status, 403);
  t.equal((await order(cluster, { edge: 'edge-1' }, { credentials: {} })).status, 401, 'nor nobody');
  for (const body of [{}, { edge: '../x' }, { edge: 'edge-1', more: 1 }, { edge: 'edge-1', reason: 'x'.repeat(2000) }])
    t.ok((await order(cluster, body)).status >= 400, JSON.stringify(body).slice(0, 60));
  t.equal((await cluster.ask(emergencyDenyPath, { method: 'POST', body: 'x'.repeat(9000) })).status, 413);
  t.equal((await cluster.ask(emergencyDenyPath, { method: 'DELETE' })).status, 405);
  t.equal((await cluster.ask('/edges/edge-1/web/')).status, 200, 'nothing has come of it');
});

test('a denial that cannot be kept takes effect all the same, and says so', async (t) => {
  const { cluster } = await startFleet(t, { gateway: { emergency: '/proc/nowhere/denied.json' } });
  const answer = await order(cluster, { edge: 'edge-1' });
  t.match(JSON.parse(String(answer.body)), { denied: true, kept: false });
  t.equal(codeIn(await cluster.ask('/edges/edge-1/web/')), 'edge-denied');
});

test('a replica whose file of denials is damaged does not start: nobody knows whom it keeps out', async (t) => {
  const { cluster } = await startFleet(t);
  await order(cluster, { edge: 'edge-1' });
  const file = join(cluster.folder, 'keys', 'replica-site-a-r0', 'emergency-denied.json');
  const good = readFileSync(file, 'utf8');
  t.match(JSON.parse(good), { version: 1, denied: [{ edge: 'edge-1' }] });
  let failure: unknown;
  await cluster
    .restartReplica(() => writeFileSync(file, good.slice(0, 20)))
    .catch((error: unknown) => {
      failure = error;
    });
  t.match(failure, { code: 'emergency-file-invalid', message: new RegExp(file, 'u') });
  writeFileSync(file, good);
  await waitFor('the file to be whole', () => readFileSync(file, 'utf8') === good);
});
