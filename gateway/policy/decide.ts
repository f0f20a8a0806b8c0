import { parseRequestPath, type AccessAttributes } from '../../resources/index.ts';
import { matchesName, selectsEdge, type Labels } from './edge-selection.ts';
import type { EdgeGrant, FleetGrant, Grant, Policy } from './policy.ts';
import { FLEET_GROUP, roleExtent } from './role.ts';

/** What is asked, with what is known of the edge. */
export interface DecisionAttributes extends AccessAttributes {
  /** `spec.labels` of an edge; undefined for an edge that is not known. */
  readonly labelsOf: (edge: string) => Labels | undefined;
}

export interface Decision {
  readonly allowed: boolean;
  /** Which rule decided: `POLICY#INDEX` (the place in `spec.rules`), `role NAME`, or `default deny`. */
  readonly rule: string;
  /** The policy that the rule stands in; empty: the replica's configuration, or none. */
  readonly policy: string;
  /** For verbs that are about many objects: which of them. Missing: all that were asked for. */
  readonly filter?: ObjectFilter;
}

export type ObjectFilter = (object: { readonly namespace: string; readonly name: string }) => boolean;

/** How much of what is asked a grant allows. */
export type Extent = 'none' | 'all' | ObjectFilter;

/** What a request at the edge's `kube` is about: an object, a document of discovery, whether it is well, some other path, or one that cannot be read. */
type KubeMatter = 'object' | 'document' | 'health' | 'path' | 'unreadable';

/** What is asked, read once for all grants. */
export interface Asked extends DecisionAttributes {
  readonly service: string;
  readonly path: string;
  readonly edgeLabels: Labels | undefined;
  readonly isMany: boolean;
  readonly kube: KubeMatter;
}

export interface PolicyGrant {
  readonly policy: string;
  readonly grant: Grant;
}

/** Verbs that are about many objects at once. */
const manyVerbs = new Set(['list', 'watch', 'deletecollection']);

const denied: Decision = { allowed: false, rule: 'default deny', policy: '' };

/** Who may do what. Rules only allow; what none of them allows is denied. Pure: the same for the same arguments. */
export function decide(policies: readonly Policy[], principal: string, attributes: DecisionAttributes): Decision {
  return decideBy(grantsFor(policies, principal), attributes);
}

/** What stands in policies for one principal, in the order in which it is asked. */
export function grantsFor(policies: readonly Policy[], principal: string): readonly PolicyGrant[] {
  return policies
    .filter(({ principals }) => principals.some((pattern) => matchesName(pattern, principal)))
    .flatMap(({ name, grants }) => grants.map((grant) => ({ policy: name, grant })));
}

/** As `decide`, with the principal's grants. A rule that allows all that is asked decides before rules that allow a part of it. */
export function decideBy(grants: readonly PolicyGrant[], attributes: DecisionAttributes): Decision {
  const asked = askedOf(attributes);
  let partial: Decision | undefined;
  const filters: ObjectFilter[] = [];
  for (const { policy, grant } of grants) {
    const extent = extentOf(grant, asked);
    if (extent === 'none') continue;
    if (extent === 'all') return { allowed: true, rule: grant.rule, policy };
    filters.push(extent);
    partial ??= {
      allowed: true,
      rule: grant.rule,
      policy,
      filter: (object) => filters.some((filter) => filter(object)),
    };
  }
  return partial ?? denied;
}

/** Whether a grant can say anything of a service of an edge; of an address with an empty service. */
export function isAbout(grant: Grant, edge: string, labels: Labels | undefined, service: string): boolean {
  if (grant.at === 'fleet') return false;
  if (grant.edges !== undefined && !selectsEdge(grant.edges, edge, labels)) return false;
  return grant.at === 'role' || (service === '' ? grant.addresses.length > 0 : isListed(grant.services, service));
}

function askedOf(attributes: DecisionAttributes): Asked {
  const { edge, verb, labelsOf, service = edge === '' ? '' : 'kube', path = '' } = attributes;
  return {
    ...attributes,
    // `proxy/a/b` is about `proxy`, as in Kubernetes.
    subresource: attributes.subresource.split('/', 1)[0] ?? '',
    service,
    path,
    edgeLabels: edge === '' ? undefined : labelsOf(edge),
    isMany: manyVerbs.has(verb),
    kube: service === 'kube' ? kubeMatterOf(attributes.resource, path) : 'path',
  };
}

function extentOf(grant: Grant, asked: Asked): Extent {
  switch (grant.at) {
    case 'role':
      return roleExtent(grant, asked);
    case 'fleet':
      return isFleetGranted(grant, asked) ? 'all' : 'none';
    case 'edges':
      return edgeExtent(grant, asked);
  }
}

