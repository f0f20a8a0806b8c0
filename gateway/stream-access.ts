import { parseRequestPath, resourceError, type Access, type AccessAttributes } from '../resources/index.ts';
import type { StreamTarget } from '../tunnel/index.ts';

/** Kubernetes' verbs for HTTP's methods; a GET is further looked at. */
const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  OPTIONS: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Verbs that are about many objects at once. */
const manyVerbs = new Set(['list', 'watch', 'deletecollection']);

/**
 * Throws `access-denied` when the caller may not open this stream. What comes back is not looked into: who may see a part of a
 * list only, gets it from the cache, or not at all.
 */
export function requireAccess(access: Access, target: StreamTarget): void {
  const asked = attributesOf(target);
  const isWhole = !manyVerbs.has(asked.verb) || access.filter?.(asked) === undefined;
  if (isWhole && access.allows(asked)) return;
  const what = target.service === '' ? target.path : target.service;
  const part = isWhole ? '' : ' of all of it: ask with resourceVersion=0';
  throw resourceError('access-denied', {
    detail: `${access.principal} may not ${asked.verb} ${what} at ${target.edge}${part}`,
  });
}

/**
 * What a stream is about, for the policy: an object of the edge's Kubernetes API where the path names one, else the service
 * and the path; for an address the address is the path.
 */
export function attributesOf({ edge, service, kind, verb: method, path: target }: StreamTarget): AccessAttributes {
  const nothing = { edge, group: '', resource: '', subresource: '', namespace: '', name: '' };
  if (kind !== 'http') return { ...nothing, verb: 'connect', service, path: target };
  const [path = '', query = ''] = target.split('?', 2);
  const plain = { ...nothing, verb: verbs[method] ?? method.toLowerCase(), service, path };
  if (service !== 'kube') return plain;
  const parsed = kubePathOf(path);
  if (parsed?.kind !== 'resource') return plain;
  const { group, resource, subresource, namespace, name } = parsed;
  return { ...plain, group, resource, subresource, namespace, name, verb: kubeVerbOf(method, name, query, plain.verb) };
}

function kubeVerbOf(method: string, name: string, queryText: string, verb: string): string {
  if (method === 'DELETE') return name === '' ? 'deletecollection' : verb;
  if (method !== 'GET') return verb;
  const watch = new URLSearchParams(queryText).get('watch');
  if (watch !== null && watch !== '0' && watch.toLowerCase() !== 'false') return 'watch';
  return name === '' ? 'list' : verb;
}

/** A path that cannot be read names no object: it is allowed, or not, as a path. */
function kubePathOf(path: string): ReturnType<typeof parseRequestPath> {
  try {
    return parseRequestPath(path);
  } catch {
    return undefined;
  }
}
