import { test } from 'tap';
import { waitFor, within } from '../support/wait-for.ts';
import { begin, closed, codeIn, opened, start, WEB } from './start.ts';

test('an edge that is not on the whitelist is kept out, and its agent says why', async (t) => {
  const { cluster } = await start(t);
  await cluster.startAgent('edge-x');
  const event = await waitFor('the refusal in the log', () => {
    return cluster.events('edge-x').find(({ event }) => event === 'link-failed');
  });
  t.match(event, { code: 'edge-denied', reason: /whitelist/u, fix: /node allow/u });
  t.ok(Number(event['retryMs']) >= 30_000, 'it keeps away for as long as it was told');
  t.equal(
    cluster.events('edge-x').filter(({ event }) => event === 'link-failed').length <= 2,
    true,
    'once for each link',
  );
  t.equal((await cluster.ask('/edges/edge-x/web/')).status, 404, 'nobody knows it');

  await cluster.stopAgent('edge-x');
  await cluster.allow('edge-x');
  await cluster.startAgent('edge-x');
  await cluster.online('edge-x');
  t.equal(String((await cluster.ask('/edges/edge-x/web/in')).body), 'edge-1 GET /in');
  await cluster.setAdmission('edge-x', 'Denied');
  const denied = await cluster.ask('/edges/edge-x/web/out');
  t.equal(denied.status, 403);
  t.equal(codeIn(denied), 'edge-denied');
});

test('an edge that is denied is cut off, with what runs there', async (t) => {
  const { cluster, upstream } = await start(t);
  const { response } = await begin(cluster, `${WEB}/endless`);
  const fleet = await cluster.client();
  const stream = fleet.edge('edge-1').dial('echo');
  await opened(stream);
  stream.on('error', () => undefined);
  const gone = Promise.all([closed(response), closed(stream)]);

  await cluster.setAdmission('edge-1', 'Denied');
  await within('the request and the stream to be cut', gone);
  t.notOk(response.complete);
  t.match(stream.errored, { code: 'edge-cut' });
  await waitFor('the links to go', async () => (await cluster.node('edge-1')).status?.links.length === 0);
  await waitFor('the agent to say why', () => cluster.events('edge-1').some(({ code }) => code === 'edge-denied'));
  await cluster.stopAgent('edge-1');
  await waitFor('the service to be left alone', () => upstream.endless() === 0);
});