function isFleetGranted({ resources, verbs }: FleetGrant, asked: Asked): boolean {
  const { edge, group, resource, path, verb } = asked;
  if (edge !== '' || !isListed(verbs, verb)) return false;
  if (resource === '')
    return resources.some((pattern) => pattern === '*' || (pattern.startsWith('/') && matchesPath(pattern, path)));
  // The fleet's own group need not be said.
  const own = group === FLEET_GROUP ? { ...asked, group: '' } : asked;
  return resources.some((pattern) => matchesResource(pattern, own) || matchesResource(pattern, asked));
}

function edgeExtent(grant: EdgeGrant, asked: Asked): Extent {
  const { edge, edgeLabels, service, verb, path } = asked;
  if (edge === '' || !selectsEdge(grant.edges, edge, edgeLabels)) return 'none';
  if (service === '')
    return isListed(grant.verbs, verb) && grant.addresses.some((pattern) => matchesName(pattern, path))
      ? 'all'
      : 'none';
  if (!isListed(grant.services, service)) return 'none';
  // Whoever may do anything with an API may learn what it offers.
  if (asked.kube === 'document' && verb === 'get') return 'all';
  if (!isListed(grant.verbs, verb)) return 'none';
  return asked.kube === 'object' ? objectExtent(grant, asked) : isPathGranted(grant, asked) ? 'all' : 'none';
}

/** A rule with paths and without resources is about paths only. */
function objectExtent({ paths, resources, namespaces }: EdgeGrant, asked: Asked): Extent {
  if (resources === undefined && paths !== undefined) return 'none';
  if (resources !== undefined && !resources.some((pattern) => matchesResource(pattern, asked))) return 'none';
  if (namespaces === undefined) return 'all';
  const namespace = namespaceOf(asked, asked);
  if (namespace !== '') return namespaces.includes(namespace) ? 'all' : 'none';
  if (!asked.isMany || asked.name !== '') return 'none';
  return (object) => namespaces.includes(namespaceOf(asked, object));
}

/** A rule with resources or namespaces, and without paths, is about objects only. */
function isPathGranted({ verbs, paths, resources, namespaces }: EdgeGrant, { kube, verb, path }: Asked): boolean {
  const isUnlimited = paths === undefined && resources === undefined && namespaces === undefined;
  // Through a connection anything can be asked.
  if (verb === 'connect') return isUnlimited;
  // What it means to the edge is not known here: a path could stand for any object, and a GET for a watch.
  if (kube === 'unreadable') return isUnlimited && verbs.includes('*');
  if (paths === undefined) return isUnlimited;
  return paths.some((pattern) => matchesPath(pattern, path));
}

/** A namespace is in itself. */
function namespaceOf(
  { group, resource }: Pick<Asked, 'group' | 'resource'>,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): string {
  return group === '' && resource === 'namespaces' && namespace === '' ? name : namespace;
}

function isListed(list: readonly string[], word: string): boolean {
  return list.includes('*') || list.includes(word);
}

/**
 * A path, or a beginning with `*`, compared with the path as it is forwarded, byte for byte. What one server reads as
 * another path than the next (`//`, an escaped slash, dot or percent sign) is no rule's.
 */
function matchesPath(pattern: string, path: string): boolean {
  return matchesName(pattern, path) && !/\/\/|\\|%(?:2f|2e|5c|25)/i.test(path);
}

/**
 * `pods` (of the core group), `pods/log`, `pods/*`, `virtualmachines.kubevirt.io`, `*.apps`, `*`. A name alone does not cover
 * what is below its objects.
 */
function matchesResource(pattern: string, { group, resource, subresource }: MatchedResource): boolean {
  if (pattern === '*') return true;
  const slash = pattern.indexOf('/');
  const named = slash === -1 ? pattern : pattern.slice(0, slash);
  const isGroup = named.startsWith('*.');
  const below = slash === -1 ? (isGroup ? '*' : '') : pattern.slice(slash + 1);
  if (below !== '*' && below !== subresource) return false;
  if (isGroup) return group !== '' && named === `*.${group}`;
  return named === (group === '' ? resource : `${resource}.${group}`);
}

type MatchedResource = Pick<Asked, 'group' | 'resource' | 'subresource'>;

const health = /^\/(?:healthz|livez|readyz)(?:\/[a-z0-9-]+)*$/;

function kubeMatterOf(resource: string, path: string): KubeMatter {
  if (resource !== '') return 'object';
  if (health.test(path)) return 'health';
  try {
    const read = parseRequestPath(path);
    // What names a resource and is asked for as a path was not read as it will be.
    return read === undefined ? 'path' : read.kind === 'document' ? 'document' : 'unreadable';
  } catch {
    return 'unreadable';
  }
}
