import type { Labels } from '../../../gateway/policy/edge-selection.ts';

/** An AccessPolicy as a person writes it. */
export interface WrittenPolicy {
  readonly name: string;
  readonly spec: {
    readonly principals: readonly string[];
    readonly rules?: readonly WrittenRule[];
    readonly role?: 'admin' | 'operator' | 'viewer';
    readonly edges?: WrittenEdges;
  };
}

export interface WrittenEdges {
  readonly names?: readonly string[];
  readonly selector?: {
    readonly matchLabels?: Readonly<Record<string, string>>;
    readonly matchExpressions?: readonly { key: string; operator: string; values?: readonly string[] }[];
  };
}

export interface WrittenRule {
  readonly edges: WrittenEdges;
  readonly services?: readonly string[];
  readonly addresses?: readonly string[];
  readonly verbs: readonly string[];
  readonly paths?: readonly string[];
  readonly resources?: readonly string[];
  readonly namespaces?: readonly string[];
}

export interface Asking {
  readonly principal: string;
  readonly edge: string;
  /** Undefined: the edge is not known. */
  readonly labels: Labels | undefined;
  /** Empty: `target` is an address. */
  readonly service: string;
  /** An HTTP method, or `connect`. */
  readonly method: string;
  /** With the query. */
  readonly target: string;
}

/** `bad`: refused for how it is written, whoever asks. */
export type Verdict = 'allow' | 'deny' | 'bad';

/**
 * What has to come out, written to be read and not to be fast, from the description in docs/policy.md. It shares no code with
 * what it judges.
 */
export function judge(policies: readonly WrittenPolicy[], asking: Asking): Verdict {
  if (asking.method !== 'connect' && isBad(asking.target)) return 'bad';
  for (const { spec } of policies) {
    if (!spec.principals.some((pattern) => isLike(pattern, asking.principal))) continue;
    if (spec.role !== undefined) {
      const isThere = spec.edges === undefined || isAmong(spec.edges, asking);
      if (isThere && (spec.role !== 'viewer' || isViewing(asking))) return 'allow';
    }
    for (const rule of spec.rules ?? []) if (isGranted(rule, asking)) return 'allow';
  }
  return 'deny';
}

function isLike(pattern: string, name: string): boolean {
  if (!pattern.endsWith('*')) return pattern === name;
  return name.slice(0, pattern.length - 1) === pattern.slice(0, -1);
}

function isAmong(edges: WrittenEdges, { edge, labels }: Asking): boolean {
  if (edges.names !== undefined) return edges.names.some((pattern) => isLike(pattern, edge));
  if (labels === undefined) return false;
  const { matchLabels = {}, matchExpressions = [] } = edges.selector ?? {};
  const has = new Map(Object.entries(labels));
  let isFound = true;
  for (const [key, wanted] of Object.entries(matchLabels)) if (has.get(key) !== wanted) isFound = false;
  for (const { key, operator, values = [] } of matchExpressions) {
    const value = has.get(key);
    if (operator === 'Exists' && value === undefined) isFound = false;
    if (operator === 'DoesNotExist' && value !== undefined) isFound = false;
    if (operator === 'In' && (value === undefined || !values.includes(value))) isFound = false;
    if (operator === 'NotIn' && value !== undefined && values.includes(value)) isFound = false;
  }
  return isFound;
}

function isGranted(rule: WrittenRule, asking: Asking): boolean {
  if (!isAmong(rule.edges, asking)) return false;
  const { service, method, target } = asking;
  const hasVerb = (verb: string): boolean => rule.verbs.includes('*') || rule.verbs.includes(verb);
  if (service === '') return hasVerb('connect') && (rule.addresses ?? []).some((pattern) => isLike(pattern, target));
  const services = rule.services ?? [];
  if (!services.includes('*') && !services.includes(service)) return false;
  const isUnlimited = rule.paths === undefined && rule.resources === undefined && rule.namespaces === undefined;
  if (method === 'connect') return hasVerb('connect') && isUnlimited;

  const [path = ''] = target.split('?');
  const verb = plainVerb(method);
  const reading = service === 'kube' ? readKube(path) : 'other';
  if (reading === 'document' && verb === 'get') return true;
  if (typeof reading === 'object') {
    const asked = kubeVerb(verb, reading, target);
    if (!hasVerb(asked)) return false;
    if (rule.resources === undefined && rule.paths !== undefined) return false;
    if (rule.resources !== undefined && !rule.resources.some((pattern) => isResource(pattern, reading))) return false;
    // A list of all namespaces is live here: a part of it is not given.
    return rule.namespaces === undefined || rule.namespaces.includes(placeOf(reading));
  }
  if (!hasVerb(verb)) return false;
  if (reading === 'unreadable') return isUnlimited && rule.verbs.includes('*');
  if (rule.paths === undefined) return isUnlimited;
  return rule.paths.some((pattern) => isLike(pattern, path)) && isClear(path);
}

