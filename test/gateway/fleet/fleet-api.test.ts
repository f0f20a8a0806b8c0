import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { systemClock } from '../../../base/index.ts';
import { EdgeDirectory } from '../../../gateway/edge-directory.ts';
import { FleetApi, ReplicaObjects } from '../../../gateway/fleet/index.ts';
import { fullAccess } from '../../../resources/index.ts';
import { openEmbeddedStore, type Store } from '../../../store/index.ts';
import { listen } from '../../support/edge-path.ts';
import { bodyIn } from '../kube/kube-body.ts';
import { waitFor } from '../../support/wait-for.ts';

const BASE = '/apis/causeway.io/v1';

interface Setting {
  readonly url: string;
  readonly fleet: FleetApi;
  readonly store: Store;
  readonly replica: ReplicaObjects;
}

async function start(t: Test, store = openEmbeddedStore()): Promise<Setting> {
  const replica = new ReplicaObjects(systemClock);
  const onFault = (error: unknown): void => void t.fail(String(error));
  const fleet = await FleetApi.open({ store, replicas: replica.collection, clock: systemClock, onFault });
  const server = createServer((request, response) => {
    void fleet.answer(request, response, fullAccess('operator/tester')).then((isAnswered) => {
      if (!isAnswered) response.writeHead(404).end('none of ours');
    });
  });
  const { port } = await listen(server);
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    replica.close();
    fleet.close();
    await store.close();
  });
  return { url: `http://127.0.0.1:${port}`, fleet, store, replica };
}

async function ask(
  { url }: Setting,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const response = await fetch(url + path, {
    method,
    headers: { 'content-type': type, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: bodyIn(await response.text()) };
}

function object(kind: string, name: string, spec: unknown) {
  return { apiVersion: 'causeway.io/v1', kind, metadata: { name }, spec };
}

t.test('the fleet’s kinds are there, each with what may be done', async (t) => {
  const setting = await start(t);
  const { body } = await ask(setting, 'GET', BASE);
  const verbs = Object.fromEntries(body.resources.map(({ name, verbs }) => [name, verbs.includes('create')]));
  t.match(verbs, { edgenodes: true, jointokens: true, accesspolicies: true, replicas: false });
  t.ok('edgenodes/status' in verbs);
  const { body: openapi } = await ask(setting, 'GET', '/openapi/v3/apis/causeway.io/v1');
  t.match(JSON.stringify(openapi), /on the whitelist/, 'with descriptions, for explain');
  t.equal((await ask(setting, 'GET', '/version')).status, 200);
});

t.test('what is wrong is named by its field', async (t) => {
  const setting = await start(t);
  const cases: [resource: string, object: object, field: string][] = [
    ['edgenodes', object('EdgeNode', 'Edge_1', { admission: 'Allowed' }), 'metadata.name'],
    ['edgenodes', object('EdgeNode', 'a.b', { admission: 'Allowed' }), 'metadata.name'],
    ['edgenodes', object('EdgeNode', 'e', {}), 'spec.admission'],
    ['edgenodes', object('EdgeNode', 'e', { admission: 'allowed' }), 'spec.admission'],
    ['edgenodes', object('EdgeNode', 'e', { admission: 'Denied', keyPin: 'md5/x' }), 'spec.keyPin'],
    ['edgenodes', object('EdgeNode', 'e', { admission: 'Denied', labels: { 'a b': 'x' } }), 'spec.labels.a b'],
    ['edgenodes', object('EdgeNode', 'e', { admission: 'Denied', cacheReads: 'Always' }), 'spec.cacheReads'],
    ['jointokens', object('JoinToken', 't', {}), 'spec.edge'],
    ['jointokens', object('JoinToken', 't', { edge: 'e', edgeLabels: { a: 'b' } }), 'spec.edgeLabels'],
    ['jointokens', object('JoinToken', 't', { edge: 'e', uses: 0 }), 'spec.uses'],
    [
      'jointokens',
      object('JoinToken', 't', { edge: 'e', ttlSeconds: 60, expiresAt: '2030-01-02T03:04:05Z' }),
      'spec.expiresAt',
    ],
    ['jointokens', object('JoinToken', 't', { edge: 'e', ttlSeconds: 1e9 }), 'spec.ttlSeconds'],
    ['accesspolicies', object('AccessPolicy', 'p', { principals: ['operator/a'] }), 'spec.rules'],
    ['accesspolicies', policy({ principals: ['root'] }), 'spec.principals[0]'],
    ['accesspolicies', policy({ rules: [{ ...rule, verbs: ['fly'] }] }), 'spec.rules[0].verbs[0]'],
    ['accesspolicies', policy({ rules: [{ ...rule, edges: {} }] }), 'spec.rules[0].edges.names'],
    ['accesspolicies', policy({ rules: [rule, { ...rule, paths: ['x'] }] }), 'spec.rules[1].paths[0]'],
    ['accesspolicies', policy({ role: 'viewer' }), 'spec.role'],
    ['accesspolicies', role({ role: 'root' }), 'spec.role'],
    [
      'accesspolicies',
      role({ role: 'viewer', edges: { names: ['a'], selector: { matchLabels: { a: 'b' } } } }),
      'spec.edges.selector',
    ],
    ['accesspolicies', policy({ edges: { names: ['a'] } }), 'spec.edges'],
    [
      'accesspolicies',
      policy({ rules: [{ edges: rule.edges, verbs: ['get'], fleet: ['edgenodes'] }] }),
      'spec.rules[0].fleet',
    ],
    [
      'accesspolicies',
      policy({ rules: [{ fleet: ['edgenodes'], verbs: ['get'], services: ['kube'] }] }),
      'spec.rules[0].services',
    ],
    ['accesspolicies', policy({ rules: [{ fleet: ['Edge Nodes'], verbs: ['get'] }] }), 'spec.rules[0].fleet[0]'],
    ['accesspolicies', policy({ rules: [{ ...rule, services: undefined }] }), 'spec.rules[0].services'],
    [
      'accesspolicies',
      policy({ rules: [{ ...rule, edges: { selector: {} } }] }),
      'spec.rules[0].edges.selector.matchLabels',
    ],
    [
      'accesspolicies',
      policy({ rules: [{ ...rule, edges: { selector: { matchExpressions: [{ key: 'a', operator: 'In' }] } } }] }),
      'spec.rules[0].edges.selector.matchExpressions[0].values',
    ],
    [
      'accesspolicies',
      policy({
        rules: [
          { ...rule, edges: { selector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] } } },
        ],
      }),
      'spec.rules[0].edges.selector.matchExpressions[0].values',
    ],
  ];
  for (const [resource, wrong, field] of cases) {
    const { status, body } = await ask(setting, 'POST', `${BASE}/${resource}`, wrong);
    t.equal(status, 422, field);
    const fields = body.details?.causes.map(({ field }) => field);
    t.strictSame([...new Set(fields)], [field], JSON.stringify(body));
  }
});

