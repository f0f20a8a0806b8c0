import { isWatch, parseContinueToken, type RequestPath } from '../../resources/index.ts';

/**
 * Where the answer to a request at an edge's Kubernetes API comes from. `maxStaleMs`: a cached state that is older does not do;
 * Infinity when any does.
 */
export type ReadMode =
  | { readonly mode: 'live'; readonly because: LiveReason }
  | { readonly mode: 'cache'; readonly maxStaleMs: number; readonly onlyIfCached: boolean }
  /** From the cache as soon as it has this version of the edge. */
  | { readonly mode: 'cache-once-caught-up'; readonly version: number; readonly maxStaleMs: number }
  /** From the cache where it keeps this version and everything behind it, else live: versions are the edge's own in both. */
  | { readonly mode: 'cache-if-kept'; readonly version: number }
  /** Live; cached when the edge does not answer. */
  | { readonly mode: 'live-else-cache'; readonly maxStaleMs: number };

/** Why a request goes to the edge, in the words of RFC 9211, 2.2. */
export type LiveReason =
  /** Only a read can be cached. */
  | 'method'
  /** Nothing asked for the cache, or what is asked for is never in it. */
  | 'bypass'
  /** The caller forbade it: `no-cache`. */
  | 'request';

export interface ReadRequest {
  readonly method: string;
  /** As the edge's API sees it; undefined when it is none of a Kubernetes API. */
  readonly path: RequestPath | undefined;
  readonly query: URLSearchParams;
  /** The `Cache-Control` of the request. */
  readonly cacheControl: string | undefined;
  readonly accept: string | undefined;
}

/** What reads get that say nothing of freshness. */
export type ReadDefault = 'live' | 'cache';

/**
 * Decides where a request is answered. Kubernetes' meaning of `resourceVersion` comes first, and HTTP's `Cache-Control` where
 * that leaves it open:
 *
 * | asked for | mode |
 * |---|---|
 * | nothing | `byDefault`: live, as "most recent" has to be |
 * | `resourceVersion=0` | cache |
 * | `resourceVersion=N`, not older than | cache once caught up |
 * | `resourceVersion=N`, exact | live |
 * | watch from N, further page of a list at N | cache if it is kept there, else live |
 * | `Cache-Control: max-stale[=s]`, `only-if-cached` | cache |
 * | `Cache-Control: stale-if-error[=s]` | live, else cache |
 * | `Cache-Control: no-cache`, `no-store` | live |
 */
export function readModeOf(request: ReadRequest, byDefault: ReadDefault = 'live'): ReadMode {
  if (request.method !== 'GET') return { mode: 'live', because: 'method' };
  if (!isCacheable(request)) return { mode: 'live', because: 'bypass' };
  const directives = parseCacheControl(request.cacheControl ?? '');
  if (directives.has('no-cache') || directives.has('no-store')) return { mode: 'live', because: 'request' };
  const { query } = request;
  const maxStaleMs = directives.get('max-stale') ?? Infinity;
  const onlyIfCached = directives.has('only-if-cached');
  const wantsCache = directives.has('max-stale') || onlyIfCached;
  if ((query.get('continue') ?? '') !== '') return nextPageMode(query.get('continue') ?? '');
  const version = parseVersion(query.get('resourceVersion') ?? '');
  const fromCache: ReadMode = { mode: 'cache', maxStaleMs, onlyIfCached };

  if (version === 'invalid') return { mode: 'live', because: 'bypass' };
  if (version === 0) return fromCache;
  if (version !== undefined) {
    if (isWatch(query) && !isTrue(query, 'sendInitialEvents')) return { mode: 'cache-if-kept', version };
    const match = query.get('resourceVersionMatch') ?? '';
    // Kubernetes reads a version with a limit and no match as exact.
    const isExact = match === 'Exact' || (match === '' && query.has('limit'));
    if (!isExact) return { mode: 'cache-once-caught-up', version, maxStaleMs };
    return { mode: 'live', because: 'bypass' };
  }
  if (wantsCache) return fromCache;
  const ifErrorMs = directives.get('stale-if-error');
  if (ifErrorMs !== undefined && !isWatch(query)) return { mode: 'live-else-cache', maxStaleMs: ifErrorMs };
  return byDefault === 'cache' ? fromCache : { mode: 'live', because: 'bypass' };
}

/** A list goes on where it began: a token of another form is the edge's own. */
function nextPageMode(token: string): ReadMode {
  try {
    return { mode: 'cache-if-kept', version: parseContinueToken(token).version };
  } catch {
    return { mode: 'live', because: 'bypass' };
  }
}

/** Objects and lists of them; of what is below an object, only the edge knows. */
function isCacheable({ path, query, accept }: ReadRequest): boolean {
  if (path?.kind !== 'resource' || path.subresource !== '') return false;
  if (path.name !== '' && isWatch(query)) return false;
  // What is held is JSON.
  return accept === undefined || /\*\/\*|application\/(?:\*|json)/i.test(accept);
}

/** As Kubernetes reads a flag: there, and neither 0 nor false. */
function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== '0' && value.toLowerCase() !== 'false';
}

function parseVersion(text: string): number | 'invalid' | undefined {
  if (text === '') return undefined;
  const version = Number(text);
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(version) ? version : 'invalid';
}

/** The directives that matter here, with their seconds as milliseconds; Infinity for those that have none. What cannot be read is left out. */
function parseCacheControl(text: string): ReadonlyMap<string, number> {
  const directives = new Map<string, number>();
  for (const part of text.split(',')) {
    const [, name, seconds] = /^\s*([a-z-]+)(?:\s*=\s*"?(\d{1,10})"?)?\s*$/i.exec(part) ?? [];
    if (name !== undefined)
      directives.set(name.toLowerCase(), seconds === undefined ? Infinity : Number(seconds) * 1000);
  }
  return directives;
}
