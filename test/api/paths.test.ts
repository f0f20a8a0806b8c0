import t from 'tap';

import { edgeNodePath, edgePath, parseEdgeNodesPath, parseEdgePath } from '../../api/index.ts';

t.test('the path of a service at an edge reads as edge, service and rest', async (t) => {
  t.strictSame(parseEdgePath('/edges/edge-1/kube/api/v1/pods?limit=5'), {
    edge: 'edge-1',
    service: 'kube',
    rest: '/api/v1/pods?limit=5',
  });
  t.strictSame(parseEdgePath('/edges/edge-1/hello'), { edge: 'edge-1', service: 'hello', rest: '/' });
  t.strictSame(parseEdgePath('/edges/edge-1/hello/'), { edge: 'edge-1', service: 'hello', rest: '/' });
  t.strictSame(parseEdgePath('/edges/edge-1/hello?x=/../a'), { edge: 'edge-1', service: 'hello', rest: '/?x=/../a' });
  t.strictSame(
    parseEdgePath('/edges/e/s//a%2Fb/...'),
    { edge: 'e', service: 's', rest: '//a%2Fb/...' },
    'what is the service’s stays as it is',
  );
});

t.test('other paths are not meant', async (t) => {
  for (const path of ['/', '/edges', '/Edges/e/s', '/apis/causeway.io/v1/edgenodes', '//edges/e/s', ''])
    t.equal(parseEdgePath(path), undefined, path);
});

t.test('names that are none, dot segments and ambiguous characters are refused', async (t) => {
  const refused = [
    '/edges/',
    '/edges//s/',
    '/edges/e',
    '/edges/e/',
    '/edges/E/s',
    '/edges/e%2d1/s',
    '/edges/%65/s',
    '/edges/-e/s',
    '/edges/e/s_t',
    `/edges/${'e'.repeat(64)}/s`,
    '/edges/e/s/../x',
    '/edges/e/s/..',
    '/edges/e/s/./x',
    '/edges/e/s/%2e%2E/x',
    '/edges/e/s/.%2e/x',
    '/edges/e/s/..;a=b/x',
    '/edges/../s/x',
    '/edges/e/s/a\\b',
    '/edges/e/s/a b',
    '/edges/e/s/a\0',
    '/edges/e/s/ä',
    '/edges/e/s/#x',
    `/edges/e/s/${'x'.repeat(16 * 1024)}`,
  ];
  for (const path of refused)
    t.throws(() => parseEdgePath(path), { code: 'path-invalid', status: 400 }, path.slice(0, 40));
});

t.test('a path that is built reads back, and one that would not is not built', async (t) => {
  const parts = { edge: 'edge-1', service: 'kube', rest: '/api?x=1' };
  t.strictSame(parseEdgePath(edgePath(parts)), parts);
  for (const change of [
    { edge: 'a/b' },
    { service: 'kube/api' },
    { rest: 'api' },
    { rest: '' },
    { rest: '/../x' },
    { edge: '' },
  ]) {
    t.throws(() => edgePath({ ...parts, ...change }), { code: 'path-invalid' }, JSON.stringify(change));
  }
});

t.test('the paths of EdgeNodes', async (t) => {
  const base = '/apis/causeway.io/v1/edgenodes';
  t.strictSame(parseEdgeNodesPath(`${base}?watch=1`), { name: undefined, subresource: undefined });
  t.strictSame(parseEdgeNodesPath(`${base}/edge-1`), { name: 'edge-1', subresource: undefined });
  t.strictSame(parseEdgeNodesPath(edgeNodePath('edge-1', 'status')), { name: 'edge-1', subresource: 'status' });
  t.equal(parseEdgeNodesPath(`${base}x`), undefined);
  t.equal(parseEdgeNodesPath('/apis/causeway.io/v1'), undefined);
  for (const rest of ['/A', '/a/b', '/a/status/c', '/a/', '/..', '/%61'])
    t.throws(() => parseEdgeNodesPath(base + rest), { code: 'path-invalid' }, rest);
  t.throws(() => edgeNodePath('a/b'), { code: 'path-invalid' });
});
