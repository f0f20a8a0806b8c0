import t from 'tap';
import { routeOf, routeOfAuthority } from '../../gateway/front/index.ts';

t.test('the path names edge and service, and the rest is kept as it is', async (t) => {
  for (const [target, edge, service, path] of [
    ['/edges/edge-1/web', 'edge-1', 'web', '/'],
    ['/edges/edge-1/web/', 'edge-1', 'web', '/'],
    ['/edges/edge-1/web?a=/b/../c', 'edge-1', 'web', '/?a=/b/../c'],
    ['/edges/site-2/kube/api/v1/pods?watch=1', 'site-2', 'kube', '/api/v1/pods?watch=1'],
    ['/edges/e/s//a///b/', 'e', 's', '//a///b/'],
    ['/edges/e/s/a%2Fb/%25/%C3%A4/...', 'e', 's', '/a%2Fb/%25/%C3%A4/...'],
    ['/edges/e/s/.hidden/..x/x..', 'e', 's', '/.hidden/..x/x..'],
    ['https://gateway.example:8443/edges/e/s/x', 'e', 's', '/x'],
  ] as const) {
    t.match(routeOf(target), { to: 'service', edge, service, path }, target);
  }
});

t.test('what is not for an edge is nobody of ours', async (t) => {
  for (const target of [
    '/',
    '/edges',
    '/api/v1/nodes',
    '/edgesx/e/s',
    '*',
    'http://example.com/',
    'ftp://web.edge-1.edge.causeway/',
  ])
    t.equal(routeOf(target), undefined, target);
});

t.test('names that cannot be are 404', async (t) => {
  for (const target of [
    '/edges/',
    '/edges//web/',
    '/edges/edge-1',
    '/edges/edge-1/',
    '/edges/edge-1?x=/web',
    '/edges/Edge-1/web/',
    '/edges/edge-1/w_b/',
    '/edges/edge%2d1/web/',
    '/edges/../web/',
    '/edges/e.f/web/',
    '/edges/edge-1/a.b/',
    `/edges/${'a'.repeat(64)}/web/`,
    'http://web.edge_1.edge.causeway/',
    'http://edge-1.edge.causeway/',
    'http://web.edge-1.edge.causeway:99999/',
  ]) {
    t.throws(() => routeOf(target), { code: 'name-invalid', status: 404 }, target);
  }
});

t.test('paths that two servers could read in two ways are 400', async (t) => {
  for (const path of [
    '/..',
    '/.',
    '/a/../b',
    '/a/./b',
    '/a/%2e%2E/b',
    '/a/.%2e',
    '/a%2f..%2fb',
    '/a/..%5cb',
    '/a\\..\\b',
    '/a/..;x/b',
    '/a%00',
    '/%',
    '/%zz',
    '/%2',
    '/a#b',
    '/..?x=1',
    '/ä',
    '/a\\b',
    '/?a\\b',
  ]) {
    t.throws(() => routeOf(`/edges/e/s${path}`), { code: 'path-invalid', status: 400 }, path);
  }
});

t.test(
  'an authority names a service, or an address when it has a port of its own or more than one label',
  async (t) => {
    for (const [authority, edge, service] of [
      ['hello.edge-1.edge.causeway', 'edge-1', 'hello'],
      ['hello.edge-1.edge.causeway:80', 'edge-1', 'hello'],
      ['hello.edge-1.edge.causeway:443', 'edge-1', 'hello'],
      ['HELLO.Edge-1.EDGE.causeway.:443', 'edge-1', 'hello'],
    ] as const) {
      t.match(routeOfAuthority(authority), { to: 'service', edge, service }, authority);
    }
    for (const [authority, edge, address] of [
      ['hello.edge-1.edge.causeway:8080', 'edge-1', 'hello:8080'],
      ['10.0.0.7.edge-1.edge.causeway:22', 'edge-1', '10.0.0.7:22'],
      ['10.0.0.7.edge-1.edge.causeway:443', 'edge-1', '10.0.0.7:443'],
      ['db.lan.edge-1.edge.causeway:5432', 'edge-1', 'db.lan:5432'],
    ] as const) {
      t.same(routeOfAuthority(authority), { to: 'address', edge, address }, authority);
    }
    for (const authority of ['example.com:443', 'edge.causeway:443', 'web.edge-1.edge.causeway.evil.com:443', ''])
      t.equal(routeOfAuthority(authority), undefined, authority);
  },
);
