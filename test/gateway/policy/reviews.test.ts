import t, { type Test } from 'tap';
import { PolicedFleet } from './policed-fleet.ts';

const BASE = '/apis/authorization.k8s.io/v1';

interface Status {
  readonly allowed: boolean;
  readonly reason?: string;
  readonly evaluationError?: string;
}

async function start(t: Test) {
  const fleet = await PolicedFleet.start(t);
  await fleet.setPolicy('shop', {
    principals: ['operator/alice'],
    rules: [
      {
        edges: { names: ['edge-1'] },
        services: ['kube'],
        verbs: ['get', 'list'],
        resources: ['pods'],
        namespaces: ['a'],
      },
      { edges: { names: ['edge-1'] }, services: ['hello'], verbs: ['get', 'connect'] },
      { edges: { names: ['edge-1'] }, services: ['hello2'], verbs: ['get'], paths: ['/public/*'] },
      { edges: { names: ['edge-1'] }, addresses: ['10.0.0.7:*'], verbs: ['connect'] },
      { fleet: ['edgenodes', '/metrics'], verbs: ['get', 'list'] },
    ],
  });
  await fleet.setPolicy('view', { principals: ['operator/vera'], role: 'viewer' });
  const ask = async (principal: string, kind: string, spec: object, prefix = '', headers = {}) => {
    const body = JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind, spec });
    const options = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body };
    const answer = await fleet.ask(principal, `${prefix}${BASE}/${kind.toLowerCase()}s`, options);
    return {
      status: answer.status,
      body: JSON.parse(String(answer.body)) as { kind: string; spec: object; status: Status },
    };
  };
  const path = async (principal: string, verb: string, path: string, prefix = ''): Promise<Status> => {
    const { body } = await ask(principal, 'SelfSubjectAccessReview', { nonResourceAttributes: { verb, path } }, prefix);
    return body.status;
  };
  const resource = async (principal: string, attributes: object, prefix = ''): Promise<Status> => {
    const { body } = await ask(principal, 'SelfSubjectAccessReview', { resourceAttributes: attributes }, prefix);
    return body.status;
  };
  return { fleet, ask, path, resource };
}

t.test('everybody may ask what he may do, and is told the rule', async (t) => {
  const { path, resource } = await start(t);
  const alice = 'operator/alice';
  const kube = '/edges/edge-1/kube';
  const cases: [string, Promise<Status>, Status][] = [
    [
      'a rule',
      resource(alice, { verb: 'list', resource: 'pods', namespace: 'a' }, kube),
      { allowed: true, reason: 'shop#0' },
    ],
    [
      'another namespace',
      resource(alice, { verb: 'list', resource: 'pods', namespace: 'ab' }, kube),
      { allowed: false, reason: 'default deny' },
    ],
    [
      'below it',
      resource(alice, { verb: 'get', resource: 'pods', subresource: 'log', namespace: 'a', name: 'x' }, kube),
      { allowed: false, reason: 'default deny' },
    ],
    [
      'a part of a list that is live',
      resource(alice, { verb: 'list', resource: 'pods' }, kube),
      { allowed: false, reason: 'shop#0, not for all that it would show' },
    ],
    [
      'of all edges',
      resource(alice, { verb: 'list', resource: 'pods' }, '/fleet/kube'),
      { allowed: true, reason: 'shop#0 at edge-1; at 1 of 1 edges' },
    ],
    ['discovery', path(alice, 'get', '/apis', kube), { allowed: true, reason: 'shop#0' }],
    ['a service', path(alice, 'get', '/edges/edge-1/hello/time'), { allowed: true, reason: 'shop#1' }],
    ['a connection', path(alice, 'connect', '/edges/edge-1/hello'), { allowed: true, reason: 'shop#1' }],
    ['a path', path(alice, 'get', '/edges/edge-1/hello2/public/x'), { allowed: true, reason: 'shop#2' }],
    [
      'a connection past the paths',
      path(alice, 'connect', '/edges/edge-1/hello2'),
      { allowed: false, reason: 'default deny' },
    ],
    ['another edge', path(alice, 'get', '/edges/edge-10/hello/time'), { allowed: false, reason: 'default deny' }],
    ['an address', path(alice, 'connect', '/edges/edge-1/10.0.0.7:22'), { allowed: true, reason: 'shop#3' }],
    [
      'a path to an object',
      path(alice, 'list', '/edges/edge-1/kube/api/v1/namespaces/a/pods'),
      { allowed: true, reason: 'shop#0' },
    ],
    [
      'the fleet’s own',
      resource(alice, { verb: 'list', group: 'causeway.io', resource: 'edgenodes' }),
      { allowed: true, reason: 'shop#4' },
    ],
    [
      'not written',
      resource(alice, { verb: 'patch', group: 'causeway.io', resource: 'edgenodes', name: 'edge-1' }),
      { allowed: false, reason: 'default deny' },
    ],
    ['the replica’s own', path(alice, 'get', '/metrics'), { allowed: true, reason: 'shop#4' }],
    [
      'a role',
      resource('operator/vera', { verb: 'list', resource: 'pods' }, kube),
      { allowed: true, reason: 'role viewer, by the AccessPolicy view' },
    ],
    [
      'no secrets',
      resource('operator/vera', { verb: 'get', resource: 'secrets', namespace: 'a', name: 's' }, kube),
      { allowed: false, reason: 'default deny' },
    ],
    [
      'everything',
      resource('operator/tester', { verb: '*', group: '*', resource: '*' }, kube),
      { allowed: true, reason: 'role admin' },
    ],
    [
      'the audit, of a viewer',
      resource('operator/vera', { verb: 'get', group: 'causeway.io', resource: 'audit' }),
      { allowed: false, reason: 'default deny' },
    ],
    [
      'everything, of a viewer',
      resource('operator/vera', { verb: 'get', group: '*', resource: '*' }, kube),
      { allowed: false, reason: 'default deny' },
    ],
  ];
  for (const [name, found, expected] of cases) t.strictSame(await found, expected, name);
  t.match(await path(alice, 'get', '/edges/edge-1/hello/../x'), { allowed: false, evaluationError: /dot segments/ });
});

