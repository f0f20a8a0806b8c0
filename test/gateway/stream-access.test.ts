import t from 'tap';
import { attributesOf, requireAccess } from '../../gateway/stream-access.ts';
import { fullAccess, type Access } from '../../resources/index.ts';
import type { StreamTarget } from '../../tunnel/index.ts';

function target(verb: string, path: string, more: Partial<StreamTarget> = {}): StreamTarget {
  return { edge: 'edge-1', service: 'kube', kind: 'http', verb, path, principal: 'operator/alice', ...more };
}

const PODS = '/api/v1/namespaces/ns/pods';

t.test('a stream is told to the policy in its own words', async (t) => {
  const cases: [StreamTarget, object][] = [
    [target('GET', PODS), { verb: 'list', resource: 'pods', namespace: 'ns', name: '' }],
    [target('GET', `${PODS}?watch=1`), { verb: 'watch', resource: 'pods' }],
    [target('GET', `${PODS}/p?x=y`), { verb: 'get', resource: 'pods', name: 'p' }],
    // A WebSocket is opened by a GET.
    [target('GET', `${PODS}/p/exec?command=sh`), { verb: 'create', resource: 'pods', name: 'p', subresource: 'exec' }],
    [target('HEAD', PODS), { verb: 'list', resource: 'pods' }],
    [target('get', `${PODS}?watch=1`), { verb: 'watch', resource: 'pods' }],
    [target('PROPFIND', PODS), { verb: 'PROPFIND', resource: 'pods' }],
    [
      target('GET', '/api/v1/watch/namespaces/ns/%73ecrets/s'),
      { verb: 'watch', resource: 'secrets', namespace: 'ns', name: 's' },
    ],
    [
      target('GET', '/apis/apps/v1/watch/deployments'),
      { verb: 'watch', group: 'apps', resource: 'deployments', name: '' },
    ],
    [
      target('PUT', '/api/v1/namespaces/ns/finalize'),
      { verb: 'update', resource: 'namespaces', subresource: 'finalize', name: 'ns' },
    ],
    [target('POST', PODS), { verb: 'create', resource: 'pods' }],
    [target('PUT', `${PODS}/p`), { verb: 'update', name: 'p' }],
    [target('PATCH', `${PODS}/p/status`), { verb: 'patch', name: 'p', subresource: 'status' }],
    [target('DELETE', `${PODS}/p`), { verb: 'delete', name: 'p' }],
    [target('DELETE', PODS), { verb: 'deletecollection', name: '' }],
    [target('GET', '/apis/apps/v1/deployments'), { verb: 'list', group: 'apps', resource: 'deployments' }],
    [target('GET', '/apis'), { verb: 'get', resource: '', service: 'kube', path: '/apis' }],
    [
      target('GET', '/api/v1/namespaces/%2e%2e/pods'),
      { verb: 'get', resource: '', path: '/api/v1/namespaces/%2e%2e/pods' },
    ],
    [
      target('POST', '/count?a=b', { service: 'hello' }),
      { verb: 'create', service: 'hello', path: '/count', resource: '' },
    ],
    [target('connect', '', { service: 'ssh', kind: 'tcp' }), { verb: 'connect', service: 'ssh' }],
    [
      target('connect', '10.0.0.1:22', { service: '', kind: 'tcp' }),
      { verb: 'connect', service: '', path: '10.0.0.1:22' },
    ],
  ];
  for (const [stream, attributes] of cases)
    t.match(attributesOf(stream), { edge: 'edge-1', ...attributes }, `${stream.verb} ${stream.path}`);
});

t.test('who may not is told so, and who may see a part does not get the whole', async (t) => {
  t.doesNotThrow(() => requireAccess(fullAccess('operator/alice'), target('DELETE', PODS)));
  const reader: Access = { principal: 'operator/alice', allows: ({ verb }) => verb === 'get' || verb === 'list' };
  t.doesNotThrow(() => requireAccess(reader, target('GET', PODS)));
  t.throws(() => requireAccess(reader, target('POST', PODS)), {
    code: 'access-denied',
    status: 403,
    message:
      'pods is forbidden: User "operator/alice" cannot create resource "pods" in API group "" in the namespace "ns" at the edge "edge-1"',
  });
  const partial: Access = { ...reader, filter: () => () => true };
  t.doesNotThrow(() => requireAccess(partial, target('GET', `${PODS}/p`)));
  t.throws(() => requireAccess(partial, target('GET', PODS)), { code: 'access-denied', message: /resourceVersion=0/ });
});
