import type { IncomingMessage, ServerResponse } from 'node:http';
import { CodedError, type Clock } from '../../base/index.ts';
import {
  answerRead,
  ApiServer,
  forbidden,
  isWatch,
  parseRequestPath,
  sendError,
  type Access,
  type AccessAttributes,
  type ResourceApi,
  type ResourceApis,
  type ResourcePath,
} from '../../resources/index.ts';
import { gatewayError } from '../gateway-error.ts';
import { answerAbsence } from './absence.ts';
import { answerNotModified, entityTagOf, hasState } from './entity-tag.ts';
import { fleetAccess } from './fleet-access.ts';
import { coverageHeaders, coverageOf, namesOf, type FleetCoverage, type FleetEdge } from './fleet-coverage.ts';
import type { FleetView } from './fleet-view.ts';
import type { FleetViews } from './fleet-views.ts';
import type { ReadCounts } from './read-counts.ts';

export const FLEET_KUBE = '/fleet/kube';

/** How long a list waits for edges that are online and have not sent all yet. */
const COVERAGE_WAIT_MS = 3000;
const RETRY_AFTER_MS = 5000;

export interface FleetKubeOptions {
  readonly views: FleetViews;
  /** Edges on the whitelist that were registered once; what they feed is asked of the kind. */
  readonly edges: (kind: Pick<ResourcePath, 'group' | 'resource'>) => readonly FleetEdge[];
  readonly counts: ReadCounts;
  /** Our own release, for `/version`. */
  readonly version: string;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/**
 * `/fleet/kube/...`: the objects of all edges as one Kubernetes API, read only. A list is of all edges or an error that names
 * those that are missing; with `allowPartial=true` it is of those that there are, and the head names the others.
 */
export class FleetKube {
  readonly #options: FleetKubeOptions;
  #documents: { readonly apis: ResourceApis; readonly server: ApiServer } | undefined;

  constructor(options: FleetKubeOptions) {
    this.#options = options;
  }

  /** Whether the request was for the fleet view, and is looked after. `path` is without the query. */
  answer(request: IncomingMessage, response: ServerResponse, path: string, access: Access): boolean {
    if (path !== FLEET_KUBE && !path.startsWith(`${FLEET_KUBE}/`)) return false;
    this.#answer(request, response, access).catch((error: unknown) => sendError(response, error));
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse, access: Access): Promise<void> {
    const target = (request.url ?? '').slice(FLEET_KUBE.length) || '/';
    const [pathText = '', queryText = ''] = target.split('?', 2);
    const path = parseRequestPath(pathText);
    const isRead = request.method === 'GET' && path?.kind === 'resource' && path.subresource === '';
    const found = isRead ? this.#options.views.find(path) : undefined;
    if (isRead && found === undefined) this.#requireKnown(response, path, access);
    if (!isRead || found === undefined) {
      // Documents, and the refusal of everything else.
      if (!(await this.#server().answer(request, response, target, access)))
        throw gatewayError('not-found', { detail: pathText.slice(0, 200) });
      return;
    }
    await this.#answerRead(request, response, access, path, new URLSearchParams(queryText), found);
  }

  async #answerRead(
    request: IncomingMessage,
    response: ServerResponse,
    access: Access,
    path: ResourcePath,
    query: URLSearchParams,
    { view, api }: { readonly view: FleetView; readonly api: ResourceApi },
  ): Promise<void> {
    const { counts } = this.#options;
    const asked = attributesOf(path, query);
    const edges = this.#options.edges(path);
    const ofFleet = fleetAccess(
      access,
      edges.map(({ name }) => name),
    );
    // A fleet without edges is an empty list, and not a secret.
    if (edges.length > 0 && !ofFleet.allows(asked)) throw forbidden(access.principal, asked);

    const coverage = await this.#coverage(view, path, access, asked);
    const needsAll = path.name === '' && (!isWatch(query) || beginsWithList(query));
    if (coverage.missing.length > 0 && needsAll && !allowsPartial(query)) {
      this.#failIncomplete(response, coverage.missing);
    }
    const headers = coverageHeaders(coverage);
    if (!isWatch(query)) {
      counts.read('fleet', coverage.missing.length > 0 ? 'partial' : 'hit');
      const etag =
        ofFleet.filter?.(asked) === undefined ? await entityTagOf(request, view.collection, path) : undefined;
      if (etag !== undefined) {
        headers['ETag'] = etag;
        if (hasState(request, etag)) return answerNotModified(response, headers);
      }
    }
    // What is only ours does not reach the engine's reading of the query.
    query.delete('allowPartial');
    const watched = isWatch(query) ? counts.watch('fleet') : undefined;
    try {
      await answerRead({ request, response, api, access: ofFleet, path, query, headers });
    } catch (error) {
      answerAbsence(response, namingEdges(error, path, edges), path, headers);
    } finally {
      watched?.();
    }
  }

  /** That no edge has such a kind can be said only when all have told what they have. Throws `edges-missing`. */
  #requireKnown(response: ServerResponse, path: ResourcePath, access: Access): void {
    const asked = attributesOf(path, new URLSearchParams());
    const silent = this.#options
      .edges(path)
      .filter(({ hasKube, feeds }) => hasKube !== false && feeds === undefined)
      .filter(({ name }) => access.allows({ ...asked, name: '', edge: name }));
    if (silent.length === 0) return;
    this.#failIncomplete(response, silent);
  }

