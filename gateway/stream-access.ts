import { apiError } from '../api/index.ts';
import { isDnsLabel } from '../base/index.ts';
import {
  forbidden,
  parseRequestPath,
  type Access,
  type AccessAttributes,
  type ResourcePath,
} from '../resources/index.ts';
import { isPlainPath, tunnelError, type StreamTarget } from '../tunnel/index.ts';

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

/** What opens a connection into an object, also where it is asked for by a GET, as WebSockets are. */
const connecting = new Set(['exec', 'attach', 'portforward']);

/**
 * Throws `access-denied` when the caller may not open this stream. What comes back is not looked into: who may see a part of a
 * list only, gets it from the cache, or not at all.
 */
export function requireAccess(access: Access, target: StreamTarget): void {
  const asked = attributesOf(target);
  if (!access.allows(asked)) throw forbidden(access.principal, asked);
  if (!manyVerbs.has(asked.verb) || access.filter?.(asked) === undefined) return;
  throw forbidden(access.principal, asked, ' for all that it would show: ask with resourceVersion=0');
}

/** Throws `access-denied` when the caller may not read a path of the replica's own, such as `/metrics`. */
export function requirePath(access: Access, path: string): void {
  const asked = { ...pathAttributes('', '', path), verb: 'get' };
  if (!access.allows(asked)) throw forbidden(access.principal, asked);
}

/**
 * Refuses what is not written as the front writes it, which alone is what policies are about: names are labels, a path is plain,
 * a method is a token. Throws `name-invalid`, `path-invalid`, `denied`.
 */
export function checkTarget({ edge, service, kind, verb, path }: StreamTarget): void {
  if (!isDnsLabel(edge) || (service !== '' && !isDnsLabel(service)))
    throw tunnelError('denied', { detail: 'edges and services have names of a-z 0-9 -' });
  const isPlain =
    kind === 'http' ? isPlainPath(path) : /^[\x21-\x7e]{0,300}$/.test(path) && (service === '' || path === '');
  if (!isPlain) throw apiError('path-invalid', 'dot segments, broken escapes, or characters that have to be escaped');
  if (!/^[A-Za-z][A-Za-z0-9-]{0,31}$/.test(verb)) throw tunnelError('denied', { detail: 'this is no method' });
}

/**
 * What a stream is about, for the policy: an object of the edge's Kubernetes API where the path names one, else the service
 * and the path; for an address the address is the path.
 */
export function attributesOf({ edge, service, kind, verb: method, path: target }: StreamTarget): AccessAttributes {
  if (kind !== 'http') return { ...pathAttributes(edge, service, target), verb: 'connect' };
  const at = target.indexOf('?');
  const path = at === -1 ? target : target.slice(0, at);
  const named = Object.hasOwn(verbs, method.toUpperCase()) ? verbs[method.toUpperCase()] : undefined;
  // No rule names another method: it takes a rule for all verbs.
  const verb = named ?? method.toUpperCase();
  if (service !== 'kube') return { ...pathAttributes(edge, service, path), verb };
  const asked = kubeAttributes(edge, path);
  if (asked.resource === '') return { ...asked, verb };
  return { ...asked, verb: kubeVerbOf(asked, verb, at === -1 ? '' : target.slice(at + 1)) };
}

/** Attributes of a path at an edge's Kubernetes API, as its server reads it; the verb is `watch` where the path says so, else empty. */
export function kubeAttributes(edge: string, path: string): AccessAttributes {
  const plain = pathAttributes(edge, 'kube', path);
  const parsed = kubePathOf(path);
  if (parsed?.kind !== 'resource') return plain;
  const { isWatch, ...place } = withoutWatch(parsed);
  const { group, resource, subresource, namespace, name } = place;
  const object = { ...plain, verb: isWatch ? 'watch' : '', group, resource, subresource, namespace, name };
  // As `status`, which the path's reader knows.
  if (group !== '' || resource !== 'finalize' || namespace === '' || name !== '') return object;
  return { ...object, resource: 'namespaces', subresource: 'finalize', namespace: '', name: namespace };
}

/** Servers still take the old form of a watch, `/api/v1/watch/namespaces/a/pods`: it is about what stands behind it. */
function withoutWatch(path: ResourcePath): ResourcePath & { readonly isWatch: boolean } {
  const { group, version, resource, namespace, name, subresource } = path;
  if (resource !== 'watch' || namespace !== '' || name === '') return { ...path, isWatch: false };
  const segments = [name, ...(subresource === '' ? [] : subresource.split('/'))].map(encodeURIComponent);
  const root = group === '' ? '/api' : `/apis/${encodeURIComponent(group)}`;
  const watched = kubePathOf(`${root}/${encodeURIComponent(version)}/${segments.join('/')}`);
  return watched?.kind === 'resource' ? { ...watched, isWatch: true } : { ...path, isWatch: false };
}

/** Attributes of what is no object: a path at a service, or an address. */
export function pathAttributes(edge: string, service: string, path: string): AccessAttributes {
  return { edge, verb: '', group: '', resource: '', subresource: '', namespace: '', name: '', service, path };
}

function kubeVerbOf({ verb: said, name, subresource }: AccessAttributes, verb: string, query: string): string {
  if (said !== '') return said;
  if (connecting.has(subresource)) return 'create';
  if (name !== '') return verb === 'get' && isWatchQuery(query) ? 'watch' : verb;
  if (verb === 'get') return isWatchQuery(query) ? 'watch' : 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

/** As the servers of Kubernetes read it. */
function isWatchQuery(query: string): boolean {
  if (!query.includes('watch') && !query.includes('%')) return false;
  const watch = new URLSearchParams(query).get('watch');
  return watch !== null && watch !== '0' && watch.toLowerCase() !== 'false';
}

/** A path that cannot be read names no object: it is allowed, or not, as a path. */
function kubePathOf(path: string): ReturnType<typeof parseRequestPath> {
  try {
    return parseRequestPath(path);
  } catch {
    return undefined;
  }
}
