import type { PolicyGrant } from './decide.ts';
import { selectsEdge, type EdgeSelection, type Labels } from './edge-selection.ts';
import type { EdgeGrant, RoleGrant } from './policy.ts';
import { FLEET_GROUP } from './role.ts';

export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
}

export interface NonResourceRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

/** The status of a SelfSubjectRulesReview. */
export interface RulesStatus {
  readonly resourceRules: readonly ResourceRule[];
  readonly nonResourceRules: readonly NonResourceRule[];
  /** There is more, or less, than can be said this way. */
  readonly incomplete: boolean;
  readonly evaluationError?: string;
}

/** Edges that a selector is written out for. */
const MAX_EDGES = 100;
const reads = ['get', 'list', 'watch'];
const all = ['*'];

const discovery: NonResourceRule = {
  verbs: ['get'],
  nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', '/version'],
};
/** What everybody may ask. */
const selfReviews: ResourceRule = {
  verbs: ['create'],
  apiGroups: ['authorization.k8s.io'],
  resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
};

/** What may be done with the Kubernetes API of an edge, in a namespace; services besides are shown as paths of the gateway. */
export function rulesAtEdge(
  grants: readonly PolicyGrant[],
  edge: string,
  labels: Labels | undefined,
  namespace: string,
): RulesStatus {
  const status = new RulesBuilder();
  for (const { grant } of grants) {
    if (grant.at === 'fleet') continue;
    if (grant.edges !== undefined && !selectsEdge(grant.edges, edge, labels)) continue;
    status.addDiscovery();
    if (grant.at === 'role') status.addRole(grant, [edge]);
    else {
      status.addObjects(grant, namespace);
      status.addServices(grant, [edge], '');
    }
  }
  return status.done();
}

/** What may be done with the fleet's own resources, and at edges as paths of the gateway; edges that a selector finds are written out. */
export function rulesOfFleet(grants: readonly PolicyGrant[], edges: ReadonlyMap<string, Labels>): RulesStatus {
  const status = new RulesBuilder();
  status.addDiscovery();
  for (const { grant } of grants) {
    if (grant.at === 'fleet') status.addFleet(grant.resources, grant.verbs);
    else if (grant.at === 'edges') status.addServices(grant, status.namesOf(grant.edges, edges), '/edges');
    else status.addFleetRole(grant, status.namesOf(grant.edges, edges));
  }
  return status.done();
}

class RulesBuilder {
  readonly #resources: ResourceRule[] = [selfReviews];
  readonly #paths: NonResourceRule[] = [];
  #left = '';

  namesOf(selection: EdgeSelection | undefined, edges: ReadonlyMap<string, Labels>): readonly string[] {
    if (selection === undefined) return all;
    if ('names' in selection) return selection.names;
    const found = [...edges].filter(([edge, labels]) => selectsEdge(selection, edge, labels)).map(([edge]) => edge);
    if (found.length > MAX_EDGES) this.#left = `more than ${MAX_EDGES} edges match`;
    return found.sort().slice(0, MAX_EDGES);
  }

  /** Who may do anything with an API may learn what it offers. */
  addDiscovery(): void {
    if (!this.#paths.includes(discovery)) this.#paths.push(discovery);
  }

  addObjects({ verbs, paths, resources, namespaces, services }: EdgeGrant, namespace: string): void {
    const isHere = namespaces === undefined || namespace === '' || namespaces.includes(namespace);
    if (!isHere || !(services.includes('*') || services.includes('kube'))) return;
    if (namespaces !== undefined && namespace === '') this.#left = `in the namespaces ${namespaces.join(', ')} only`;
    if (paths !== undefined) this.#paths.push({ verbs, nonResourceURLs: paths });
    if (paths !== undefined && resources === undefined) return;
    for (const resource of resources ?? all) this.#addResource(resource, verbs, '');
  }

  /** `before` is `/edges` where the rules are of the fleet; at an edge its `kube` is shown as what it is. */
  addServices({ services, addresses, verbs, paths }: EdgeGrant, edges: readonly string[], before: '' | '/edges'): void {
    const shown = services.filter((service) => before !== '' || service !== 'kube');
    const urls = edges.flatMap((edge) => [
      ...shown.flatMap((service) => (paths ?? ['/*']).map((path) => `/edges/${edge}/${service}${path}`)),
      ...addresses.map((address) => `/edges/${edge}/${address}`),
    ]);
    if (urls.length > 0) this.#paths.push({ verbs, nonResourceURLs: urls });
  }

  addFleet(resources: readonly string[], verbs: readonly string[]): void {
    const paths = resources.filter((pattern) => pattern.startsWith('/') || pattern === '*');
    if (paths.length > 0) this.#paths.push({ verbs, nonResourceURLs: paths });
    for (const pattern of resources)
      if (!pattern.startsWith('/')) this.#addResource(pattern, verbs, pattern === '*' ? '' : FLEET_GROUP);
  }

  addRole({ role }: RoleGrant, edges: readonly string[]): void {
    const verbs = role === 'viewer' ? reads : all;
    this.#resources.push({ verbs, apiGroups: all, resources: all });
    this.#paths.push({ verbs, nonResourceURLs: edges.map((edge) => `/edges/${edge}/*`) });
    if (role === 'viewer') this.#left = 'a viewer reads no Secrets, and opens no connections';
    else this.#paths.push({ verbs, nonResourceURLs: all });
  }

  addFleetRole({ role, edges }: RoleGrant, names: readonly string[]): void {
    const verbs = role === 'viewer' ? reads : all;
    const urls = names.map((edge) => `/edges/${edge}/*`);
    if (role === 'admin' && edges === undefined) {
      this.#resources.push({ verbs: all, apiGroups: all, resources: all });
      this.#paths.push({ verbs: all, nonResourceURLs: all });
      return;
    }
    this.#paths.push({ verbs, nonResourceURLs: urls });
    if (role === 'viewer') this.#left = 'a viewer reads no Secrets, and opens no connections';
    if (edges !== undefined) {
      this.#resources.push({ verbs, apiGroups: [FLEET_GROUP], resources: ['edgenodes'] });
      this.#left = 'of the EdgeNodes those of the selected edges';
      return;
    }
    this.#resources.push({ verbs: reads, apiGroups: all, resources: all });
    if (role !== 'operator') return;
    this.#resources.push({ verbs: all, apiGroups: [FLEET_GROUP], resources: ['edgenodes', 'jointokens'] });
    this.#resources.push({ verbs: ['create'], apiGroups: [FLEET_GROUP], resources: ['revocations'] });
  }

  done(): RulesStatus {
    return {
      resourceRules: this.#resources,
      nonResourceRules: this.#paths,
      incomplete: this.#left !== '',
      ...(this.#left === '' ? {} : { evaluationError: this.#left }),
    };
  }

  /** `deployments.apps/scale` is `deployments/scale` of the group `apps`. */
  #addResource(pattern: string, verbs: readonly string[], defaultGroup: string): void {
    const [named = '', below] = pattern.split('/', 2);
    const dot = named.indexOf('.');
    const resource = dot === -1 ? named : named.slice(0, dot);
    const group = pattern === '*' ? '*' : dot === -1 ? defaultGroup : named.slice(dot + 1);
    this.#resources.push({
      verbs,
      apiGroups: [group],
      resources: [below === undefined ? resource : `${resource}/${below}`],
    });
  }
}
