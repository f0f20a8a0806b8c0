import t from 'tap';
import { readModeOf, type ReadDefault, type ReadMode } from '../../../gateway/kube/read-mode.ts';
import { formatContinueToken } from '../../../resources/http/continue-token.ts';
import { parseRequestPath } from '../../../resources/index.ts';

const PODS = '/api/v1/namespaces/ns/pods';
const live = (because: 'method' | 'bypass' | 'request' = 'bypass'): ReadMode => ({ mode: 'live', because });
const cache = (maxStaleMs = Infinity, onlyIfCached = false): ReadMode => ({ mode: 'cache', maxStaleMs, onlyIfCached });
const caughtUp = (version: number, maxStaleMs = Infinity): ReadMode => ({
  mode: 'cache-once-caught-up',
  version,
  maxStaleMs,
});

interface Row {
  readonly method?: string;
  readonly target: string;
  readonly cacheControl?: string;
  readonly accept?: string;
  readonly byDefault?: ReadDefault;
  readonly mode: ReadMode;
}

const rows: Record<string, Row> = {
  // Kubernetes' own meaning.
  'a list that says nothing': { target: PODS, mode: live() },
  'an object that says nothing': { target: `${PODS}/p`, mode: live() },
  'a list of whatever there is': { target: `${PODS}?resourceVersion=0`, mode: cache() },
  'an object of whatever version': { target: `${PODS}/p?resourceVersion=0`, mode: cache() },
  'whatever there is, also with a limit': { target: `${PODS}?resourceVersion=0&limit=500`, mode: cache() },
  'not older than a version': {
    target: `${PODS}?resourceVersion=7&resourceVersionMatch=NotOlderThan`,
    mode: caughtUp(7),
  },
  'a version without a match': { target: `${PODS}?resourceVersion=7`, mode: caughtUp(7) },
  'an object not older than a version': { target: `${PODS}/p?resourceVersion=7`, mode: caughtUp(7) },
  'exactly a version': { target: `${PODS}?resourceVersion=7&resourceVersionMatch=Exact`, mode: live() },
  'a version with a limit is exact': { target: `${PODS}?resourceVersion=7&limit=5`, mode: live() },
  'a version that is none': { target: `${PODS}?resourceVersion=x`, mode: live() },
  'a version beyond what is exact': { target: `${PODS}?resourceVersion=9007199254740993`, mode: live() },

  // Watches.
  'a watch that says nothing': { target: `${PODS}?watch=1`, mode: live() },
  'a watch from whatever there is': { target: `${PODS}?watch=true&resourceVersion=0`, mode: cache() },
  'a watch goes on where a list ended': {
    target: `${PODS}?watch=1&resourceVersion=7`,
    mode: { mode: 'cache-if-kept', version: 7 },
  },
  'a watch that begins with a list': {
    target: `${PODS}?watch=1&resourceVersion=7&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`,
    mode: caughtUp(7),
  },
  'a watch that begins with the newest list': {
    target: `${PODS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`,
    mode: live(),
  },
  'watch=0 is a list': { target: `${PODS}?watch=0&resourceVersion=7`, mode: caughtUp(7) },
  'watch= is a watch': { target: `${PODS}?watch=&resourceVersion=7`, mode: { mode: 'cache-if-kept', version: 7 } },
  'a watch of one object by its path': { target: `${PODS}/p?watch=1&resourceVersion=0`, mode: live() },

  // Further pages.
  'a further page of a list of ours': {
    target: `${PODS}?limit=5&continue=${formatContinueToken({ version: 7, namespace: 'ns', name: 'p' })}`,
    mode: { mode: 'cache-if-kept', version: 7 },
  },
  "a further page of the edge's own list": {
    target: `${PODS}?limit=5&continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":7,"start":"p"}').toString('base64url')}`,
    cacheControl: 'max-stale',
    mode: live(),
  },

  // HTTP's.
  'any age will do': { target: PODS, cacheControl: 'max-stale', mode: cache() },
  'so many seconds will do': { target: PODS, cacheControl: 'max-stale=5', mode: cache(5000) },
  'in capitals, among others': { target: PODS, cacheControl: 'foo="bar", Max-Stale = "5"', mode: cache(5000) },
  'seconds that are none': { target: PODS, cacheControl: 'max-stale=soon', mode: live() },
  'only what is cached': { target: PODS, cacheControl: 'only-if-cached', mode: cache(Infinity, true) },
  'only what is cached and not too old': {
    target: PODS,
    cacheControl: 'only-if-cached, max-stale=2',
    mode: cache(2000, true),
  },
  'a version and an age': { target: `${PODS}?resourceVersion=7`, cacheControl: 'max-stale=5', mode: caughtUp(7, 5000) },
  'cached on error': {
    target: PODS,
    cacheControl: 'stale-if-error',
    mode: { mode: 'live-else-cache', maxStaleMs: Infinity },
  },
  'cached on error, not too old': {
    target: PODS,
    cacheControl: 'stale-if-error=60',
    mode: { mode: 'live-else-cache', maxStaleMs: 60_000 },
  },
  'a watch has no error to wait for': { target: `${PODS}?watch=1`, cacheControl: 'stale-if-error', mode: live() },
  'no cache, whatever else it says': {
    target: `${PODS}?resourceVersion=0`,
    cacheControl: 'max-stale, no-cache',
    mode: live('request'),
  },
  'no store': { target: PODS, cacheControl: 'no-store', byDefault: 'cache', mode: live('request') },

  // The edge's policy.
  'the cache by default': { target: PODS, byDefault: 'cache', mode: cache() },
  'a watch by default': { target: `${PODS}?watch=1`, byDefault: 'cache', mode: cache() },
  'an age is still what it says': { target: PODS, byDefault: 'cache', cacheControl: 'max-stale=1', mode: cache(1000) },
  'exactly a version, with the cache by default': {
    target: `${PODS}?resourceVersion=7&resourceVersionMatch=Exact`,
    byDefault: 'cache',
    mode: live(),
  },

  // Never cached.
  'a write': { method: 'POST', target: PODS, cacheControl: 'max-stale', byDefault: 'cache', mode: live('method') },
  'a deletion': { method: 'DELETE', target: `${PODS}?resourceVersion=0`, mode: live('method') },
  'a HEAD': { method: 'HEAD', target: `${PODS}?resourceVersion=0`, mode: live('method') },
  'a log': { target: `${PODS}/p/log?resourceVersion=0`, byDefault: 'cache', mode: live() },
  'an exec': { target: `${PODS}/p/exec`, byDefault: 'cache', mode: live() },
  'a status': { target: `${PODS}/p/status?resourceVersion=0`, mode: live() },
  'a proxy': { target: '/api/v1/nodes/n/proxy/metrics', byDefault: 'cache', mode: live() },
  'discovery': { target: '/apis', cacheControl: 'max-stale', byDefault: 'cache', mode: live() },
  'what is no API': { target: '/metrics', byDefault: 'cache', mode: live() },
  'protobuf alone': {
    target: `${PODS}?resourceVersion=0`,
    accept: 'application/vnd.kubernetes.protobuf',
    mode: live(),
  },
  'protobuf or JSON': {
    target: `${PODS}?resourceVersion=0`,
    accept: 'application/vnd.kubernetes.protobuf,application/json',
    mode: cache(),
  },
  'a table': {
    target: `${PODS}?resourceVersion=0`,
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
    mode: cache(),
  },
};

for (const [name, { method = 'GET', target, cacheControl, accept, byDefault, mode }] of Object.entries(rows)) {
  void t.test(`${name} is read ${mode.mode}`, async (t) => {
    const [path = '', query = ''] = target.split('?', 2);
    const request = { method, path: parseRequestPath(path), query: new URLSearchParams(query), cacheControl, accept };
    t.strictSame(readModeOf(request, byDefault), mode);
  });
}
