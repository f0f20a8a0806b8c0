import t from 'tap';

import { initialEdgeStatus, parseEdgeNode } from '../../api/index.ts';

const node = {
  apiVersion: 'causeway.io/v1',
  kind: 'EdgeNode',
  metadata: {
    name: 'edge-1',
    uid: 'u',
    resourceVersion: '7',
    creationTimestamp: '2030-01-02T03:04:05.678Z',
    labels: { 'causeway.io/site': 'a' },
  },
  spec: { admission: 'Allowed', keyPin: `sha256/${'A'.repeat(43)}`, labels: { tier: '' } },
  status: {
    online: true,
    links: [
      {
        id: 'l1',
        replica: 'site-a/r0',
        active: true,
        since: '2030-01-02T03:04:05Z',
        rttMs: 1.5,
        remote: '10.0.0.1:4711',
      },
    ],
    instance: 'i',
    epoch: 3,
    services: [{ name: 'kube', kind: 'http' }],
    agentVersion: '0.1.0',
    lastContact: '2030-01-02T03:04:05Z',
  },
};

t.test('an EdgeNode reads as it is, with and without its status', async (t) => {
  t.strictSame(parseEdgeNode(node), node);
  const { status: _, ...fresh } = node;
  t.strictSame(parseEdgeNode(fresh), fresh);
  t.strictSame(parseEdgeNode({ ...node, status: initialEdgeStatus() }).status, initialEdgeStatus());
});

t.test('what is wrong is named by its field', async (t) => {
  const cases: [object, RegExp][] = [
    [{ ...node, kind: 'Pod' }, /kind: /],
    [{ ...node, extra: 1 }, /unknown key "extra"/],
    [{ ...node, metadata: { name: 'Edge_1' } }, /metadata\.name: .*DNS label/],
    [{ ...node, metadata: { name: 'e', labels: { 'a b': 'x' } } }, /metadata\.labels/],
    [{ ...node, metadata: { name: 'e', labels: { a: 'x'.repeat(64) } } }, /metadata\.labels\.a: .*label value/],
    [{ ...node, spec: {} }, /spec\.admission/],
    [{ ...node, spec: { admission: 'allowed' } }, /spec\.admission/],
    [{ ...node, spec: { admission: 'Denied', keyPin: 'md5/x' } }, /spec\.keyPin/],
    [{ ...node, status: { ...node.status, epoch: -1 } }, /status\.epoch/],
    [{ ...node, status: { ...node.status, links: Array(65).fill(node.status.links[0]) } }, /status\.links/],
  ];
  for (const [value, message] of cases)
    t.throws(() => parseEdgeNode(value), { code: 'object-invalid', status: 422, message });
  for (const value of [null, 'x', [], undefined])
    t.throws(() => parseEdgeNode(value), { code: 'object-invalid', message: /the object: / });
});
