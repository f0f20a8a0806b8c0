import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { parseYaml } from '../../base/index.ts';
import { mergeKubeconfig } from '../../cli/kubeconfig.ts';
import { causeway } from './causeway.ts';
import { start } from './kube-cli.ts';

test('kubeconfig writes the contexts, and merges them beside others', async (t) => {
  const { server, cli, env } = await start(t);
  const item = (name: string) => ({ metadata: { name }, spec: { admission: 'Allowed' } });
  server.intercept = (request, response) => {
    if (request.url !== '/apis/causeway.io/v1/edgenodes') return false;
    const list = {
      kind: 'EdgeNodeList',
      apiVersion: 'causeway.io/v1',
      metadata: {},
      items: [item('edge-2'), item('edge-1')],
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(list));
    return true;
  };
  const folder = t.testdir();
  const file = join(folder, 'sub', 'config');
  const made = await cli(['kubeconfig', '--out', file]);
  t.equal(made.exitCode, 0, made.stderr);
  t.equal(statSync(file).mode & 0o777, 0o600);
  const config = valueOf(readFileSync(file, 'utf8'));
  t.strictSame(
    config.contexts.map(({ name }) => name),
    ['fleet', 'all', 'edge-1', 'edge-2'],
  );
  t.match(config, {
    'current-context': 'fleet',
    'clusters': [{}, { cluster: { server: `${server.urls[0]}/fleet/kube` } }, {}, {}],
  });
  t.match(String((await cli(['kubeconfig'])).stdout), /current-context: fleet/u);

  mkdirSync(join(folder, 'home'));
  const own = join(folder, 'home', 'config');
  writeFileSync(own, foreign('fleet'));
  const taken = await causeway(['kubeconfig', '--merge'], { env: { ...env, KUBECONFIG: own } });
  t.equal(taken.exitCode, 1);
  t.match(taken.stderr, /cluster fleet[\s\S]*--prefix/u);
  t.equal(readFileSync(own, 'utf8'), foreign('fleet'));
  for (let i = 0; i < 2; i++) {
    const merged = await causeway(['kubeconfig', '--merge', '--prefix', 'cw-'], { env: { ...env, KUBECONFIG: own } });
    t.equal(merged.exitCode, 0, merged.stderr);
    const both = valueOf(readFileSync(own, 'utf8'));
    t.strictSame(
      both.contexts.map(({ name }) => name),
      ['fleet', 'cw-fleet', 'cw-all', 'cw-edge-1', 'cw-edge-2'],
    );
    t.match(both, {
      'current-context': 'fleet',
      'preferences': { colors: true },
      'users': [{ name: 'me' }, { name: 'cw-operator' }],
    });
  }
});

function foreign(name: string): string {
  return `apiVersion: v1
kind: Config
preferences: { colors: true }
current-context: ${name}
clusters: [{ name: ${name}, cluster: { server: "https://elsewhere:6443" } }]
users: [{ name: me, user: { token: t } }]
contexts: [{ name: ${name}, context: { cluster: ${name}, user: me, namespace: mine } }]
`;
}

function valueOf(yaml: string): { contexts: { name: string }[] } {
  const parsed = parseYaml(yaml);
  if (!('value' in parsed)) throw new Error('no YAML');
  return parsed.value as { contexts: { name: string }[] };
}

test('a merge replaces nothing that belongs to another cluster', (t) => {
  const ours = foreign('ours').replace('elsewhere:6443', 'gw:1').replaceAll(': me,', ': operator,');
  const servers = ['https://gw:1'];
  t.throws(() => mergeKubeconfig(foreign('ours'), ours, servers), { code: 'name-taken' });
  t.throws(() => mergeKubeconfig(foreign('x').replaceAll(': me,', ': operator,'), ours, servers), {
    code: 'name-taken',
  });
  t.throws(() => mergeKubeconfig('clusters: {', ours, servers), { code: 'file-failed' });
  t.throws(() => mergeKubeconfig('clusters: 7', ours, servers), { code: 'file-failed' });
  // A server whose address only begins as ours does is another one.
  t.throws(() => mergeKubeconfig(ours.replace('gw:1', 'gw:12'), ours, servers), { code: 'name-taken' });
  t.equal(valueOf(mergeKubeconfig(ours, ours, servers)).contexts.length, 1);
  t.end();
});
