import { resourceError } from '../resource-error.ts';

/** What a path of a Kubernetes API is about. */
export type RequestPath = ResourcePath | DocumentPath;

/** A document about the API itself. */
export interface DocumentPath {
  readonly kind: 'document';
  readonly document: 'api' | 'apis' | 'group' | 'version-resources' | 'openapi' | 'version';
  /** Of `group` and `version-resources`; empty: the core group. */
  readonly group: string;
  /** Of `version-resources`. */
  readonly version: string;
  /** The whole path, for `openapi`. */
  readonly path: string;
}

export interface ResourcePath {
  readonly kind: 'resource';
  /** Empty: the core group. */
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** Empty: of no namespace, or of all. */
  readonly namespace: string;
  /** Empty: the collection. */
  readonly name: string;
  /** Empty: the object itself; `log`, `proxy/a/b`: with what is behind it. */
  readonly subresource: string;
}

/** A name in a path, escapes undone; longer than any name. */
const maxSegmentLength = 512;

/**
 * Reads the path of a request (without its query), below the prefix of the API; undefined when it is none of a Kubernetes
 * API. Names are unescaped. Throws `request-invalid` for segments that cannot be one, `resource-unknown` for paths that
 * end nowhere.
 */
export function parseRequestPath(path: string): RequestPath | undefined {
  if (path === '/openapi' || path.startsWith('/openapi/')) return document('openapi', path);
  if (path === '/version' || path === '/version/') return document('version', path);
  const isCore = path === '/api' || path.startsWith('/api/');
  if (!isCore && path !== '/apis' && !path.startsWith('/apis/')) return undefined;
  const segments = segmentsOf(path);
  if (segments.length === 1) return document(isCore ? 'api' : 'apis', path);
  const [, first = '', second] = segments;
  const group = isCore ? '' : first;
  const version = isCore ? first : second;
  if (version === undefined) return document('group', path, group);
  const rest = segments.slice(isCore ? 2 : 3);
  return rest.length === 0 ? document('version-resources', path, group, version) : resourcePath(group, version, rest);
}

/** `pods`, `pods/x`, `namespaces/n/pods/x/status`; what stands directly below a namespace is it, or its status. */
function resourcePath(group: string, version: string, segments: readonly string[]): ResourcePath {
  const [first = '', second = '', third] = segments;
  const isBelowNamespace =
    first === 'namespaces' && third !== undefined && !(group === '' && third === 'status' && segments.length === 3);
  const namespace = isBelowNamespace ? second : '';
  const [resource = '', name = '', ...subresource] = isBelowNamespace ? segments.slice(2) : segments;
  return { kind: 'resource', group, version, resource, namespace, name, subresource: subresource.join('/') };
}

function document(
  name: DocumentPath['document'],
  path: string,
  group: string = '',
  version: string = '',
): DocumentPath {
  return { kind: 'document', document: name, group, version, path };
}

function segmentsOf(path: string): readonly string[] {
  const raw = path.slice(1).split('/');
  // One slash at the end changes nothing.
  if (raw.length > 1 && raw.at(-1) === '') raw.pop();
  return raw.map(segmentOf);
}

function segmentOf(raw: string): string {
  const segment = raw.includes('%') ? unescape(raw) : raw;
  // An escaped slash would be a name that reads as a path, and dots would lead elsewhere.
  if (
    segment === '' ||
    segment === '.' ||
    segment === '..' ||
    segment.length > maxSegmentLength ||
    /[/\\\0]/.test(segment)
  )
    throw invalid(raw);
  return segment;
}

function unescape(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw invalid(raw);
  }
}

function invalid(raw: string): Error {
  const message = `${JSON.stringify(raw.slice(0, 100))} is no part of a path`;
  return resourceError('request-invalid', {
    detail: message,
    causes: [{ field: 'path', reason: 'FieldValueInvalid', message }],
  });
}
