/**
 * "Watch authorisation not normalised as the list is": who might not list could watch, under another spelling or another form
 * of the same request (etcd). Here both are read once, to the same resource, namespace and verb, wherever they are answered.
 */
import { test } from 'tap';
import { PolicedFleet } from '../gateway/policy/policed-fleet.ts';
import { TestKube } from '../gateway/kube/test-kube.ts';
import { waitFor } from '../support/wait-for.ts';

const ALICE = 'operator/alice';
const VERA = 'operator/vera';

test('who may not list may not watch, in any form, live, from a cache or of all edges', async (t) => {
  const kube = await TestKube.start(t);
  kube.put('mine', { namespace: 'a' });
  kube.put('other', { namespace: 'b' });
  const fleet = await PolicedFleet.start(t, { services: () => [kube.service(true)].flat() });
  const edges = { names: ['*'] };
  const rule = { edges, services: ['kube'], verbs: ['get', 'list', 'watch'], resources: ['pods'], namespaces: ['a'] };
  await fleet.setPolicy('alice', {
    principals: [ALICE],
    rules: [rule, { fleet: ['replicas'], verbs: ['list', 'watch'] }],
  });
  await fleet.setPolicy('vera', { principals: [VERA], role: 'viewer' });
  const base = '/edges/edge-1/kube';
  await waitFor('the copy', async () => {
    const { headers } = await fleet.ask(ALICE, `${base}/api/v1/namespaces/a/pods?resourceVersion=0`);
    return String(headers['cache-status']).includes('detail=synced');
  });
  const before = kube.requests.length;
  const refused: [string, string][] = [];
  for (const watch of [
    'watch=1',
    'watch=true',
    'watch=True',
    'watch',
    'watch=',
    'w%61tch=1',
    'watch=yes',
    'x=y&watch=1&watch=0',
  ])
    refused.push(
      [ALICE, `${base}/api/v1/pods?${watch}`],
      [ALICE, `${base}/api/v1/namespaces/b/pods?${watch}`],
      [ALICE, `${base}/api/v1/namespaces/b/pods?resourceVersion=0&${watch}`],
      [ALICE, `${base}/api/v1/namespaces/%62/pods?${watch}`],
      [ALICE, `${base}/api/v1/namespaces/b/pods/other?${watch}`],
      [ALICE, `${base}/api/v1/namespaces/a/secrets?${watch}`],
      [ALICE, `/fleet/kube/api/v1/namespaces/b/pods?${watch}`],
      [ALICE, `/apis/causeway.io/v1/edgenodes?${watch}`],
      [VERA, `${base}/api/v1/secrets?${watch}`],
      [VERA, `${base}/api/v1/%73ecrets?${watch}`],
    );
  for (const path of [
    'watch/pods',
    'watch/namespaces/b/pods',
    'watch/namespaces/b/pods/other',
    'watch/namespaces/a/secrets',
  ])
    refused.push([ALICE, `${base}/api/v1/${path}`], [ALICE, `${base}/api/v1/%77atch${path.slice(5)}`]);
  for (const path of [
    'watch/secrets',
    'watch/namespaces/a/secrets/s',
    '/secrets',
    'namespaces//secrets',
    'nodes/n/proxy/secrets',
  ])
    refused.push([VERA, `${base}/api/v1/${path}`]);
  for (const [principal, path] of refused) {
    const { status } = await fleet.ask(principal, path);
    // What is no flag at all is refused as such where we answer ourselves.
    t.ok(status === 403 || (status === 400 && path.includes('watch')), `${principal} ${path} ${status}`);
  }
  t.strictSame(
    kube.requests.slice(before).filter((asked) => !asked.includes('/pods?allowWatch')),
    [],
    'nothing came to the edge',
  );
});

test('a watch shows no object that the list of the same caller does not', async (t) => {
  const kube = await TestKube.start(t);
  kube.put('mine', { namespace: 'a' });
  kube.put('other', { namespace: 'b' });
  const fleet = await PolicedFleet.start(t, { services: () => [kube.service(true)].flat() });
  const rule = { edges: { names: ['*'] }, services: ['kube'], verbs: ['list', 'watch'], namespaces: ['a'] };
  await fleet.setPolicy('alice', { principals: [ALICE], rules: [rule] });
  const cached = '/edges/edge-1/kube/api/v1/pods?resourceVersion=0';
  await waitFor('the copy', async () => String((await fleet.ask(ALICE, cached)).body).includes('"mine"'));
  for (const path of [cached, '/fleet/kube/api/v1/pods?resourceVersion=0']) {
    t.notMatch(String((await fleet.ask(ALICE, path)).body), /other/, path);
    const watch = await fleet.follow(ALICE, `${path}&watch=1`);
    await waitFor('the first event', () => watch.text.includes('mine'));
    kube.put('other', { namespace: 'b', labels: { n: path.length.toString() } });
    kube.put('mine', { namespace: 'a', labels: { n: path.length.toString() } });
    await waitFor('the change', () => watch.text.includes(`"n":"${path.length}"`));
    t.notMatch(watch.text, /other/, path);
  }
});
