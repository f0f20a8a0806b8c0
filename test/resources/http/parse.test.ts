import { test } from 'tap';
import { formatContinueToken, parseContinueToken } from '../../../resources/http/continue-token.ts';
import { parseGetQuery, parseListQuery, parseWatchQuery } from '../../../resources/http/list-query.ts';
import { answerFormOf } from '../../../resources/http/media-type.ts';
import { parseRequestPath } from '../../../resources/http/request-path.ts';
import { parseDeleteOptions, parseWriteQuery } from '../../../resources/http/write-query.ts';

const type = { selectableFields: ['spec.nodeName'] };
const query = (text: string): URLSearchParams => new URLSearchParams(text);

test('paths of resources are read, with and without namespaces, names and subresources', async (t) => {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['/api/v1/pods', ['', 'v1', '', 'pods', '', '']],
    ['/api/v1/pods/', ['', 'v1', '', 'pods', '', '']],
    ['/api/v1/namespaces', ['', 'v1', '', 'namespaces', '', '']],
    ['/api/v1/namespaces/a', ['', 'v1', '', 'namespaces', 'a', '']],
    ['/api/v1/namespaces/a/status', ['', 'v1', '', 'namespaces', 'a', 'status']],
    ['/api/v1/namespaces/a/pods', ['', 'v1', 'a', 'pods', '', '']],
    ['/api/v1/namespaces/a/pods/b', ['', 'v1', 'a', 'pods', 'b', '']],
    ['/api/v1/namespaces/a/pods/b/status', ['', 'v1', 'a', 'pods', 'b', 'status']],
    ['/api/v1/namespaces/a/pods/b/proxy/c/d', ['', 'v1', 'a', 'pods', 'b', 'proxy/c/d']],
    ['/api/v1/nodes/n', ['', 'v1', '', 'nodes', 'n', '']],
    ['/apis/x.io/v1/things', ['x.io', 'v1', '', 'things', '', '']],
    ['/apis/x.io/v1/namespaces/a/things/b', ['x.io', 'v1', 'a', 'things', 'b', '']],
    ['/apis/x.io/v1/namespaces/a/status', ['x.io', 'v1', 'a', 'status', '', '']],
    [
      '/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node',
      ['rbac.authorization.k8s.io', 'v1', '', 'clusterroles', 'system:node', ''],
    ],
    ['/api/v1/nodes/a%20b', ['', 'v1', '', 'nodes', 'a b', '']],
  ];
  for (const [path, [group, version, namespace, resource, name, subresource]] of rows)
    t.strictSame(
      parseRequestPath(path),
      { kind: 'resource', group, version, resource, namespace, name, subresource },
      path,
    );
});

test('paths of documents are told from others', async (t) => {
  const rows = {
    '/api': 'api',
    '/api/': 'api',
    '/apis': 'apis',
    '/apis/x.io': 'group',
    '/apis/x.io/v1': 'version-resources',
    '/api/v1': 'version-resources',
    '/openapi/v2': 'openapi',
    '/openapi/v3/apis/x.io/v1': 'openapi',
    '/version': 'version',
  };
  for (const [path, document] of Object.entries(rows))
    t.match(parseRequestPath(path), { kind: 'document', document }, path);
  for (const path of ['/', '/healthz', '/apix', '/apis2/x', '/versions', '/v1/link', ''])
    t.equal(parseRequestPath(path), undefined, path);
  for (const path of [
    '/api//pods',
    '/api/v1/./pods',
    '/api/v1/pods/%2e',
    '/api/v1/pods/a%2fb',
    '/api/v1/pods/%',
    `/api/v1/pods/${'a'.repeat(600)}`,
  ])
    t.throws(() => parseRequestPath(path), { code: 'request-invalid', status: 400 }, path);
});

test('the version of a list is what Kubernetes takes its parameters for', async (t) => {
  const rows: readonly (readonly [string, object])[] = [
    ['', { match: 'newest' }],
    ['resourceVersion=', { match: 'newest' }],
    ['resourceVersion=0', { match: 'any' }],
    ['resourceVersion=0&limit=5', { match: 'any' }],
    ['resourceVersion=7', { match: 'not-older-than', version: 7 }],
    ['resourceVersion=7&limit=5', { match: 'exact', version: 7 }],
    ['resourceVersion=7&limit=5&resourceVersionMatch=NotOlderThan', { match: 'not-older-than', version: 7 }],
    ['resourceVersion=7&resourceVersionMatch=Exact', { match: 'exact', version: 7 }],
    ['resourceVersion=0&resourceVersionMatch=NotOlderThan', { match: 'any' }],
  ];
  for (const [text, at] of rows) t.strictSame(parseListQuery(type, query(text)).at, at, text);
  t.strictSame(parseGetQuery(query('resourceVersion=7')), { match: 'not-older-than', version: 7 });
  t.strictSame(parseGetQuery(query('')), { match: 'newest' });
});

