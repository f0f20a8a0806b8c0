import { once } from 'node:events';
import t from 'tap';
import { connect } from '../../../sdk/index.ts';
import { waitFor } from '../../support/wait-for.ts';
import { withLeakCheck } from '../../support/leak-check.ts';
import { TestKube } from '../kube/test-kube.ts';
import { PolicedFleet, REACHED, type Following } from './policed-fleet.ts';

const ALICE = 'component/alice';
/** What is not allowed any more ends within this. */
const WITHIN_MS = 2000;

const everything = { edges: { names: ['*'] }, services: ['*'], verbs: ['*'] };

/** The last line of a watch that was ended. */
function lastEvent({ text }: Following): { type: string; object: { code: number; reason: string; message: string } } {
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as ReturnType<typeof lastEvent>;
}

t.test('streams that a policy allowed end when it does not any more, those of others go on', async (t) => {
  withLeakCheck(t);
  const fleet = await PolicedFleet.start(t);
  await fleet.setPolicy('alice', { principals: [ALICE], rules: [everything] });
  await fleet.setPolicy('bob', { principals: ['operator/bob'], rules: [everything] });
  const { cluster } = fleet;
  const open = async (principal: string) => {
    const keys = await cluster.certificates.keyStore(cluster.folder, principal);
    const sdk = await connect({ config: { ...cluster.clientConfig, keys } });
    t.teardown(() => sdk.close());
    const stream = sdk.edge('edge-1').dial('echo');
    stream.write('x');
    t.equal(String((await once(stream, 'data'))[0]), 'x');
    return stream;
  };
  const alice = await open(ALICE);
  const bob = await open('operator/bob');
  const endless = await fleet.follow(ALICE, '/edges/edge-1/hello/endless');
  const others = await fleet.follow('operator/bob', '/edges/edge-1/hello/endless');
  t.strictSame([endless.status, others.status], [REACHED, REACHED]);
  await waitFor('both to have begun', () => endless.text === 'first' && others.text === 'first');

  const began = performance.now();
  await fleet.deletePolicy('alice');
  const [error] = (await once(alice, 'error')) as [unknown];
  t.match(error, { code: 'denied', status: 403, message: /cannot connect to the service "echo" at the edge "edge-1"/ });
  t.equal(await endless.ended, 'cut', 'an answer that has begun is cut, so that nobody takes it for whole');
  t.ok(performance.now() - began < WITHIN_MS);
  t.match(await fleet.ask(ALICE, '/edges/edge-1/hello/'), { status: 403 });

  bob.write('y');
  t.equal(String((await once(bob, 'data'))[0]), 'y');
  bob.destroy();
  await fleet.deletePolicy('bob');
  t.equal(await others.ended, 'cut');
});

t.test('a stream to an edge ends when the edge loses the label that a rule selects it by', async (t) => {
  const fleet = await PolicedFleet.start(t);
  await fleet.setLabels('edge-1', { team: 'a' });
  const edges = { selector: { matchLabels: { team: 'a' } } };
  await fleet.setPolicy('alice', { principals: [ALICE], rules: [{ edges, services: ['hello'], verbs: ['get'] }] });
  const endless = await fleet.follow(ALICE, '/edges/edge-1/hello/endless');
  await waitFor('it to have begun', () => endless.text === 'first');
  await fleet.setLabels('edge-1', { team: 'b' });
  t.equal(await endless.ended, 'cut');
});

t.test('watches of the fleet, of a cache, of an edge and of all edges end with access-denied', async (t) => {
  withLeakCheck(t);
  const kube = await TestKube.start(t);
  kube.put('pod-1');
  const fleet = await PolicedFleet.start(t, { services: () => [kube.service(true)].flat() });
  const rule = { edges: { names: ['*'] }, services: ['kube'], verbs: ['list', 'watch'], resources: ['pods'] };
  const rules = [rule, { fleet: ['edgenodes'], verbs: ['list', 'watch'] }];
  await fleet.setPolicy('alice', { principals: [ALICE], rules });
  const pods = '/edges/edge-1/kube/api/v1/pods';
  await waitFor('the copy', async () => {
    const { headers } = await fleet.ask(ALICE, `${pods}?resourceVersion=0`);
    return String(headers['cache-status']).includes('detail=synced');
  });
  const paths = [
    '/apis/causeway.io/v1/edgenodes?watch=1',
    `${pods}?watch=1&resourceVersion=0`,
    '/fleet/kube/api/v1/pods?watch=1',
  ];
  const watches = await Promise.all(paths.map((path) => fleet.follow(ALICE, path)));
  const live = await fleet.follow(ALICE, `${pods}?watch=1`);
  for (const watch of [...watches, live]) await waitFor('the first event', () => watch.text.includes('"ADDED"'));

  // What is said about others does not disturb.
  await fleet.setPolicy('bob', { principals: ['operator/bob'], rules });
  const began = performance.now();
  await fleet.deletePolicy('alice');
  for (const [index, watch] of watches.entries()) {
    t.equal(await watch.ended, 'whole');
    const { type, object } = lastEvent(watch);
    t.match(
      { type, ...object },
      { type: 'ERROR', code: 403, reason: 'Forbidden', message: /cannot watch resource/ },
      String(paths[index]),
    );
  }
  t.equal(await live.ended, 'cut');
  t.ok(performance.now() - began < WITHIN_MS);
});

t.test('a watch that shows a part begins anew when the part changes', async (t) => {
  const kube = await TestKube.start(t);
  kube.put('one', { namespace: 'a' });
  kube.put('two', { namespace: 'b' });
  const fleet = await PolicedFleet.start(t, { services: () => [kube.service(true)].flat() });
  const spec = (...namespaces: string[]) => ({
    principals: [ALICE],
    rules: [{ edges: { names: ['*'] }, services: ['kube'], verbs: ['list', 'watch'], namespaces }],
  });
  await fleet.setPolicy('alice', spec('a'));
  const path = '/fleet/kube/api/v1/pods';
  await waitFor('the copy', async () => String((await fleet.ask(ALICE, path)).body).includes('"edge-1.one"'));
  const list = String((await fleet.ask(ALICE, path)).body);
  t.notMatch(list, /edge-1\.two/);
  const watch = await fleet.follow(ALICE, `${path}?watch=1`);
  await waitFor('the first event', () => watch.text.includes('edge-1.one'));
  const api = await fleet.cluster.api();
  await api.json('PATCH', '/apis/causeway.io/v1/accesspolicies/alice', { spec: spec('b') });
  t.equal(await watch.ended, 'whole');
  t.match(lastEvent(watch), { type: 'ERROR', object: { code: 410, reason: 'Expired' } });
  t.notMatch(watch.text, /edge-1\.two/);
  t.match(String((await fleet.ask(ALICE, path)).body), /edge-1\.two/);
});
