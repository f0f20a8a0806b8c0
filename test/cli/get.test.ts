import { test } from 'tap';
import { start } from './kube-cli.ts';

test('get shows tables of the server, wide ones, JSON, YAML and names', async (t) => {
  const { cli, fleet, edge, server } = await start(t);
  for (const name of ['a', 'b']) {
    await fleet
      .resources('sites')
      .create({ apiVersion: 'test.io/v1', kind: 'Site', metadata: { name }, spec: { racks: 7 } });
  }
  const table = await cli(['get', 'sites']);
  t.match(String(table.stdout), /^NAME +RACKS[^\n]*\na +7[^\n]*\nb +7[^\n]*\n$/u, table.stderr);
  t.match(String((await cli(['get', 'st/b'])).stdout), /^NAME[^\n]*\nb +7[^\n]*\n$/u);
  t.equal(String((await cli(['get', 'sites.test.io', '-o', 'name'])).stdout), 'site.test.io/a\nsite.test.io/b\n');
  t.match(JSON.parse(String((await cli(['get', 'st', '-o', 'json'])).stdout)), {
    kind: 'List',
    items: [{ kind: 'Site', apiVersion: 'test.io/v1', metadata: { name: 'a' } }, {}],
  });
  t.match(String((await cli(['get', 'st', 'a', '-o', 'yaml'])).stdout), /^apiVersion: test.io\/v1\nkind: Site\n/u);
  t.match(JSON.parse(String((await cli(['get', 'st', 'a', 'b', '-o', 'json'])).stdout)), { items: [{}, {}] });

  const map = (name: string, namespace: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, labels: { name } },
  });
  await edge.resources('cm').create(map('x', 'default'));
  await edge.resources('cm').create(map('y', 'shop'));
  const of = async (...args: string[]) => String((await cli(['get', 'cm', '-e', 'edge-1', ...args])).stdout);
  t.match(await of(), /^NAME[^\n]*\nx [^\n]*\n$/u);
  t.match(await of('-A'), /^NAMESPACE +NAME[^\n]*\ndefault +x [^\n]*\nshop +y [^\n]*\n$/u);
  t.equal(await of('-n', 'shop', '-o', 'name'), 'configmap/y\n');
  t.equal(await of('-A', '-l', 'name=y', '-o', 'name'), 'configmap/y\n');
  t.equal(await of('-A', '--field-selector', 'metadata.name=x', '-o', 'name'), 'configmap/x\n');
  const none = await cli(['get', 'cm', '-e', 'edge-1', '-n', 'empty']);
  t.equal(String(none.stdout), '');
  t.equal(none.stderr, 'No configmaps found in empty.\n');
  t.equal(none.exitCode, 0);

  Object.assign(server.answerHeaders, {
    'Age': '12',
    'Cache-Status': 'causeway; hit; detail=stale',
    'Warning': ['110 causeway "Response is Stale"', '299 causeway "edge edge-1 is not in contact"'],
  });
  const stale = await cli(['get', 'cm', '-e', 'edge-1', '--max-stale', '1m']);
  t.equal(stale.stderr, 'causeway: from the cache, stale, 12 s old\ncauseway: edge edge-1 is not in contact\n');
  t.equal(server.headers.at(-1)?.['cache-control'], 'max-stale=60');
});
