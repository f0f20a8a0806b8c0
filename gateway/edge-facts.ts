import type { EdgeNode } from '../api/index.ts';
import type { ResourceCaches } from './cache/index.ts';
import type { EdgeDirectory } from './edge-directory.ts';
import type { EdgeRegistry } from './edge-registry.ts';
import type { CacheObservation, EdgeObservation } from './fleet/index.ts';
import type { EdgeView, FleetEdge, ReadDefault } from './kube/index.ts';
import type { Peering } from './peers/index.ts';
import type { LinkCertificates } from './trust/index.ts';

export interface EdgeFactsOptions {
  readonly directory: EdgeDirectory;
  readonly registry: EdgeRegistry;
  readonly caches: ResourceCaches;
  readonly certificates: LinkCertificates;
  /** What other replicas say. */
  readonly peering: Pick<Peering, 'epochOf' | 'isElsewhere' | 'replicas'>;
  /** `site/name` of this replica. */
  readonly replica: string;
  /** Whether an edge's agent has said that it feeds nothing. */
  readonly feedsNothing: (edge: string) => boolean;
  /** For edges that do not say. */
  readonly reads: ReadDefault;
}

/** What this replica knows of edges, put together from where it is kept: the whitelist, the links, the caches. */
export class EdgeFacts {
  readonly #options: EdgeFactsOptions;

  constructor(options: EdgeFactsOptions) {
    this.#options = options;
  }

  /** For who answers requests to one edge. */
  view(edge: string): EdgeView {
    const { directory, reads } = this.#options;
    const node = directory.find(edge);
    const said = node?.spec.cacheReads;
    return {
      isAllowed: directory.admission(edge) === 'allowed',
      ...this.#contactOf(edge, node),
      readDefault: said === undefined ? reads : said === 'ByDefault' ? 'cache' : 'live',
    };
  }

  /** For who writes an edge's status. */
  observation(edge: string): EdgeObservation {
    const { registry, certificates, peering, replica } = this.#options;
    const presence = registry.find(edge);
    const active = presence?.links.find((link) => link.active);
    const certificate = active === undefined ? undefined : certificates.find(active.link);
    return {
      presence,
      certificate,
      cache: this.#cacheOf(edge),
      replica,
      isThere: (other) => peering.replicas.has(other),
      isElsewhere: peering.isElsewhere(edge, registry.reach(edge)),
      now: Date.now(),
    };
  }

  /**
   * The edges that a list of a kind has to be of: those on the whitelist that have registered once. Whose copy of the kind was
   * evicted is asked for it again.
   */
  fleetEdges(kind: { readonly group: string; readonly resource: string }): readonly FleetEdge[] {
    const { directory, registry, caches, feedsNothing } = this.#options;
    const edges: FleetEdge[] = [];
    for (const node of directory.edges) {
      const { name } = node.metadata;
      const cache = caches.find(name);
      const presence = registry.find(name);
      const services = presence?.services ?? node.status?.services;
      const contact = this.#contactOf(name, node);
      if (directory.admission(name) !== 'allowed' || (contact.lastContact === undefined && cache === undefined))
        continue;
      const kinds = cache?.kinds ?? [];
      const isFed = kinds.some(({ type }) => type.group === kind.group && type.resource === kind.resource);
      cache?.use(kind);
      edges.push({
        name,
        ...contact,
        hasKube: services?.some((service) => service.name === 'kube'),
        // What an edge feeds is known once it has told its kinds.
        feeds: isFed || (kinds.length > 0 || feedsNothing(name) ? false : undefined),
      });
    }
    return edges;
  }

  /** Whether an edge has a link, to this replica or another, and when it was last heard of. */
  #contactOf(edge: string, node: EdgeNode | undefined): Pick<EdgeView, 'isOnline' | 'lastContact'> {
    const { registry, peering } = this.#options;
    const own = contactOf(registry.contact(edge), node);
    return own.isOnline || peering.epochOf(edge) === 0 ? own : { isOnline: true, lastContact: Date.now() };
  }

  #cacheOf(edge: string): CacheObservation | undefined {
    const cache = this.#options.caches.find(edge);
    const kinds = cache?.kinds ?? [];
    if (cache === undefined || kinds.length === 0) return undefined;
    const failing = kinds.find(({ freshness }) => freshness.problem !== undefined);
    const problem = failing?.freshness.problem;
    return {
      isConnected: cache.isConnected,
      isComplete: kinds.every(({ freshness }) => freshness.isComplete),
      problem:
        failing === undefined || problem === undefined
          ? undefined
          : { reason: problem.reason, message: `${failing.type.resource}: ${problem.message}` },
    };
  }
}

/** The same by what this process saw, or by what is stored. */
function contactOf(
  contact: ReturnType<EdgeRegistry['contact']>,
  node: EdgeNode | undefined,
): Pick<EdgeView, 'isOnline' | 'lastContact'> {
  // Nothing that is stored is newer.
  if (contact?.isOnline === true) return contact;
  const stored = node?.status?.lastContact;
  const lastContact = Math.max(contact?.lastContact ?? 0, typeof stored === 'string' ? Date.parse(stored) : 0);
  return { isOnline: false, lastContact: lastContact === 0 ? undefined : lastContact };
}
