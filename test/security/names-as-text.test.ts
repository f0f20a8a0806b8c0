/**
 * "Names compared as text": a pattern matched names that only begin alike, and what one part decided by was not what another one
 * acted by (NATS). Here names are compared whole unless a `*` says otherwise, and one reading of a path is decided by and
 * forwarded.
 */
import { test } from 'tap';
import { PolicedFleet, REACHED } from '../gateway/policy/policed-fleet.ts';

const ALICE = 'operator/alice';

test('a name allows no name that begins as it does', async (t) => {
  const fleet = await PolicedFleet.start(t, { edges: 2 });
  await fleet.cluster.allow('edge-10');
  await fleet.setPolicy('alice', {
    principals: [ALICE],
    rules: [
      { edges: { names: ['edge-1'] }, services: ['hello'], verbs: ['get'], paths: ['/public'] },
      { edges: { names: ['edge-1'] }, services: ['metrics'], verbs: ['get'], paths: ['/public/*'] },
    ],
  });
  const status = async (principal: string, path: string): Promise<number> => (await fleet.ask(principal, path)).status;
  t.equal(await status(ALICE, '/edges/edge-1/hello/public'), REACHED);
  t.equal(await status(ALICE, '/edges/edge-1/metrics/public/x'), REACHED);
  const refused: [string, string][] = [
    [ALICE, '/edges/edge-10/hello/public'],
    [ALICE, '/edges/edge-2/hello/public'],
    [ALICE, '/edges/edge-1/hello2/public'],
    [ALICE, '/edges/edge-1/hello/publicity'],
    [ALICE, '/edges/edge-1/hello/public/x'],
    [ALICE, '/edges/edge-1/hello/PUBLIC'],
    [ALICE, '/edges/edge-1/metrics/public'],
    ['operator/alice2', '/edges/edge-1/hello/public'],
    ['operator/al', '/edges/edge-1/hello/public'],
    ['component/alice', '/edges/edge-1/hello/public'],
  ];
  for (const [principal, path] of refused) t.equal(await status(principal, path), 403, `${principal} ${path}`);
});

test('no spelling of a path leads out of what is allowed', async (t) => {
  const fleet = await PolicedFleet.start(t);
  const rule = { edges: { names: ['*'] }, services: ['hello'], verbs: ['*'], paths: ['/public/*'] };
  await fleet.setPolicy('alice', { principals: [ALICE], rules: [rule] });
  const before = fleet.reached.length;
  for (const path of [
    '/public/../secret',
    '/public/%2e%2e/secret',
    '/public/%2E%2E/secret',
    '/public/.%2e/secret',
    '/public/..%2fsecret',
    '/public%2f..%2fsecret',
    '/public/..%5csecret',
    '/public/..\\secret',
    '/public/..;/secret',
    '/public/%252e%252e/secret',
    '/public//../secret',
    '//public/x',
    '/public/x//y',
    '/public/./x',
    '/%70ublic/x',
    '/public%2fx',
    '/public/x%2f..',
    '/public/%',
    '/public/%00',
  ]) {
    const { status } = await fleet.ask(ALICE, `/edges/edge-1/hello${path}`);
    t.ok(status === 400 || status === 403, `${path} ${status}`);
  }
  t.equal(fleet.reached.length, before, 'nothing came to the service');
  t.equal((await fleet.ask(ALICE, '/edges/edge-1/hello/public/a%20b')).status, REACHED);
  t.equal(fleet.reached.at(-1), '/public/a%20b', 'what is allowed arrives as it was sent');
});

test('what is in the query, in a header or in the name of another service decides nothing', async (t) => {
  const fleet = await PolicedFleet.start(t);
  const rule = { edges: { names: ['*'] }, services: ['hello'], verbs: ['get'], paths: ['/public/*'] };
  await fleet.setPolicy('alice', { principals: [ALICE], rules: [rule] });
  const headers = {
    'x-forwarded-host': 'hello.edge-1.edge.causeway',
    'x-original-url': '/public/x',
    'x-forwarded-prefix': '/public',
    'impersonate-user': 'operator/tester',
    'x-causeway-principal': 'operator/tester',
    'x-http-method-override': 'GET',
  };
  for (const path of ['/secret?/public/x', '/secret?path=/public/', '/secret/public/x'])
    t.equal((await fleet.ask(ALICE, `/edges/edge-1/hello${path}`, { headers })).status, 403, path);
  t.equal((await fleet.ask(ALICE, '/edges/edge-1/hello/public/x', { method: 'DELETE', headers })).status, 403);
});