const rule = { edges: { names: ['edge-*'] }, services: ['kube'], verbs: ['get', 'connect'] };

function policy(spec: object) {
  return object('AccessPolicy', 'p', { principals: ['operator/alice', 'component/*'], rules: [rule], ...spec });
}

function role(spec: object) {
  return object('AccessPolicy', 'p', { principals: ['operator/alice'], ...spec });
}

t.test('a policy with a member that nobody knows is refused, since a limit may be meant', async (t) => {
  const setting = await start(t);
  const { status, body } = await ask(
    setting,
    'POST',
    `${BASE}/accesspolicies`,
    policy({ rules: [{ ...rule, namespace: ['a'] }] }),
  );
  t.equal(status, 400);
  t.match(JSON.stringify(body), /unknown field .*spec\.rules\[0\]\.namespace/);
});

t.test('tokens and policies are kept, with their defaults and their columns', async (t) => {
  const setting = await start(t);
  const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
  t.equal((await ask(setting, 'POST', `${BASE}/accesspolicies`, policy({}))).status, 201);
  const token = await ask(setting, 'POST', `${BASE}/jointokens`, object('JoinToken', 't', { edge: 'e' }));
  t.match(token, { status: 201, body: { spec: { edge: 'e', uses: 1 } } });
  const shown = (await ask(setting, 'GET', `${BASE}/jointokens`, undefined, table)).body;
  t.match(
    shown.columnDefinitions.map(({ name }) => name),
    ['Name', 'Edge', 'State', 'Uses', 'Used', 'Expires', 'Age'],
  );
  t.equal(
    Date.parse(String(shown.rows[0]?.cells[5])) - Date.parse(token.body.metadata.creationTimestamp),
    3_600_000,
    'an hour',
  );
});

