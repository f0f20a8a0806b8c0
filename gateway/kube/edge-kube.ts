import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf, type CodedError } from '../../base/index.ts';
import {
  answerRead,
  ApiServer,
  forbidden,
  isWatch,
  ResourceApi,
  ResourceApis,
  reviewApis,
  sendAnswer,
  sendError,
  WatchCache,
  type Access,
  type RequestPath,
  type ResourcePath,
} from '../../resources/index.ts';
import type { CachedKind, EdgeCache } from '../cache/index.ts';
import { tunnelError } from '../../tunnel/index.ts';
import { gatewayError } from '../gateway-error.ts';
import { requireAccess } from '../stream-access.ts';
import { answerAbsence } from './absence.ts';
import { cachedHeaders, edgeStateOf, forwardedStatus, wholeSeconds } from './cache-headers.ts';
import { answerNotModified, entityTag, entityTagOf, hasState } from './entity-tag.ts';
import { attributesOf, KubeTargets, type KubeTarget } from './kube-target.ts';
import type { ReadCounts } from './read-counts.ts';
import { readModeOf, type ReadDefault, type ReadMode } from './read-mode.ts';

const KUBE = 'kube';

/** An edge that was heard of within this may be back soon: what is live waits for it. */
const AWAITED_MS = 30_000;

/** What is known of an edge at this replica. */
export interface EdgeView {
  /** On the whitelist. */
  readonly isAllowed: boolean;
  readonly isOnline: boolean;
  /** Milliseconds since 1970. */
  readonly lastContact: number | undefined;
  readonly readDefault: ReadDefault;
}

export interface EdgeKubeOptions {
  readonly caches: { find(edge: string): EdgeCache | undefined };
  readonly edge: (name: string) => EdgeView;
  readonly counts: ReadCounts;
  /** Our own release, for the `/version` of an edge that is away. */
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Told of what is a fault of ours. */
  readonly onError: (error: unknown) => void;
}

/** Sends a request to the edge. `instead` answers when the edge does not, or with 5xx; without it the failure is the answer. */
export type Forward = (instead?: (failure: CodedError) => void) => void;

interface Read {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly access: Access;
  readonly forward: Forward;
  readonly edge: string;
  readonly view: EdgeView;
  readonly query: URLSearchParams;
}

/**
 * `/edges/{edge}/kube/...`: the Kubernetes API of an edge, with the cache in front. What the cache does not answer goes to the
 * edge, as every other service does.
 */
export class EdgeKube {
  readonly #options: EdgeKubeOptions;
  readonly #apis = new WeakMap<object, ResourceApi>();
  readonly #documents = new Map<string, ApiServer>();
  readonly #targets = new KubeTargets();

  constructor(options: EdgeKubeOptions) {
    this.#options = options;
  }

  /** Whether the request was for a `kube` and is looked after; else nothing has been done. Throws what `accessOf` throws. */
  request(
    request: IncomingMessage,
    response: ServerResponse,
    accessOf: (request: IncomingMessage) => Access,
    forward: Forward,
  ): boolean {
    const route = this.#targets.read(request.url ?? '');
    if (route === undefined) return false;
    const view = this.#options.edge(route.edge);
    // The front says why.
    if (!view.isAllowed) return false;
    const { edge, query } = route;
    const read: Read = { request, response, access: accessOf(request), forward, edge, view, query };
    if (this.#answerAtOnce(read, route)) return true;
    this.#answer(read, route.path, route.target).catch((error: unknown) => sendError(response, error));
    return true;
  }

  /** The kinds of an edge have changed: so has what its API offers. */
  kindsChanged(edge: string): void {
    this.#documents.delete(edge);
  }

  /** A GET of an object as it is now, which is asked for most, takes no detour. */
  #answerAtOnce({ request, response, access, edge, view }: Read, { path, asked, isPlainGet }: KubeTarget): boolean {
    const { accept, 'cache-control': cacheControl } = request.headers;
    if (!isPlainGet || request.method !== 'GET' || cacheControl !== undefined || !isAnyJson(accept)) return false;
    if (path?.kind !== 'resource' || asked === undefined) return false;
    const kind = this.#options.caches.find(edge)?.use(path);
    if (kind?.type.version !== path.version || !(kind.collection instanceof WatchCache)) return false;
    const held = kind.collection.peek(path.namespace, path.name);
    if (held === undefined || !access.allows(asked)) return false;
    const { ageMs, isConnected, problem } = kind.freshness;
    const { isOnline, lastContact } = view;
    const headers = cachedHeaders({ edge, ageMs, isConnected, isOnline, lastContact, problem });
    const etag = entityTag(held.version, accept);
    headers['ETag'] = etag;
    this.#options.counts.read('cache', 'hit');
    if (hasState(request, etag)) answerNotModified(response, headers);
    else sendAnswer(response, 200, 'application/json', held.json, headers);
    return true;
  }