  #failIncomplete(response: ServerResponse, missing: readonly FleetEdge[]): never {
    this.#options.counts.read('fleet', 'incomplete');
    response.setHeader('Causeway-Missing-Edges', namesOf(missing));
    throw gatewayError('edges-missing', { detail: namesOf(missing), retryAfterMs: RETRY_AFTER_MS });
  }

  /** What the view covers of what the caller may know of; waits, bounded, for what is on its way. */
  async #coverage(
    view: FleetView,
    path: ResourcePath,
    access: Access,
    asked: AccessAttributes,
  ): Promise<FleetCoverage> {
    let isLate = false;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(COVERAGE_WAIT_MS, () => {
      isLate = true;
      resolve();
    });
    try {
      for (;;) {
        const known = this.#options.edges(path).filter(({ name }) => access.allows({ ...asked, name: '', edge: name }));
        const coverage = coverageOf(view, known);
        const isComing = !view.isSettled || coverage.missing.some(({ isOnline }) => isOnline);
        if (!isComing || isLate) return coverage;
        await Promise.race([view.changed(), late]);
      }
    } finally {
      timer.cancel();
    }
  }

  #server(): ApiServer {
    const { views, version, onError } = this.#options;
    const apis = views.offered;
    if (this.#documents?.apis !== apis) this.#documents = { apis, server: new ApiServer({ apis, version, onError }) };
    return this.#documents.server;
  }
}

/** A name of an edge's own is looked for here by those who do not know that names begin with the edge. */
function namingEdges(error: unknown, { name }: ResourcePath, edges: readonly FleetEdge[]): unknown {
  if (!(error instanceof CodedError) || error.code !== 'object-not-found') return error;
  if (edges.some((edge) => name.startsWith(`${edge.name}.`))) return error;
  const message = `${error.message}: here names begin with the edge, as EDGE.${name}`;
  return new CodedError(error.code, message, {
    status: error.status,
    fix: 'list what there is, and take names from there',
  });
}

function attributesOf({ group, resource, namespace, name }: ResourcePath, query: URLSearchParams): AccessAttributes {
  const verb = isWatch(query) ? 'watch' : name === '' ? 'list' : 'get';
  return { edge: '', verb, group, resource, subresource: '', namespace, name };
}

/** A watch without a version, or from 0, is a list with what follows. */
function beginsWithList(query: URLSearchParams): boolean {
  const version = query.get('resourceVersion') ?? '';
  return version === '' || version === '0' || query.has('sendInitialEvents');
}

function allowsPartial(query: URLSearchParams): boolean {
  return query.get('allowPartial') === 'true' || query.get('allowPartial') === '1';
}
