import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../../base/index.ts';
import {
  forbidden,
  parseObjectBody,
  parseRequestPath,
  readBody,
  sendAnswer,
  sendError,
  type Access,
  type AccessAttributes,
} from '../../resources/index.ts';
import { routeOf } from '../front/index.ts';
import { askedFor, parseReview, type ReviewSpec } from './asked-for.ts';
import type { Decision } from './decide.ts';
import type { PolicyBook } from './policy-book.ts';
import { rulesAtEdge, rulesOfFleet, type RulesStatus } from './rules-review.ts';

const MAX_BODY_BYTES = 64 * 1024;
const BODY_MS = 10_000;
const ALL_EDGES = '/fleet/kube';

/** Where a review is asked: at the fleet's own API, at one edge's, or at that of all edges. */
type Place = { readonly at: 'fleet' | 'all' } | { readonly at: 'edge'; readonly edge: string };

const kinds = {
  selfsubjectaccessreviews: 'SelfSubjectAccessReview',
  subjectaccessreviews: 'SubjectAccessReview',
  selfsubjectrulesreviews: 'SelfSubjectRulesReview',
  selfsubjectreviews: 'SelfSubjectReview',
} as const;
type Review = { readonly resource: keyof typeof kinds; readonly group: string; readonly place: Place };

/**
 * Kubernetes' questions about who may do what, on every API that a replica serves: `kubectl auth can-i` and `auth whoami`. An edge
 * is not asked: it knows its agent only, and not who calls.
 */
export class Reviews {
  readonly #book: PolicyBook;

  constructor(book: PolicyBook) {
    this.#book = book;
  }

  /** Whether the request was a review, and is looked after. Throws what `accessOf` throws. */
  request(request: IncomingMessage, response: ServerResponse, accessOf: (request: IncomingMessage) => Access): boolean {
    const review = request.method === 'POST' ? reviewOf(request.url ?? '') : undefined;
    if (review === undefined) return false;
    this.#answer(request, response, review, accessOf(request)).catch((error: unknown) => sendError(response, error));
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse, review: Review, caller: Access): Promise<void> {
    const body = await readBody(request, { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_MS });
    const given = parseObjectBody(request.headers['content-type'], body);
    const spec = parseReview(given);
    const status = this.#statusOf(review, spec, given, this.#subjectOf(request, review, spec, caller));
    const apiVersion = `${review.group}/v1`;
    const answer = { kind: kinds[review.resource], apiVersion, metadata: {}, spec: specIn(given), status };
    sendAnswer(response, 201, 'application/json', Buffer.from(JSON.stringify(answer)));
  }

  /** Who is asked about. About others (also by `kubectl --as`) may ask who may make a `SubjectAccessReview`. */
  #subjectOf(request: IncomingMessage, { resource }: Review, { user }: ReviewSpec, caller: Access): string {
    const impersonated = request.headers['impersonate-user'];
    const about = resource === 'subjectaccessreviews' ? user : impersonated;
    if (typeof about !== 'string' || (resource !== 'subjectaccessreviews' && about === caller.principal))
      return caller.principal;
    const asked = { edge: '', verb: 'create', group: 'authorization.k8s.io', resource: 'subjectaccessreviews' };
    const attributes: AccessAttributes = { ...asked, subresource: '', namespace: '', name: '' };
    if (!caller.allows(attributes)) throw forbidden(caller.principal, attributes);
    return about;
  }

  #statusOf({ resource, place }: Review, spec: ReviewSpec, given: unknown, subject: string): object {
    switch (resource) {
      case 'selfsubjectaccessreviews':
      case 'subjectaccessreviews':
        return this.#accessStatus(place, spec, subject);
      case 'selfsubjectrulesreviews':
        return this.#rulesStatus(place, subject, namespaceIn(given));
      case 'selfsubjectreviews':
        return { userInfo: { username: subject, groups: ['system:authenticated'] } };
    }
  }

  #accessStatus(place: Place, spec: ReviewSpec, subject: string): object {
    const access = this.#book.accessOf(subject);
    let asked: AccessAttributes;
    try {
      asked = askedFor(place.at === 'edge' ? place.edge : '', spec);
    } catch (error) {
      return { allowed: false, reason: 'default deny', evaluationError: messageOf(error) };
    }
    if (isForAll(asked)) return { allowed: true, reason: 'everybody may' };
    if (place.at !== 'all' || asked.resource === '') return statusOf(access.explain(asked), asked);
    // As a list of all edges is answered: with what there is at those where it is allowed.
    const edges = [...this.#book.edges];
    const [found, ...others] = edges.filter((edge) => access.allows({ ...asked, edge, service: 'kube' }));
    if (found === undefined) return { allowed: false, reason: 'default deny' };
    const { rule } = access.explain({ ...asked, edge: found, service: 'kube' });
    return { allowed: true, reason: `${rule} at ${found}; at ${others.length + 1} of ${edges.length} edges` };
  }

  #rulesStatus(place: Place, subject: string, namespace: string): RulesStatus {
    const { grants } = this.#book.accessOf(subject);
    if (place.at === 'edge') return rulesAtEdge(grants, place.edge, this.#book.labelsOf(place.edge), namespace);
    return rulesOfFleet(grants, this.#book.labels);
  }
}

