import type { Labels } from '../../../gateway/policy/edge-selection.ts';
import type { Random } from '../../simulation/random.ts';
import type { Asking, WrittenEdges, WrittenPolicy, WrittenRule } from './oracle.ts';

/** Names that begin alike, so that a comparison of text where names are meant shows. */
export const principals = ['operator/al', 'operator/alice', 'operator/alice2', 'component/inv', 'component/inventory'];

export const edgeLabels: ReadonlyMap<string, Labels> = new Map<string, Labels>([
  ['edge-1', { site: 'north', tier: 'gold' }],
  ['edge-10', { site: 'north' }],
  ['edge-2', { site: 'south', tier: 'silver' }],
  ['shop', {}],
  ['shop-1', { site: 'south', constructor: 'x' }],
]);
/** And one that nobody has heard of. */
const edges = [...edgeLabels.keys(), 'edge-99'];
const services = ['kube', 'hello', 'hello2', 'metrics'];
const methods = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'];
const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'connect', '*'];

export const plainPaths = [
  '/',
  '/api',
  '/api/v1',
  '/apis/apps/v1',
  '/openapi/v3/api/v1',
  '/version',
  '/healthz',
  '/livez/ping',
  '/time',
  '/public/index.html',
  '/public',
  '/publicity',
  '/bytes/10',
  '/api/v1/pods',
  '/api/v1/secrets',
  '/api/v1/namespaces',
  '/api/v1/namespaces/a',
  '/api/v1/namespaces/a/status',
  '/api/v1/namespaces/a/finalize',
  '/api/v1/namespaces/a/pods',
  '/api/v1/namespaces/ab/pods',
  '/api/v1/namespaces/a/pods/web',
  '/api/v1/namespaces/a/pods/web/log',
  '/api/v1/namespaces/a/pods/web/exec',
  '/api/v1/namespaces/a/pods/web/proxy/x/y',
  '/api/v1/namespaces/a/podsets/web',
  '/api/v1/namespaces/a/secrets/key',
  '/api/v1/watch/namespaces/a/secrets',
  '/api/v1/watch/pods',
  '/api/v1/nodes/n/proxy/logs',
  '/apis/apps/v1/namespaces/a/deployments',
  '/apis/apps/v1/namespaces/a/deployments/d/scale',
  '/apis/kubevirt.io/v1/namespaces/b/virtualmachines/vm',
];
const queries = [
  '',
  '',
  '',
  '?watch=1',
  '?watch=true&x=y',
  '?watch=0',
  '?watch=false',
  '?a=/../b',
  '?w%61tch=1',
  '?x#y',
];

/** Ways to write a path that mean something else to somebody, or the same in other letters. */
const twists: readonly ((path: string, random: Random) => string)[] = [
  (path) => path.replace('/', '//'),
  (path) => path.replace(/\/([^/]*)$/, '//$1'),
  (path) => `${path}/`,
  (path) => `${path}/../secrets`,
  (path) => `/public/..${path}`,
  (path) => `/public/%2e%2e${path}`,
  (path) => `/public/%2E.${path}`,
  (path) => `/public%2f..${path}`,
  (path) => `/public/..%2f${path.slice(1)}`,
  (path) => `/public/..;x${path}`,
  (path) => `/public%5c..%5c${path}`,
  (path) => `/public\\..${path}`,
  (path) => path.replace(/\/([^/]*)$/, '%2f$1'),
  (path) => `/public/%252e%252e${path}`,
  (path) => `/./public${path}`,
  (path) => path.replace('s', '%73'),
  (path) => path.replace('p', '%70'),
  (path) => path.replace('a', '%'),
  (path) => path.replace('a', '%zz'),
  (path) => `${path}%00`,
  (path) => `${path}#x`,
  (path) => path.slice(1),
  (path) => path.toUpperCase(),
  (path) => path.replace('namespaces/a', 'namespaces/%61'),
  (path) => path.replace('/api/', '/api//'),
  (path, random) => {
    const at = random.int(1, Math.max(1, path.length - 1));
    return `${path.slice(0, at)}%${path.charCodeAt(at).toString(16).padStart(2, '0')}${path.slice(at + 1)}`;
  },
];

