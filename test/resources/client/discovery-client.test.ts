import { test } from 'tap';
import { DiscoveryClient } from '../../../resources/client/discovery-client.ts';
import { ResourceClient } from '../../../resources/client/resource-client.ts';

const verbs = ['get', 'list', 'watch'];

/** The documents of a small API, old style; `/apis` alone is there in the aggregated style too. */
const documents: Readonly<Record<string, unknown>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [
      {
        name: 'pods',
        singularName: 'pod',
        namespaced: true,
        kind: 'Pod',
        verbs,
        shortNames: ['po'],
        categories: ['all'],
      },
      { name: 'pods/status', singularName: '', namespaced: true, kind: 'Pod', verbs },
      { name: 'nodes', singularName: '', namespaced: false, kind: 'Node', verbs, shortNames: ['no'] },
      { name: 'events', singularName: 'event', namespaced: true, kind: 'Event', verbs, shortNames: ['ev'] },
    ],
  },
  '/apis': {
    kind: 'APIGroupList',
    groups: [
      {
        name: 'kubevirt.io',
        versions: [{ groupVersion: 'kubevirt.io/v1alpha3' }, { groupVersion: 'kubevirt.io/v1' }],
        preferredVersion: { groupVersion: 'kubevirt.io/v1' },
      },
      {
        name: 'events.k8s.io',
        versions: [{ groupVersion: 'events.k8s.io/v1' }],
        preferredVersion: { groupVersion: 'events.k8s.io/v1' },
      },
      { name: 'broken.io', versions: [{ groupVersion: 'broken.io/v1' }], preferredVersion: {} },
    ],
  },
  '/apis/kubevirt.io/v1': vms(),
  '/apis/kubevirt.io/v1alpha3': vms(),
  '/apis/events.k8s.io/v1': {
    resources: [{ name: 'events', singularName: 'event', namespaced: true, kind: 'Event', verbs }],
  },
};

function vms(): unknown {
  const vm = {
    name: 'virtualmachines',
    singularName: 'virtualmachine',
    namespaced: true,
    kind: 'VirtualMachine',
    verbs,
    shortNames: ['vm', 'vms'],
  };
  return { resources: [vm, 'rubbish', { name: 7 }] };
}

const aggregated: Readonly<Record<string, unknown>> = {
  '/api': {
    kind: 'APIGroupDiscoveryList',
    items: [
      {
        versions: [
          {
            version: 'v1',
            resources: [
              {
                resource: 'pods',
                responseKind: { kind: 'Pod' },
                scope: 'Namespaced',
                singularResource: 'pod',
                verbs,
                shortNames: ['po'],
              },
              { resource: 'nodes', responseKind: { kind: 'Node' }, scope: 'Cluster', singularResource: 'node', verbs },
            ],
          },
        ],
      },
    ],
  },
  '/apis': {
    kind: 'APIGroupDiscoveryList',
    items: [
      {
        metadata: { name: 'kubevirt.io' },
        versions: [
          {
            version: 'v1',
            resources: [
              {
                resource: 'virtualmachines',
                responseKind: { kind: 'VirtualMachine' },
                scope: 'Namespaced',
                singularResource: 'virtualmachine',
                verbs,
                shortNames: ['vm', 'vms'],
              },
            ],
          },
        ],
      },
    ],
  },
};

function discovery(served: Record<string, unknown>) {
  const asked: string[] = [];
  const transport = async ({ path }: { path: string }) => {
    asked.push(path);
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(JSON.stringify(served[path] ?? { kind: 'Status', status: 'Failure', code: 404 }));
    }
    return { status: served[path] === undefined ? 404 : 200, headers: {}, body: body() };
  };
  return { asked, discovery: new DiscoveryClient(new ResourceClient({ transport })) };
}

for (const [style, served] of Object.entries({ 'a document a group': documents, 'one document': aggregated })) {
  test(`${style}: a resource is found by every name of it`, async (t) => {
    const { discovery: it, asked } = discovery(served);
    for (const name of ['pods', 'pod', 'po', 'Pod', 'PODS', 'pods.v1']) {
      t.match(await it.find(name), { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true }, name);
    }
    for (const name of [
      'virtualmachines',
      'vm',
      'vms',
      'VirtualMachine',
      'vm.kubevirt.io',
      'virtualmachines.v1.kubevirt.io',
    ]) {
      t.match(await it.find(name), { group: 'kubevirt.io', version: 'v1', resource: 'virtualmachines' }, name);
    }
    t.match(await it.find('node'), { resource: 'nodes', namespaced: false });
    t.match(await it.ofKind('kubevirt.io/v1', 'VirtualMachine'), { resource: 'virtualmachines' });
    const before = asked.length;
    await it.find('vm');
    t.equal(asked.length, before, 'it is asked for once');
  });
}

test('the core group goes before others, and the preferred version before others', async (t) => {
  const { discovery: it } = discovery(documents);
  t.match(await it.find('events'), { group: '', version: 'v1' });
  t.match(await it.find('events.events.k8s.io'), { group: 'events.k8s.io' });
  t.match(await it.find('vm'), { version: 'v1' });
  t.match(await it.find('vm.v1alpha3.kubevirt.io'), { version: 'v1alpha3' });
});

test('a name that is not known is looked for again, since the API may have learned it', async (t) => {
  const served: Record<string, unknown> = { '/api': documents['/api'], '/api/v1': documents['/api/v1'] };
  const { discovery: it } = discovery(served);
  await t.rejects(it.find('vm'), { code: 'resource-unknown', status: 404 });
  Object.assign(served, documents);
  t.match(await it.find('vm'), { resource: 'virtualmachines' });
  for (const name of ['', '.', 'pods.nowhere.io', 'pods/status', 'x'.repeat(10_000)])
    await t.rejects(it.find(name), { code: 'resource-unknown' });
});

test('where there is no API at all, the reason is told, not that a name is unknown', async (t) => {
  const transport = async () => {
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(
        JSON.stringify({
          kind: 'Status',
          status: 'Failure',
          code: 404,
          reason: 'NotFound',
          message: 'no such edge: edge-9',
          details: { causes: [{ reason: 'edge-unknown', message: 'no such edge' }] },
        }),
      );
    }
    return { status: 404, headers: {}, body: body() };
  };
  const it = new DiscoveryClient(new ResourceClient({ transport }));
  await t.rejects(it.find('pods'), { code: 'edge-unknown', message: /edge-9/u });
});