t.test('the directory follows the objects, and nothing else', async (t) => {
  const setting = await start(t);
  const { fleet, store } = setting;
  const faults: unknown[] = [];
  const directory = await EdgeDirectory.open({
    store,
    nodes: fleet.nodes,
    clock: systemClock,
    onFault: (error) => faults.push(error),
  });
  t.teardown(() => directory.close());
  const changed: string[] = [];
  directory.onChange((edge) => changed.push(`${edge} ${directory.admission(edge)}`));
  t.equal(directory.admission('edge-1'), 'unknown');

  await ask(setting, 'POST', `${BASE}/edgenodes`, object('EdgeNode', 'edge-1', { admission: 'Allowed' }));
  t.equal(directory.admission('edge-1'), 'allowed', 'by the time that the writer has its answer');
  await ask(setting, 'PATCH', `${BASE}/edgenodes/edge-1`, { spec: { admission: 'Denied' } });
  t.equal(directory.admission('edge-1'), 'denied');
  await ask(setting, 'DELETE', `${BASE}/edgenodes/edge-1`);
  t.equal(directory.admission('edge-1'), 'unknown');
  t.strictSame(changed, ['edge-1 allowed', 'edge-1 denied', 'edge-1 unknown']);

  await fleet.nodes.create({
    ...object('EdgeNode', 'odd', { admission: 'Maybe' }),
    metadata: { name: 'odd', uid: 'u' },
  });
  await waitFor('the object', () => directory.admission('odd') === 'denied');
  t.equal(faults.length, 1, 'who cannot be read is not let in');
});

t.test('an epoch is claimed once by each instance, and the older one is told', async (t) => {
  const { fleet, store } = await start(t);
  const open = () => EdgeDirectory.open({ store, nodes: fleet.nodes, clock: systemClock, onFault: () => undefined });
  const [one, other] = [await open(), await open()];
  t.teardown(() => {
    one.close();
    other.close();
  });
  t.equal(await one.claimEpoch('edge-1', 'aa', 0), 1);
  t.equal(await one.claimEpoch('edge-1', 'aa', 1), 1);
  const both = await Promise.all([one.claimEpoch('edge-1', 'bb', 0), other.claimEpoch('edge-1', 'cc', 0)]);
  t.strictSame(both.toSorted(), [2, 3]);
  await t.rejects(one.claimEpoch('edge-1', 'aa', 1), { code: 'instance-superseded' });
});

t.test('a status is its own subresource', async (t) => {
  const setting = await start(t);
  const made = { ...object('EdgeNode', 'edge-1', { admission: 'Allowed' }), status: { online: true } };
  t.notOk('status' in (await ask(setting, 'POST', `${BASE}/edgenodes`, made)).body);
  const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
  const { body } = await ask(setting, 'GET', `${BASE}/edgenodes`, undefined, table);
  t.strictSame(
    body.columnDefinitions.filter(({ priority }) => priority === 0).map(({ name }) => name),
    ['Name', 'Admission', 'Online', 'Links', 'Agent', 'Last Contact', 'Age'],
  );
  t.match(body.rows[0]?.cells.slice(0, 4), ['edge-1', 'Allowed', 'False', 0]);
});

t.test('all replicas are shown, and nobody writes them', async (t) => {
  const setting = await start(t);
  const ports = { api: 1, link: 2, public: 3 };
  const facts = { site: 'site-a', version: '1.2.3', startedAt: '2030-01-02T03:04:05.678Z', ports, links: 0, edges: 0 };
  const first = { ...facts, name: 'r0', instance: 'uid-1', revision: 7 };
  const second = { ...facts, name: 'r1', instance: 'uid-2', revision: 9 };
  setting.replica.show([second, first], 9);
  const { body } = await ask(setting, 'GET', `${BASE}/replicas`);
  t.match(body.items, [
    {
      kind: 'Replica',
      metadata: { name: 'site-a.r0', uid: 'uid-1', resourceVersion: '7', creationTimestamp: '2030-01-02T03:04:05Z' },
      spec: { site: 'site-a', ports },
      status: { version: '1.2.3' },
    },
    { metadata: { name: 'site-a.r1', uid: 'uid-2', resourceVersion: '9' } },
  ]);
  t.equal((await ask(setting, 'DELETE', `${BASE}/replicas/site-a.r0`)).status, 405);
  setting.replica.show([{ ...first, links: 5, revision: 11 }], 12);
  const { body: now } = await ask(setting, 'GET', `${BASE}/replicas`);
  t.match(now.items, [{ metadata: { resourceVersion: '11' }, status: { links: 5 } }]);
  t.equal(now.items.length, 1, 'the other one is gone');
});