t.test('about others may ask who may do so, also by --as', async (t) => {
  const { ask } = await start(t);
  const spec = { user: 'operator/alice', nonResourceAttributes: { verb: 'get', path: '/edges/edge-1/hello/' } };
  t.match(await ask('operator/tester', 'SubjectAccessReview', spec), {
    status: 201,
    body: { kind: 'SubjectAccessReview', spec, status: { allowed: true, reason: 'shop#1' } },
  });
  t.match(
    await ask(
      'operator/tester',
      'SubjectAccessReview',
      {
        ...spec,
        nonResourceAttributes: undefined,
        resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'a', name: 'x' },
      },
      '/edges/edge-1/kube',
    ),
    { status: 201, body: { status: { allowed: true } } },
  );
  const as = { 'impersonate-user': 'operator/alice' };
  t.match(await ask('operator/tester', 'SelfSubjectAccessReview', spec, '', as), {
    body: { status: { reason: 'shop#1' } },
  });
  for (const answer of [
    await ask('operator/alice', 'SubjectAccessReview', { ...spec, user: 'operator/vera' }),
    await ask('operator/vera', 'SubjectAccessReview', spec),
    await ask('operator/vera', 'SelfSubjectAccessReview', spec, '', as),
  ])
    t.match(answer, {
      status: 403,
      body: {
        kind: 'Status',
        reason: 'Forbidden',
        message:
          /^subjectaccessreviews\.authorization\.k8s\.io is forbidden: User "operator\/(alice|vera)" cannot create resource "subjectaccessreviews" in API group "authorization\.k8s\.io" at the cluster scope$/,
      },
    });
});

t.test('what somebody may do can be listed', async (t) => {
  const { ask } = await start(t);
  const rules = async (principal: string, prefix = '') =>
    (await ask(principal, 'SelfSubjectRulesReview', { namespace: 'a' }, prefix)).body.status;
  t.match(await rules('operator/alice', '/edges/edge-1/kube'), {
    resourceRules: [{}, { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }],
    incomplete: false,
  });
  const atFleet = JSON.stringify(await rules('operator/alice'));
  for (const part of [
    '"/edges/edge-1/hello/*"',
    '"/edges/edge-1/hello2/public/*"',
    '"/edges/edge-1/10.0.0.7:*"',
    '"/metrics"',
    '"resources":["edgenodes"]',
  ])
    t.match(atFleet, part);
  t.match(await rules('operator/vera'), { incomplete: true, evaluationError: /no Secrets/ });
});

t.test('reviews are in discovery, and are nothing that can be read', async (t) => {
  const { fleet } = await start(t);
  for (const prefix of ['', '/fleet/kube']) {
    const { body } = await fleet.ask('operator/alice', `${prefix}${BASE}`);
    const names = (JSON.parse(String(body)) as { resources: { name: string }[] }).resources.map(({ name }) => name);
    t.strictSame(
      names.toSorted(),
      ['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'subjectaccessreviews'],
      prefix,
    );
  }
  t.equal((await fleet.ask('operator/tester', `${BASE}/selfsubjectaccessreviews`)).status, 405);
  const send = (body: string, headers = {}) =>
    fleet.ask('operator/alice', `${BASE}/selfsubjectaccessreviews`, { method: 'POST', body, headers });
  t.equal((await send('')).status, 400);
  t.equal((await send('{"spec":{"resourceAttributes":7}}')).status, 400);
  t.equal((await send('{}')).status, 201, 'asks nothing, and is allowed nothing');
  t.equal((await send(`{"spec":"${'x'.repeat(70_000)}"}`)).status, 413);
});
