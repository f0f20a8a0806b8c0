/**
 * "A removed node rejoins after a restart or under another name" (KubeEdge). What was removed, or banned, stays out, whatever it
 * does; and who is refused hears why, and does not hammer.
 */
import { test } from 'tap';
import { join } from 'node:path';
import { loadKeyStore } from '../../certs/index.ts';
import { begin, closed, codeIn, opened } from '../integration/start.ts';
import { waitFor, within } from '../support/wait-for.ts';
import { dialLinkAs, lift, removeNode, revoke, startFleet } from './fleet.ts';

test('an edge that was removed is cut off, and neither a restart nor a new name brings it back', async (t) => {
  const { cluster } = await startFleet(t, { edges: 2 });
  const { response } = await begin(cluster, '/edges/edge-1/web/endless');
  const gone = closed(response);
  await removeNode(cluster, 'edge-1');
  await within('what runs there to be cut', gone, 2000);
  await waitFor('the agent to say why', () => {
    return cluster.events('edge-1').some(({ event, code }) => event === 'link-closed' && code === 'edge-denied');
  });
  const answer = await cluster.ask('/edges/edge-1/web/');
  t.equal(codeIn(answer), 'edge-unknown');

  await cluster.stopAgent('edge-1');
  const before = cluster.events('edge-1').length;
  await cluster.startAgent('edge-1');
  const refused = await waitFor('the refusal', () => {
    return cluster
      .events('edge-1')
      .slice(before)
      .find(({ event }) => event === 'link-failed');
  });
  t.match(refused, { code: 'edge-denied', fix: /node allow/u });
  const keys = await loadKeyStore(join(cluster.folder, 'keys', 'edge-edge-1'));
  t.match(
    await dialLinkAs(cluster, keys, { edge: 'edge-2' }),
    { code: 'edge-denied' },
    'a name that it says is no name',
  );
  // Nor has its coming made an object of it.
  await t.rejects(cluster.node('edge-1'), { code: 'object-not-found' });
  t.equal((await cluster.node('edge-2')).status?.links.length, 2);
});

test('a revoked edge stays out though it is on the whitelist, also over a restart of the replica', async (t) => {
  const { cluster } = await startFleet(t);
  const stream = (await cluster.client()).edge('edge-1').dial('echo');
  stream.on('error', () => undefined);
  await opened(stream);
  const gone = closed(stream);
  await revoke(cluster, 'stolen', { edge: 'edge-1', reason: 'stolen' });
  await within('its stream to be cut', gone, 2000);
  t.match(stream.errored, { code: 'edge-cut' });
  const heard = await waitFor('the agent to say why', () =>
    cluster.events('edge-1').find(({ code }) => code === 'revoked'),
  );
  t.notMatch(JSON.stringify(heard), /stolen/u, 'a thief is not told what is known');
  t.equal(codeIn(await cluster.ask('/edges/edge-1/web/')), 'edge-denied');

  await cluster.restartReplica();
  const keys = await loadKeyStore(join(cluster.folder, 'keys', 'edge-edge-1'));
  t.match(await dialLinkAs(cluster, keys, {}), { code: 'revoked' });
  await lift(cluster, 'stolen');
  const back = await waitFor('it to be let in', async () => {
    const dialed = await dialLinkAs(cluster, keys, {});
    return 'close' in dialed ? dialed : undefined;
  });
  back.close();
});

test('an agent that is refused keeps away for as long as it is told, also while streams of it wait', async (t) => {
  const { cluster } = await startFleet(t, { weak: true });
  const fleet = await cluster.client();
  const stream = fleet.edge('edge-1').dial('echo');
  stream.on('error', () => undefined);
  await opened(stream);
  // Its network goes first, so that nobody can tell it that its stream is over.
  const weak = cluster.weak('edge-1');
  weak.refuse();
  weak.cutAll();
  await waitFor('its stream to wait', () => cluster.agent('edge-1').endpoint.detachedStreams > 0);
  await cluster.setAdmission('edge-1', 'Denied');
  await weak.admit();
  const failures = () => cluster.events('edge-1').filter(({ event }) => event === 'link-failed');
  const refusals = () => failures().filter(({ code }) => code === 'edge-denied');
  await waitFor('both links to be refused', () => refusals().length >= 2, { deadlineMs: 20_000 });
  t.ok(cluster.agent('edge-1').endpoint.detachedStreams > 0, 'the stream waits still');
  for (const { retryMs } of refusals()) t.ok(Number(retryMs) >= 30_000, `it keeps away for ${String(retryMs)} ms`);
  // Long enough for a hurry of five seconds to show.
  const dialed = failures().length;
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  t.equal(failures().length, dialed, 'it does not dial');
  t.equal(refusals().length, 2);
});
