import t from 'tap';
import { ApiDocuments } from '../../../resources/types/api-documents.ts';
import {
  parseAggregatedDiscovery,
  parseGroupVersions,
  parseResourceList,
  typeOfFacts,
} from '../../../resources/types/discovery-facts.ts';
import { embeddedTypes } from '../../../resources/types/kinds/known-types.ts';
import type { ResourceType } from '../../../resources/types/resource-type.ts';
import { TypeRegistry } from '../../../resources/types/type-registry.ts';
import { simpleType } from './simple-type.ts';

const widgets = {
  ...simpleType('example.com', 'v1', 'widgets', 'Widget'),
  namespaced: false,
  hasStatus: true,
  shortNames: ['wd'],
};

function documentsOf(...types: ResourceType[]) {
  const registry = new TypeRegistry(types);
  const documents = new ApiDocuments(registry, { kubernetes: '1.32', causeway: '0.1.0' });
  const read = (path: string, accept?: string): unknown => {
    const document = documents.get(path, accept);
    return typeof document === 'object' ? JSON.parse(document.body.toString()) : document;
  };
  return { registry, documents, read };
}

t.test('the documents of one group and version name its resources and their subresources', async (t) => {
  const { read } = documentsOf(simpleType('', 'v1', 'pods', 'Pod'), widgets);
  t.same(read('/api'), { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] });
  t.match(read('/apis'), {
    kind: 'APIGroupList',
    groups: [
      {
        name: 'example.com',
        versions: [{ groupVersion: 'example.com/v1', version: 'v1' }],
        preferredVersion: { groupVersion: 'example.com/v1', version: 'v1' },
      },
    ],
  });
  t.match(read('/apis/example.com'), { kind: 'APIGroup', apiVersion: 'v1', name: 'example.com' });
  t.same(read('/apis/example.com/v1'), {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: 'example.com/v1',
    resources: [
      {
        name: 'widgets',
        singularName: 'widget',
        namespaced: false,
        kind: 'Widget',
        verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
        shortNames: ['wd'],
      },
      {
        name: 'widgets/status',
        singularName: '',
        namespaced: false,
        kind: 'Widget',
        verbs: ['get', 'patch', 'update'],
      },
    ],
  });
  t.match(read('/api/v1/'), { groupVersion: 'v1', resources: [{ name: 'pods' }] });
  t.match(read('/version'), { major: '1', minor: '32', gitVersion: 'v1.32.0+causeway.0.1.0' });
});

t.test('there is no document where there is nothing', async (t) => {
  const { read } = documentsOf(widgets);
  for (const path of [
    '/',
    '/ap',
    '/api/v1',
    '/apis/x',
    '/apis//v1',
    '/apis/example.com/v2',
    '/apis/example.com/v1/widgets',
  ])
    t.equal(read(path), undefined, path);
  for (const path of ['/openapi', '/openapi/v3/api/v1', '/openapi/v3/apis/example.com', '/openapi/v2/x', '/versions'])
    t.equal(read(path), undefined, path);
});

t.test('the aggregated form is given to who asks for it first', async (t) => {
  const { documents, read } = documentsOf(simpleType('', 'v1', 'pods', 'Pod'), widgets);
  const form = (v: string) => `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`;
  const kubectl = `${form('v2')},${form('v2beta1')},application/json`;
  t.match(documents.get('/apis', kubectl), { contentType: form('v2') });
  t.match(documents.get('/apis', `${form('v2beta1')},application/json`), { contentType: form('v2beta1') });
  t.match(documents.get('/apis', `${form('v9')}, application/json`), { contentType: 'application/json' });
  t.match(documents.get('/apis/example.com', kubectl), { contentType: 'application/json' });
  t.equal(documents.get('/apis', 'application/xml'), 'unacceptable');
  t.equal(documents.get('/nothing', 'application/xml'), undefined);
  t.same(read('/apis', kubectl), {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: [
      {
        metadata: { name: 'example.com', creationTimestamp: null },
        versions: [
          {
            version: 'v1',
            freshness: 'Current',
            resources: [
              {
                resource: 'widgets',
                responseKind: { group: 'example.com', version: 'v1', kind: 'Widget' },
                scope: 'Cluster',
                singularResource: 'widget',
                verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
                shortNames: ['wd'],
                subresources: [
                  {
                    subresource: 'status',
                    responseKind: { group: 'example.com', version: 'v1', kind: 'Widget' },
                    verbs: ['get', 'patch', 'update'],
                  },
                ],
              },
            ],
          },
        ],
      },
    ],
  });
  t.match(read('/api', kubectl), { items: [{ versions: [{ version: 'v1', resources: [{ resource: 'pods' }] }] }] });
});