test('selectors, limits and tokens are read', async (t) => {
  const next = { version: 7, namespace: 'a', name: 'b' };
  const text = `labelSelector=a%3Db&fieldSelector=spec.nodeName%3Dn&limit=5&continue=${formatContinueToken(next)}`;
  t.strictSame(parseListQuery(type, query(text)), {
    selector: {
      labels: [{ key: 'a', operator: 'In', values: ['b'] }],
      fields: [{ path: 'spec.nodeName', operator: '=', value: 'n' }],
    },
    at: { match: 'newest' },
    limit: 5,
    from: next,
  });
  t.strictSame(parseContinueToken(formatContinueToken({ version: 1, namespace: '', name: 'ü' })), {
    version: 1,
    namespace: '',
    name: 'ü',
  });
  t.match(formatContinueToken(next), /^[\w-]+$/, 'it needs no escapes');
});

test('a watch begins where its parameters say', async (t) => {
  const rows: readonly (readonly [string, object])[] = [
    ['', { from: 'newest', atLeast: undefined, initialEventsEnd: false }],
    ['resourceVersion=0', { from: 'any' }],
    ['resourceVersion=7', { from: 7 }],
    [
      'resourceVersionMatch=NotOlderThan&sendInitialEvents=true&allowWatchBookmarks=true',
      { from: 'newest', initialEventsEnd: true },
    ],
    ['resourceVersionMatch=NotOlderThan&sendInitialEvents=true', { from: 'newest', initialEventsEnd: false }],
    ['resourceVersionMatch=NotOlderThan&sendInitialEvents=true&resourceVersion=0', { from: 'any', atLeast: undefined }],
    ['resourceVersionMatch=NotOlderThan&sendInitialEvents=true&resourceVersion=7', { from: 'newest', atLeast: 7 }],
    ['resourceVersionMatch=NotOlderThan&sendInitialEvents=false', { from: 'now' }],
    ['resourceVersionMatch=NotOlderThan&sendInitialEvents=false&resourceVersion=7', { from: 7 }],
    ['timeoutSeconds=5', { timeoutMs: 5000 }],
    ['allowWatchBookmarks', { bookmarks: true }],
    ['allowWatchBookmarks=false', { bookmarks: false }],
  ];
  for (const [text, expected] of rows) t.match(parseWatchQuery(type, query(text)), expected, text);
  const { timeoutMs } = parseWatchQuery(type, query(''));
  t.ok(timeoutMs >= 30 * 60_000 && timeoutMs < 60 * 60_000, 'some time between half an hour and an hour');
  t.ok(parseWatchQuery(type, query('timeoutSeconds=9999999999')).timeoutMs < 2 ** 31, 'no more than a timer takes');
});

test('the options of writes are read', async (t) => {
  t.strictSame(parseWriteQuery(query('')), { dryRun: false });
  t.strictSame(parseWriteQuery(query('dryRun=All&fieldValidation=Strict&fieldManager=me&pretty=true')), {
    dryRun: true,
    fieldValidation: 'Strict',
  });
  const none = { uid: undefined, resourceVersion: undefined };
  t.strictSame(parseDeleteOptions(query('gracePeriodSeconds=3&propagationPolicy=Orphan'), undefined), {
    dryRun: false,
    preconditions: none,
    gracePeriodSeconds: 3,
    propagationPolicy: 'Orphan',
  });
  const body = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    preconditions: { uid: 'u', resourceVersion: null },
    dryRun: ['All'],
    gracePeriodSeconds: 0,
    propagationPolicy: null,
  };
  t.strictSame(parseDeleteOptions(query('gracePeriodSeconds=3'), body), {
    dryRun: true,
    preconditions: { uid: 'u', resourceVersion: undefined },
    gracePeriodSeconds: 0,
  });
  t.equal(parseDeleteOptions(query(''), { orphanDependents: true }).propagationPolicy, 'Orphan');
  t.equal(parseDeleteOptions(query('orphanDependents=false'), undefined).propagationPolicy, 'Background');
});

test('the form of an answer is the first that the client likes and that there is', async (t) => {
  const table = { as: 'table', metaVersion: 'v1', encoding: 'json' };
  const whole = { as: 'object', metaVersion: 'v1', encoding: 'json' };
  const rows: readonly (readonly [string | undefined, object])[] = [
    [undefined, whole],
    ['', whole],
    ['*/*', whole],
    ['application/json', whole],
    ['application/*, text/html', whole],
    ['application/vnd.kubernetes.protobuf,application/json', whole],
    ['application/json;stream=watch', whole],
    [
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
      table,
    ],
    ['application/json; as=Table; v=v1beta1; g=meta.k8s.io', { ...table, metaVersion: 'v1beta1' }],
    ['application/json;as=Table;v=v9;g=meta.k8s.io,application/json', whole],
    ['application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', { ...whole, as: 'metadata' }],
    ['application/yaml', { ...whole, encoding: 'yaml' }],
    ['application/json;q=0.1, application/yaml', { ...whole, encoding: 'yaml' }],
    ['application/yaml;q=0, application/json', whole],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', whole],
  ];
  for (const [accept, form] of rows) t.strictSame(answerFormOf(accept), form, accept ?? 'none');
  t.strictSame(answerFormOf('application/yaml,application/json', { isWatch: true }), whole, 'a watch is JSON');
  for (const accept of ['text/html', 'application/vnd.kubernetes.protobuf', 'application/json;q=0'])
    t.throws(() => answerFormOf(accept), { code: 'media-type-unacceptable', status: 406 }, accept);
});
