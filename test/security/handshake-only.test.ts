/**
 * "Authorisation only at the handshake": whoever was let in stayed in, whatever was decided afterwards (chisel). Here it is asked
 * again for each request and stream, and what is open is cut when the answer changes.
 */
import { once } from 'node:events';
import { test } from 'tap';
import { begin, closed, codeIn, opened, WEB } from '../integration/start.ts';
import { startKube } from '../support/fed-kube.ts';
import { waitFor, within } from '../support/wait-for.ts';
import { keptConnection, keysOf, lift, MALLORY, pinOf, revoke, sdkOf, startFleet } from './fleet.ts';

test('a revoked caller’s connections are cut, with requests and watches, and new ones are refused', async (t) => {
  const { cluster } = await startFleet(t);
  const mallory = await keysOf(cluster, MALLORY);
  const agent = keptConnection(t, cluster, mallory);
  const other = keptConnection(t, cluster, mallory);
  t.equal((await cluster.ask(`${WEB}/`, { agent, credentials: mallory })).status, 200);
  const endless = await begin(cluster, `${WEB}/endless`, { agent: other, credentials: mallory });
  const watch = await begin(cluster, '/apis/causeway.io/v1/edgenodes?watch=1', { credentials: mallory });
  const own = await begin(cluster, '/apis/causeway.io/v1/edgenodes?watch=1');
  t.equal(watch.response.statusCode, 200);
  const gone = Promise.all([closed(endless.response), closed(watch.response)]);
  const [socket] = Object.values(agent.freeSockets).flat();
  const isIdleGone = once(socket ?? t, 'close');

  await revoke(cluster, 'mallory', { principal: MALLORY, reason: 'left' });
  await within('what is open to be cut', gone, 2000);
  await within('the idle connection to be cut', isIdleGone, 2000);
  t.notOk(endless.response.complete, 'the request sees that it is not whole');
  const refused = await cluster.ask(`${WEB}/`, { credentials: mallory });
  t.equal(refused.status, 403);
  t.equal(codeIn(refused), 'revoked');
  t.notMatch(String(refused.body), /left/u, 'why, is not his to know');
  t.equal((await cluster.ask(`${WEB}/`)).status, 200, 'others go on');
  t.notOk(own.response.destroyed, 'with what they have open');
  own.response.destroy();

  await lift(cluster, 'mallory');
  await waitFor('it to be lifted', async () => (await cluster.ask(`${WEB}/`, { credentials: mallory })).status === 200);
});

test('a revoked client’s links are cut, with their streams at the edge, and it cannot come back', async (t) => {
  const { cluster, upstream } = await startFleet(t);
  const mallory = await keysOf(cluster, MALLORY);
  const [bad, good] = [await sdkOf(t, cluster, mallory), await cluster.client()];
  const stream = bad.edge('edge-1').dial('echo');
  const kept = good.edge('edge-1').dial('echo');
  await Promise.all([opened(stream), opened(kept)]);
  const endless = await bad.edge('edge-1').fetch('web', '/endless');
  stream.on('error', () => undefined);
  const gone = closed(stream);

  await revoke(cluster, 'mallory', { keyPin: pinOf(mallory) });
  await within('the stream to end', gone, 2000);
  t.match(stream.errored, { code: 'revoked' });
  await t.rejects(endless.text(), 'the answer is cut off');
  await waitFor('the service to be left alone', () => upstream.endless() === 0, { deadlineMs: 2000 });
  const again = bad.edge('edge-1').dial('echo');
  again.on('error', () => undefined);
  await within('a new stream to fail', closed(again), 12_000);
  kept.write('still here');
  const [echoed] = (await within('the echo', once(kept, 'data'))) as [Buffer];
  t.equal(String(echoed), 'still here');
  kept.destroy();
});