function isViewing({ service, method, target }: Asking): boolean {
  if (service === '' || method === 'connect') return false;
  const [path = ''] = target.split('?');
  const verb = plainVerb(method);
  const views = ['get', 'list', 'watch'];
  if (service !== 'kube') return views.includes(verb);
  const reading = readKube(path);
  if (typeof reading !== 'object') return verb === 'get' && (reading === 'document' || reading === 'health');
  if (!views.includes(kubeVerb(verb, reading, target))) return false;
  if (reading.group === '' && reading.resource === 'secrets') return false;
  return ['', 'status', 'scale', 'log'].includes(reading.below);
}

function plainVerb(method: string): string {
  const verb = {
    GET: 'get',
    HEAD: 'get',
    OPTIONS: 'get',
    POST: 'create',
    PUT: 'update',
    PATCH: 'patch',
    DELETE: 'delete',
  }[method];
  return verb ?? `a method called ${method}`;
}

interface KubeObject {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  /** The first part of what is behind the name. */
  readonly below: string;
  readonly isOldWatch: boolean;
}

function kubeVerb(verb: string, { name, below, isOldWatch }: KubeObject, target: string): string {
  if (isOldWatch) return 'watch';
  if (below === 'exec' || below === 'attach' || below === 'portforward') return 'create';
  const watch = new URLSearchParams(target.split('?')[1] ?? '').get('watch');
  if (verb === 'get' && watch !== null && watch !== '0' && watch !== 'false') return 'watch';
  if (verb === 'get') return name === '' ? 'list' : 'get';
  if (verb === 'delete') return name === '' ? 'deletecollection' : 'delete';
  return verb;
}

function placeOf({ group, resource, namespace, name }: KubeObject): string {
  return group === '' && resource === 'namespaces' ? name : namespace;
}

function isResource(pattern: string, { group, resource, below }: KubeObject): boolean {
  const full = group === '' ? resource : `${resource}.${group}`;
  const meant = ['*', below === '' ? full : `${full}/${below}`, `${full}/*`];
  if (group !== '') meant.push(`*.${group}`, `*.${group}/*`, `*.${group}/${below}`);
  return meant.includes(pattern);
}

function readKube(path: string): KubeObject | 'document' | 'health' | 'unreadable' | 'other' {
  if (/^\/(healthz|livez|readyz)(\/[a-z0-9-]+)*$/.test(path)) return 'health';
  if (path === '/version' || path === '/version/' || path === '/openapi' || path.startsWith('/openapi/'))
    return 'document';
  const parts = path.split('/').slice(1);
  if (parts[0] !== 'api' && parts[0] !== 'apis') return 'other';
  if (parts.at(-1) === '' && parts.length > 1) parts.pop();
  const words: string[] = [];
  for (const part of parts) {
    let word = '';
    try {
      word = decodeURIComponent(part);
    } catch {
      return 'unreadable';
    }
    if (['', '.', '..'].includes(word) || ['/', '\\', '\0'].some((sign) => word.includes(sign))) return 'unreadable';
    words.push(word);
  }
  const isCore = words.shift() === 'api';
  const group = isCore ? '' : words.shift();
  words.shift();
  if (group === undefined || words.length === 0) return 'document';
  const isOldWatch = words[0] === 'watch' && words.length > 1;
  if (isOldWatch) words.shift();
  let namespace = '';
  const isStatusOfNamespace = group === '' && words[2] === 'status' && words.length === 3;
  if (words[0] === 'namespaces' && words.length > 2 && !isStatusOfNamespace) {
    namespace = words[1] ?? '';
    words.splice(0, 2);
  }
  const [resource = '', name = '', below = ''] = words;
  if (group === '' && resource === 'finalize' && name === '' && namespace !== '')
    return { group, resource: 'namespaces', namespace: '', name: namespace, below: 'finalize', isOldWatch };
  return { group, resource, namespace, name, below, isOldWatch };
}

/** Whether every server reads the path the same way. */
function isClear(path: string): boolean {
  const signs = ['//', '\\', '%2f', '%2e', '%5c', '%25'];
  return !signs.some((sign) => path.toLowerCase().includes(sign));
}

function isBad(target: string): boolean {
  const [path = ''] = target.split('?');
  if (!path.startsWith('/') || target.includes('#') || target.includes('\\')) return true;
  for (let at = path.indexOf('%'); at !== -1; at = path.indexOf('%', at + 1)) {
    const digits = path.slice(at + 1, at + 3);
    if (digits.length < 2 || Number.isNaN(Number(`0x${digits}`)) || digits === '00') return true;
  }
  const opened = path.replaceAll(/%2e/gi, '.').replaceAll(/%(2f|5c)/gi, '/');
  return opened.split('/').some((part) => ['.', '..'].includes(part.split(';')[0] ?? ''));
}