t.test('documents are kept until a type comes or goes', async (t) => {
  const { registry, documents } = documentsOf(widgets);
  const first = documents.get('/apis/example.com/v1');
  t.equal(documents.get('/apis/example.com/v1'), first);
  registry.add(simpleType('example.com', 'v1', 'gadgets', 'Gadget'));
  const second = documents.get('/apis/example.com/v1');
  t.not(second, first);
  if (typeof first !== 'object' || typeof second !== 'object') throw new Error('no document');
  t.not(second.etag, first.etag);
  t.match(first.etag, /^"[0-9a-f]{32}"$/);
});

t.test('what is written is read back the same, in either form', async (t) => {
  const { read } = documentsOf(...embeddedTypes);
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const aggregated = [
    ...parseAggregatedDiscovery(read('/api', accept)),
    ...parseAggregatedDiscovery(read('/apis', accept)),
  ];
  const paths = [...parseGroupVersions(read('/api')), ...parseGroupVersions(read('/apis'))];
  t.same(paths, ['/api/v1', '/apis/kubevirt.io/v1']);
  const oneByOne = paths.flatMap((path) => parseResourceList(read(path)));
  t.same(aggregated, oneByOne);
  t.match(
    aggregated.find(({ resource }) => resource === 'pods'),
    { group: '', version: 'v1', kind: 'Pod', singular: 'pod', namespaced: true, shortNames: ['po'], hasStatus: true },
  );
  t.equal(aggregated.length, embeddedTypes.length);
});

t.test('rubbish in a discovery document is left out, and what is right beside it stays', async (t) => {
  for (const rubbish of [undefined, null, 1, 'x', [], {}, { kind: 'Pod' }, { kind: 'APIResourceList', resources: 7 }]) {
    t.same(parseResourceList(rubbish), []);
    t.same(parseAggregatedDiscovery(rubbish), []);
    t.same(parseGroupVersions(rubbish), []);
  }
  const good = { name: 'pods', kind: 'Pod', namespaced: true, verbs: ['get', 7, 'list'], shortNames: 'po' };
  const resources = [
    null,
    'pods',
    { name: 'x' },
    { kind: 'X' },
    { name: '../etc', kind: 'X' },
    { name: 'a/../b', kind: 'X' },
    { name: 'a b', kind: 'X' },
    { name: 'x'.repeat(300), kind: 'X' },
    { name: 'pods/log', kind: 'Pod' },
    good,
  ];
  t.match(parseResourceList({ kind: 'APIResourceList', groupVersion: 'v1', resources }), [
    { resource: 'pods', verbs: ['get', 'list'], shortNames: [], singular: 'pod', hasStatus: false },
  ]);
  t.equal(parseResourceList({ kind: 'APIResourceList', groupVersion: 'v1', resources }).length, 1);
  t.same(parseResourceList({ kind: 'APIResourceList', groupVersion: '../..', resources }), []);
  const item = { metadata: {}, versions: [null, { version: 'v1', resources: [{ resource: 'x' }, null] }] };
  t.same(parseAggregatedDiscovery({ kind: 'APIGroupDiscoveryList', items: [null, item] }), []);
});

t.test('a resource of another API becomes a type with the columns that it is known by', async (t) => {
  const [pods] = parseResourceList({
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [{ name: 'pods', kind: 'Pod', namespaced: true, verbs: ['get', 'list', 'proxy'] }],
  });
  t.ok(pods);
  if (pods === undefined) return;
  t.match(typeOfFacts(pods), {
    verbs: ['get', 'list'],
    listKind: 'PodList',
    columns: [{ name: 'Ready' }, { name: 'Status' }],
  });
  t.same(typeOfFacts({ ...pods, resource: 'things' }).columns, []);
});