  async #answer(read: Read, path: RequestPath | undefined, target: string): Promise<void> {
    const { request, edge, view, query } = read;
    const mode = readModeOf(
      {
        method: request.method ?? 'GET',
        path,
        query,
        cacheControl: request.headers['cache-control'],
        accept: request.headers.accept,
      },
      view.readDefault,
    );
    if (path?.kind === 'document' && !view.isOnline && (await this.#answerDocument(read, target))) return;
    if (mode.mode === 'live' || path?.kind !== 'resource')
      return this.#forward(read, mode.mode === 'live' ? mode.because : 'bypass');
    const kind = this.#options.caches.find(edge)?.use(path);
    const cached = kind?.type.version === path.version ? kind : undefined;
    switch (mode.mode) {
      case 'cache':
        return await this.#fromCache(read, mode, path, cached);
      case 'cache-once-caught-up':
        return await this.#onceCaughtUp(read, mode, path, cached);
      case 'cache-if-kept':
        return await this.#ifKept(read, mode, path, cached);
      case 'live-else-cache':
        return await this.#liveElseCache(read, mode, path, cached);
    }
  }

  async #fromCache(
    read: Read,
    { maxStaleMs, onlyIfCached }: Extract<ReadMode, { mode: 'cache' }>,
    path: ResourcePath,
    kind: CachedKind | undefined,
  ): Promise<void> {
    if (kind !== undefined && kind.freshness.ageMs <= maxStaleMs) return await this.#cached(read, 'cache', path, kind);
    // RFC 9111, 5.2.1.7.
    if (onlyIfCached) throw gatewayError('not-cached', { detail: `${path.resource} of ${read.edge}` });
    this.#forward(read, kind === undefined ? 'miss' : 'stale');
  }