/** What is given in `fixed` is not drawn: for policies that are all about the same. */
export function generatedPolicies(
  random: Random,
  fixed: Partial<WrittenRule> & { principals?: string[] } = {},
): readonly WrittenPolicy[] {
  const { principals: fixedWho, ...fixedRule } = fixed;
  return Array.from({ length: random.int(1, 6) }, (_, index): WrittenPolicy => {
    const name = `p${index}`;
    const who =
      fixedWho ?? some(random, [...principals, 'operator/al*', 'component/*', 'operator/alice*', 'operator/bob'], 2);
    if (random.chance(0.15)) {
      const role = random.pick('admin', 'operator', 'viewer', 'viewer', 'viewer');
      const where = random.chance(0.6) ? { edges: generatedEdges(random) } : {};
      return { name, spec: { principals: who, role, ...where } };
    }
    return {
      name,
      spec: {
        principals: who,
        rules: Array.from({ length: random.int(1, 3) }, () => ({ ...rule(random), ...fixedRule })),
      },
    };
  });
}

/** `path` in place of what is drawn, for who can only send what its client sends. */
export function generatedAsking(random: Random): Asking {
  const edge = random.anyOf(edges) ?? '';
  const who = { principal: random.anyOf(principals) ?? '', edge, labels: edgeLabels.get(edge) };
  if (random.chance(0.06)) {
    const address = random.pick('10.0.0.7:22', '10.0.0.70:22', '10.0.0.7:2222');
    return { ...who, service: '', method: 'connect', target: address };
  }
  const service = random.anyOf(services) ?? '';
  if (random.chance(0.06)) return { ...who, service, method: 'connect', target: '' };
  const plain = random.anyOf(plainPaths) ?? '/';
  const path = random.chance(0.4) ? (random.anyOf(twists)?.(plain, random) ?? plain) : plain;
  const target = path + (random.anyOf(queries) ?? '');
  return { ...who, service, method: random.anyOf(methods) ?? 'GET', target };
}

function generatedEdges(random: Random): WrittenEdges {
  if (random.chance(0.6))
    return { names: some(random, ['edge-1', 'edge-1*', 'edge-*', 'shop', 'shop-1', '*', 'edge-99'], 2) };
  const matchLabels = random.pick<Readonly<Record<string, string>>>(
    { site: 'north' },
    { site: 'south', tier: 'silver' },
  );
  const expression = random.pick(
    { key: 'tier', operator: 'Exists' },
    { key: 'tier', operator: 'DoesNotExist' },
    { key: 'site', operator: 'In', values: ['north', 'east'] },
    { key: 'site', operator: 'NotIn', values: ['north'] },
    { key: 'constructor', operator: 'Exists' },
  );
  return {
    selector: random.pick(
      { matchLabels },
      { matchExpressions: [expression] },
      { matchLabels, matchExpressions: [expression] },
    ),
  };
}

function rule(random: Random): WrittenRule {
  return {
    edges: generatedEdges(random),
    services: some(random, [...services, '*', 'kube'], 2),
    ...(random.chance(0.3) ? { addresses: some(random, ['10.0.0.7:22', '10.0.0.7*', '*'], 1) } : {}),
    verbs: some(random, verbs, 4),
    ...(random.chance(0.3)
      ? { paths: some(random, ['/public/*', '/public*', '/time', '/', '/*', '/api/v1/namespaces/a/*', '/api*'], 2) }
      : {}),
    ...(random.chance(0.35)
      ? {
          resources: some(
            random,
            [
              'pods',
              'pods/log',
              'pods/*',
              'secrets',
              'namespaces',
              '*.apps',
              'virtualmachines.kubevirt.io',
              'deployments.apps/scale',
              '*',
            ],
            2,
          ),
        }
      : {}),
    ...(random.chance(0.3) ? { namespaces: some(random, ['a', 'ab', 'b'], 1) } : {}),
  };
}

function some<T>(random: Random, list: readonly T[], atMost: number): readonly T[] {
  const found = new Set<T>();
  for (let count = random.int(1, atMost); count > 0; count--) {
    const one = random.anyOf(list);
    if (one !== undefined) found.add(one);
  }
  return [...found];
}