/** What `kubectl` shows behind a "no" is the reason, and of what is allowed in part it has to say so. */
function statusOf({ allowed, rule, policy, filter }: Decision, { edge, namespace }: AccessAttributes): object {
  const reason = rule.startsWith('role ') && policy !== '' ? `${rule}, by the AccessPolicy ${policy}` : rule;
  if (!allowed || filter === undefined) return { allowed, reason };
  const part = namespace === '' ? 'not for all that it would show' : 'in part';
  // A list at an edge is live, and whole or refused; of the fleet's own it shows what may be seen.
  return { allowed: edge === '', reason: `${reason}, ${part}` };
}

/** Discovery, and reviews about oneself. */
function isForAll({ edge, group, resource, path = '', verb }: AccessAttributes): boolean {
  if (group === 'authorization.k8s.io' || group === 'authentication.k8s.io')
    return verb === 'create' && resource.startsWith('selfsubject');
  if (edge !== '' || resource !== '' || verb !== 'get') return false;
  try {
    return parseRequestPath(path)?.kind === 'document';
  } catch {
    return false;
  }
}

function reviewOf(target: string): Review | undefined {
  if (!target.includes('/selfsubject') && !target.includes('/subjectaccess')) return undefined;
  try {
    const [path = ''] = target.split('?', 1);
    const route = routeOf(path);
    if (route !== undefined && route.service !== 'kube') return undefined;
    const isAll = route === undefined && path.startsWith(`${ALL_EDGES}/`);
    const asked = parseRequestPath(route?.path ?? (isAll ? path.slice(ALL_EDGES.length) : path));
    if (asked?.kind !== 'resource' || asked.version !== 'v1' || asked.name !== '' || asked.namespace !== '')
      return undefined;
    const { group, resource } = asked;
    if (!isReview(resource)) return undefined;
    if (group !== (resource === 'selfsubjectreviews' ? 'authentication.k8s.io' : 'authorization.k8s.io'))
      return undefined;
    const place: Place = route === undefined ? { at: isAll ? 'all' : 'fleet' } : { at: 'edge', edge: route.edge };
    return { resource, group, place };
  } catch {
    // Whoever takes it from here finds the same, and says so.
    return undefined;
  }
}

function isReview(resource: string): resource is keyof typeof kinds {
  return Object.hasOwn(kinds, resource);
}

function specIn(given: unknown): unknown {
  return typeof given === 'object' && given !== null && 'spec' in given ? given.spec : {};
}

function namespaceIn(given: unknown): string {
  const spec = specIn(given);
  const namespace = typeof spec === 'object' && spec !== null && 'namespace' in spec ? spec.namespace : '';
  return typeof namespace === 'string' ? namespace : '';
}