  async #onceCaughtUp(
    read: Read,
    { version, maxStaleMs }: Extract<ReadMode, { mode: 'cache-once-caught-up' }>,
    path: ResourcePath,
    kind: CachedKind | undefined,
  ): Promise<void> {
    if (kind === undefined) return this.#forward(read, 'miss');
    const { ageMs, isConnected } = kind.freshness;
    // Without a feed there is nothing to wait for.
    const isBehind = versionOf(kind) < version && !isConnected;
    if (ageMs > maxStaleMs || isBehind) return this.#forward(read, 'stale');
    await this.#cachedElseForward(read, 'cache-once-caught-up', path, kind);
  }

  async #ifKept(
    read: Read,
    { version }: Extract<ReadMode, { mode: 'cache-if-kept' }>,
    path: ResourcePath,
    kind: CachedKind | undefined,
  ): Promise<void> {
    if (kind === undefined) return this.#forward(read, 'miss');
    // A version that is newer than the cache came from a live list: the edge goes on from there without a wait.
    const isNewer = version > versionOf(kind);
    const { isConnected, problem } = kind.freshness;
    // A watch of a copy that hears nothing would say nothing, while the edge could.
    const isDeaf = isWatch(read.query) && read.view.isOnline && (!isConnected || problem !== undefined);
    if (isNewer || isDeaf) return this.#forward(read, 'stale');
    await this.#cachedElseForward(read, 'cache-if-kept', path, kind);
  }

  async #liveElseCache(
    read: Read,
    { maxStaleMs }: Extract<ReadMode, { mode: 'live-else-cache' }>,
    path: ResourcePath,
    kind: CachedKind | undefined,
  ): Promise<void> {
    const usable = kind !== undefined && kind.freshness.ageMs <= maxStaleMs ? kind : undefined;
    if (usable === undefined) return this.#forward(read, 'bypass');
    const instead = (): void => {
      this.#cached(read, 'live-else-cache', path, usable, true).catch((error: unknown) =>
        sendError(read.response, error),
      );
    };
    if (!read.view.isOnline) return instead();
    this.#forward(read, 'bypass', instead);
  }

  /** What the cache cannot say is still to be had from the edge. */
  async #cachedElseForward(read: Read, mode: ReadMode['mode'], path: ResourcePath, kind: CachedKind): Promise<void> {
    try {
      await this.#cached(read, mode, path, kind);
    } catch (error) {
      const isBeyond = codeOf(error) === 'version-expired' || codeOf(error) === 'version-too-new';
      if (!isBeyond || read.response.headersSent) throw error;
      this.#forward(read, 'stale');
    }
  }

  async #cached(
    read: Read,
    mode: ReadMode['mode'],
    path: ResourcePath,
    kind: CachedKind,
    hasFailed = false,
  ): Promise<void> {
    const { request, response, access, edge, view } = read;
    const { ageMs, isConnected, problem } = kind.freshness;
    const api = this.#apiOf(kind);
    const asked = attributesOf(edge, path, isWatch(read.query));
    if (!access.allows(asked)) throw forbidden(access.principal, asked);
    const { isOnline, lastContact } = view;
    const headers = cachedHeaders({ edge, ageMs, isConnected, isOnline, lastContact, problem, hasFailed });
    const query = new URLSearchParams(read.query);
    // As Kubernetes does: whatever there is, is there at once, and has no pages.
    if (query.get('resourceVersion') === '0' && !query.has('continue')) query.delete('limit');
    const { counts } = this.#options;
    if (!isWatch(query)) {
      counts.read(mode, 'hit');
      // What differs from caller to caller has no tag.
      const { collection } = kind;
      const isSame = access.filter?.(asked) === undefined && collection instanceof WatchCache;
      const etag = isSame ? await entityTagOf(request, collection, path) : undefined;
      if (etag !== undefined) {
        headers['ETag'] = etag;
        if (hasState(request, etag)) return answerNotModified(response, headers);
      }
    }
    const watched = isWatch(query) ? counts.watch(mode) : undefined;
    try {
      await answerRead({ request, response, api, access, path, query, headers });
    } catch (error) {
      answerAbsence(response, error, path, headers);
    } finally {
      watched?.();
    }
  }

  #forward(read: Read, reason: Parameters<typeof forwardedStatus>[0], instead?: (failure: CodedError) => void): void {
    const { isOnline, lastContact } = read.view;
    this.#options.counts.read('live', reason);
    read.response.setHeader('Cache-Status', forwardedStatus(reason));
    if (!isOnline) read.response.setHeader('Causeway-Edge-State', edgeStateOf(read.view));
    // kubectl asks ten times and more: a wait each time would be minutes.
    if (!isOnline && this.#options.wallClock() - (lastContact ?? 0) > AWAITED_MS)
      throw tunnelError('not-opened', { detail: this.#absenceOf(read), retryAfterMs: 1000 });
    if (instead === undefined) read.forward();
    else
      read.forward((failure) => {
        read.response.removeHeader('Cache-Status');
        instead(failure);
      });
  }

  #absenceOf({ request, edge, view }: Read): string {
    const since = view.lastContact === undefined ? '' : `, last in contact ${wholeSeconds(view.lastContact)}`;
    const isHeld = this.#options.caches.find(edge)?.kinds.some(({ held }) => held) === true;
    const instead = isHeld && request.method === 'GET' ? '; resourceVersion=0 reads what was known of it then' : '';
    return `${edge}${since}${instead}`;
  }

  /** What an edge's API offers, from the kinds of it that are held. */
  async #answerDocument({ request, response, access, edge, view }: Read, target: string): Promise<boolean> {
    const cache = this.#options.caches.find(edge);
    const freshest = cache?.kinds.filter(({ held }) => held).map(({ freshness }) => freshness.ageMs) ?? [];
    if (cache === undefined || freshest.length === 0) return false;
    const { principal } = access;
    requireAccess(access, { edge, service: KUBE, kind: 'http', verb: 'GET', path: target, principal });
    let server = this.#documents.get(edge);
    if (server === undefined) {
      const apis = new ResourceApis();
      for (const { type, held } of cache.kinds)
        if (held) apis.add(new ResourceApi({ collection: new WatchCache(type, { version: 1 }), edge }));
      for (const api of reviewApis()) apis.add(api);
      const { version, onError } = this.#options;
      server = new ApiServer({ apis, version, onError });
      this.#documents.set(edge, server);
    }
    const { isOnline, lastContact } = view;
    const state = { edge, ageMs: Math.min(...freshest), isConnected: false, isOnline, lastContact };
    for (const [name, value] of Object.entries(cachedHeaders(state)))
      response.setHeader(name, typeof value === 'string' ? value : [...value]);
    this.#options.counts.read('cache', 'hit');
    return await server.answer(request, response, target, access);
  }

  #apiOf({ collection, edge }: CachedKind): ResourceApi {
    let api = this.#apis.get(collection);
    if (api === undefined) {
      api = new ResourceApi({ collection, edge });
      this.#apis.set(collection, api);
    }
    return api;
  }
}

function isAnyJson(accept: string | undefined): boolean {
  return accept === undefined || accept === '*/*' || accept === 'application/json';
}

function versionOf({ collection }: CachedKind): number {
  return collection instanceof WatchCache ? collection.version : 0;
}
