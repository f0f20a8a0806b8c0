import { test } from 'tap';
import { ProcessCluster } from '../support/process-cluster.ts';
import { waitFor, within } from '../support/wait-for.ts';
import { codeIn, start, WEB } from './start.ts';
import { startUpstream } from './upstream.ts';

test('a request for an edge that is away waits, then is told that nothing was executed', async (t) => {
  const { cluster, upstream } = await start(t, { limits: { openWithinMs: 300 } });
  await cluster.stopAgent('edge-1');
  const answer = await cluster.ask(`${WEB}/slow`, { method: 'POST', body: 'x' });
  t.equal(answer.status, 503);
  t.equal(codeIn(answer), 'not-opened');
  t.ok(Number(answer.headers['retry-after']) >= 1);
  t.match(JSON.parse(String(answer.body)), { message: /nothing was executed/u });
  t.strictSame(upstream.slowBodies, []);
});

test('a request for an edge that comes back in time is served', async (t) => {
  const { cluster } = await start(t);
  await cluster.stopAgent('edge-1');
  const answer = cluster.ask(`${WEB}/waited`);
  await cluster.startAgent('edge-1');
  t.equal(String((await within('the answer', answer)).body), 'edge-1 GET /waited');
});

test('an agent that is killed with a POST under way: the outcome is unknown, and it is executed once', async (t) => {
  const upstream = await startUpstream(t, 'edge-1');
  const cluster = await ProcessCluster.start(t, { services: () => upstream.services });
  const answer = cluster.ask(`${WEB}/slow`, { method: 'POST', body: 'once' });
  await waitFor('the service to have it', () => upstream.slowBodies.length === 1);
  await cluster.agent('edge-1').kill();
  await cluster.startAgent('edge-1');
  const { status, headers } = await within('the answer', answer, 20_000);
  t.equal(status, 502);
  t.equal(headers['causeway-code'], 'outcome-unknown');
  t.equal(String((await cluster.ask(`${WEB}/next`)).body), 'edge-1 GET /next');
  t.strictSame(upstream.slowBodies, ['once']);
});

test('an agent that ends with a POST under way says so, and it is executed once', async (t) => {
  const { cluster, upstream } = await start(t);
  const fleet = await cluster.client();
  const bySdk = fleet.edge('edge-1').fetch('web', '/slow', { method: 'POST', body: 'by the SDK' });
  const answer = cluster.ask(`${WEB}/slow`, { method: 'POST', body: 'once' });
  await waitFor('the service to have both', () => upstream.slowBodies.length === 2);
  const refused = t.rejects(bySdk, { code: 'outcome-unknown' });
  await cluster.stopAgent('edge-1');
  await cluster.startAgent('edge-1');
  const { status, headers } = await within('the answer', answer);
  t.equal(status, 502);
  t.equal(headers['causeway-code'], 'outcome-unknown');
  await refused;
  t.strictSame(upstream.slowBodies.toSorted(), ['by the SDK', 'once']);
});