test('one certificate can be revoked by its serial number, in any spelling, and its owner’s next one is good', async (t) => {
  const { cluster } = await startFleet(t);
  const first = await keysOf(cluster, MALLORY);
  const serial = (first.leaf.serialNumber.match(/../gu) ?? []).join(':').toLowerCase();
  await revoke(cluster, 'one', { serial });
  const refused = await waitFor('the refusal', async () => {
    const answer = await cluster.ask(`${WEB}/`, { credentials: first });
    return answer.status === 403 ? answer : undefined;
  });
  t.equal(codeIn(refused), 'revoked');
  const second = await keysOf(cluster, MALLORY);
  t.not(second.leaf.serialNumber, first.leaf.serialNumber);
  t.equal((await cluster.ask(`${WEB}/`, { credentials: second })).status, 200);
});

test('an edge that is denied while it runs loses its links, its streams and its watches; others do not', async (t) => {
  const { cluster, upstream } = await startFleet(t, { edges: 2 });
  const to = async (edge: string) => {
    const request = await begin(cluster, `/edges/${edge}/web/endless`);
    const stream = (await cluster.client()).edge(edge).dial('echo');
    stream.on('error', () => undefined);
    await opened(stream);
    return { request, stream };
  };
  const [first, second] = [await to('edge-1'), await to('edge-2')];
  const slow = cluster.ask('/edges/edge-1/web/slow', { method: 'POST', body: 'once' });
  await waitFor('the request to be there', () => upstream.slowBodies.includes('once'));
  const gone = Promise.all([closed(first.request.response), closed(first.stream)]);
  await cluster.setAdmission('edge-1', 'Denied');
  await within('both to be cut', gone, 2000);
  t.match(first.stream.errored, { code: 'edge-cut' });
  const answer = await within('the request without an answer', slow, 2000);
  t.equal(answer.status, 502);
  t.equal(codeIn(answer), 'outcome-unknown', 'nobody knows what the edge did of it');
  await waitFor('its links to go', async () => (await cluster.node('edge-1')).status?.links.length === 0);
  t.equal((await cluster.node('edge-2')).status?.links.length, 2);
  t.notOk(second.request.response.destroyed);
  t.notOk(second.stream.destroyed);
  second.request.response.destroy();
  second.stream.destroy();
});

test('watches of what is known of an edge end when it is denied, and say so; it is not shown any more', async (t) => {
  const { service, edge } = await startKube(t);
  edge.api.put('pod-1');
  const { cluster } = await startFleet(t, { services: () => [service] });
  const pods = '/edges/edge-1/kube/api/v1/pods';
  await waitFor('the copy', async () => (await cluster.ask(`${pods}?resourceVersion=0`)).headers['age'] !== undefined);
  const watch = await begin(cluster, `${pods}?watch=true&resourceVersion=0`);
  const fleetWatch = await begin(cluster, '/fleet/kube/api/v1/pods?watch=true&allowPartial=true');
  const lines = { edge: '', fleet: '' };
  watch.response.on('data', (chunk: Buffer) => (lines.edge += String(chunk)));
  fleetWatch.response.on('data', (chunk: Buffer) => (lines.fleet += String(chunk)));
  await waitFor('the pod in both', () => lines.edge.includes('pod-1') && lines.fleet.includes('edge-1.pod-1'));

  const gone = closed(watch.response);
  await cluster.setAdmission('edge-1', 'Denied');
  await within('the watch to end', gone, 2000);
  t.ok(watch.response.complete, 'it is a good end');
  const last = JSON.parse(lines.edge.trim().split('\n').at(-1) ?? '') as object;
  t.match(last, { type: 'ERROR', object: { kind: 'Status', code: 410 } }, 'after which a client asks anew');
  const anew = await cluster.ask(`${pods}?watch=true&resourceVersion=0`);
  t.equal(anew.status, 403);
  t.equal(codeIn(anew), 'edge-denied', 'and hears why');
  await waitFor('its objects to leave the view of all edges', () => /"DELETED".*edge-1\.pod-1/u.test(lines.fleet), {
    deadlineMs: 2000,
  });
  t.notOk(fleetWatch.response.destroyed, 'which goes on for the others');
  fleetWatch.response.destroy();
});
