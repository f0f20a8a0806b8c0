import { isDnsLabel, validate, z } from '../../base/index.ts';
import { resourceError, type AccessAttributes } from '../../resources/index.ts';
import { routeOf } from '../front/index.ts';
import { kubeAttributes, pathAttributes } from '../stream-access.ts';

const text = z.string().max(512).default('');

/** What a review asks, as Kubernetes writes it; members that are not known mean nothing to us. */
const specSchema = z.object({
  user: text,
  resourceAttributes: z
    .object({ namespace: text, verb: text, group: text, resource: text, subresource: text, name: text })
    .optional(),
  nonResourceAttributes: z.object({ path: z.string().max(4096).default(''), verb: text }).optional(),
});
const reviewSchema = z.object({ spec: specSchema.prefault({}) });

export type ReviewSpec = z.output<typeof specSchema>;

/** Reads the `spec` of an access review. Throws `request-invalid`. */
export function parseReview(body: unknown): ReviewSpec {
  const result = validate(reviewSchema, body);
  if ('value' in result) return result.value.spec;
  const [first] = result.problems;
  throw resourceError('request-invalid', { detail: `${first?.path.join('.') ?? ''}: ${first?.message ?? ''}` });
}

/**
 * What is asked for, as the same request would be asked about. At an edge a path is one of its Kubernetes API; at the fleet it
 * is the gateway's own, so that `/edges/EDGE/SERVICE/...` is a service's, and `/edges/EDGE/HOST:PORT` an address. Throws
 * `request-invalid`, and what reading a path throws.
 */
export function askedFor(edge: string, { resourceAttributes, nonResourceAttributes }: ReviewSpec): AccessAttributes {
  if (resourceAttributes !== undefined) {
    const service = edge === '' ? {} : { service: 'kube' };
    return { ...resourceAttributes, edge, ...service };
  }
  if (nonResourceAttributes === undefined)
    throw resourceError('request-invalid', { detail: 'spec: one of resourceAttributes and nonResourceAttributes' });
  const { path, verb } = nonResourceAttributes;
  const [plain = ''] = path.split('?', 1);
  if (edge !== '') return { ...kubeAttributes(edge, plain), verb };
  const address = /^\/edges\/([^/]+)\/([^/]+:\d{1,5})$/.exec(plain);
  if (address !== null && isDnsLabel(address[1] ?? ''))
    return { ...pathAttributes(address[1] ?? '', '', address[2] ?? ''), verb };
  const route = routeOf(plain);
  if (route === undefined) return { ...pathAttributes('', '', plain), verb };
  // A connection is to the service, whatever path may stand behind it.
  if (verb === 'connect') return { ...pathAttributes(route.edge, route.service, ''), verb };
  const { edge: named, service, path: rest } = route;
  return { ...(service === 'kube' ? kubeAttributes(named, rest) : pathAttributes(named, service, rest)), verb };
}
