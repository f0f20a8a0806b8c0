import {
  Informer,
  type CallOptions,
  type DiscoveryClient,
  type FoundResource,
  type InformerOptions,
  type KubeObject,
  type PatchType,
  type Query,
  type ResourceClient,
  type ResourcePlace,
} from '../resources/index.ts';
import { cacheControlOf, freshnessOf, type Freshness, type MaxStale } from './freshness.ts';
import { watchResources, type ResourceEvent } from './resource-watch.ts';

export interface ReadOptions {
  /** Of a list or a watch, missing: all. Of one object, missing: `default`. */
  readonly namespace?: string;
  /** May come from a replica's cache, at most so old. Missing: live, as far as there is one edge to ask. */
  readonly maxStale?: MaxStale;
  readonly signal?: AbortSignal;
}

export interface SelectOptions extends ReadOptions {
  /** `app=web,tier!=db`. */
  readonly labelSelector?: string;
  /** `spec.nodeName=n1`. */
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  /** For lists of the fleet: what there is, when edges are missing. Default: an error. */
  readonly allowPartial?: boolean;
}

export interface ResourceListOptions extends SelectOptions {
  /** At most so many; `metadata.continue` of the answer goes into `continue` of the next. Default: all. */
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface ResourceList {
  readonly items: readonly KubeObject[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly freshness: Freshness;
}

export interface WriteOptions {
  /** Default: the object's own, or `default`. */
  readonly namespace?: string;
  /** `status`, `scale`. */
  readonly subresource?: string;
  /** Everything is checked and nothing is done. */
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly signal?: AbortSignal;
}

export interface DeleteOptions extends Omit<WriteOptions, 'subresource' | 'fieldManager'> {
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly gracePeriodSeconds?: number;
  /** Only while it is this object, in this version: else 409. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

/**
 * One resource of a Kubernetes-shaped API: of an edge, of all edges, or the fleet's own. It is found by name at the
 * first call. Every call throws the `CodedError` of what the API refuses, with its HTTP status; `resource-unknown`,
 * `link-refused`.
 */
export class Resources {
  /** As it was asked for. */
  readonly name: string;
  readonly #client: ResourceClient;
  readonly #discovery: DiscoveryClient;

  constructor(name: string, client: ResourceClient, discovery: DiscoveryClient) {
    this.name = name;
    this.#client = client;
    this.#discovery = discovery;
  }

  /** What it is: group, version, kind, whether it belongs to namespaces. */
  describe(options: { readonly signal?: AbortSignal } = {}): Promise<FoundResource> {
    return this.#discovery.find(this.name, options);
  }

  async list({ maxStale, allowPartial, ...options }: ResourceListOptions = {}): Promise<ResourceList> {
    const headers = cacheControlOf(maxStale);
    const resource = await this.describe(options);
    const { value, headers: answered } = await this.#client.list(resource, {
      ...options,
      headers,
      query: partial(allowPartial),
    });
    return { items: value.items, metadata: value.metadata, freshness: freshnessOf(answered) };
  }

  /** One object; `freshness` tells how far it is the present. */
  async get(
    name: string,
    { namespace, maxStale, signal }: ReadOptions = {},
  ): Promise<KubeObject & { readonly freshness: Freshness }> {
    const headers = cacheControlOf(maxStale);
    const resource = await this.describe({ ...(signal === undefined ? {} : { signal }) });
    const { value, headers: answered } = await this.#client.get(resource, placeOf(resource, name, namespace), {
      headers,
      signal,
    });
    // Beside the object and not in it: written back, it must not go along.
    return Object.defineProperty({ ...value }, 'freshness', { value: freshnessOf(answered) }) as KubeObject & {
      readonly freshness: Freshness;
    };
  }

  /**
   * First an `added` for each object that there is, unless `resourceVersion` says from where; then what changes. It
   * goes on by itself; when something was missed (410), a `relisted` brings the whole state.
   */
  async *watch(options: SelectOptions = {}): AsyncGenerator<ResourceEvent, void, undefined> {
    const { signal, resourceVersion } = options;
    const resource = await this.describe(signal === undefined ? {} : { signal });
    const first = resourceVersion === undefined ? this.#first(options) : { first: { behind: Number(resourceVersion) } };
    yield* watchResources({ ...this.#reflected(resource, options), ...first }, signal);
  }

  /** A cache of the objects that keeps itself equal; started. `await informer.synced` before the first read. */
  async informer(
    options: Omit<SelectOptions, 'resourceVersion' | 'signal'> & Pick<InformerOptions, 'compareEveryMs' | 'log'> = {},
  ): Promise<Informer> {
    const { compareEveryMs, log } = options;
    const resource = await this.describe();
    return new Informer({
      ...this.#reflected(resource, options),
      ...this.#first(options),
      ...(compareEveryMs === undefined ? {} : { compareEveryMs }),
      ...(log === undefined ? {} : { log }),
    }).start();
  }

  async create(object: unknown, options: Omit<WriteOptions, 'subresource'> = {}): Promise<KubeObject> {
    const resource = await this.describe(options);
    const { namespace = '' } = placeOf(resource, '', options.namespace ?? namespaceIn(object));
    return (await this.#client.create(resource, namespace, object, callOf(options))).value;
  }

  /** Replaces an object. With a `resourceVersion` in it, only while it still has that: else 409. */
  async update(object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const resource = await this.describe(options);
    const place = placeOf(
      resource,
      object.metadata.name ?? '',
      options.namespace ?? object.metadata.namespace,
      options.subresource,
    );
    return (await this.#client.update(resource, place, object, callOf(options))).value;
  }

  /** Default type `merge` (RFC 7386). `json` is RFC 6902; `strategic` and `apply` are Kubernetes' own. */
  async patch(
    name: string,
    patch: unknown,
    options: WriteOptions & { readonly type?: PatchType; readonly force?: boolean } = {},
  ): Promise<KubeObject> {
    const resource = await this.describe(options);
    const place = placeOf(resource, name, options.namespace, options.subresource);
    const call = callOf(options);
    const query = { ...call.query, ...(options.force === undefined ? {} : { force: options.force }) };
    return (await this.#client.patch(resource, place, options.type ?? 'merge', patch, { ...call, query })).value;
  }

  /** Resolves when the API has taken it; what finalizers keep is there for some time yet. */
  async delete(name: string, options: DeleteOptions = {}): Promise<void> {
    const { propagationPolicy, gracePeriodSeconds, preconditions } = options;
    const resource = await this.describe(options);
    const body =
      propagationPolicy === undefined && gracePeriodSeconds === undefined && preconditions === undefined
        ? undefined
        : { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy, gracePeriodSeconds, preconditions };
    await this.#client.delete(resource, placeOf(resource, name, options.namespace), { ...callOf(options), body });
  }

  #reflected(resource: FoundResource, options: SelectOptions) {
    const { namespace, labelSelector, fieldSelector, maxStale, allowPartial } = options;
    const headers = cacheControlOf(maxStale);
    return {
      client: this.#client,
      resource,
      namespace,
      labelSelector,
      fieldSelector,
      headers,
      query: partial(allowPartial),
    };
  }

  #first({ maxStale }: SelectOptions): { readonly first: 'any' | 'newest' } {
    return { first: maxStale === undefined ? 'newest' : 'any' };
  }
}

function partial(allowPartial: boolean | undefined): Query {
  return { allowPartial: allowPartial === true ? true : undefined };
}

function placeOf(
  resource: FoundResource,
  name: string,
  namespace: string | undefined,
  subresource?: string,
): ResourcePlace {
  return { namespace: resource.namespaced ? (namespace ?? 'default') : '', name, subresource };
}

function callOf({ dryRun, fieldManager, signal }: WriteOptions): CallOptions {
  return { signal, query: { dryRun: dryRun === true ? 'All' : undefined, fieldManager } };
}

function namespaceIn(object: unknown): string | undefined {
  const metadata: unknown =
    typeof object === 'object' && object !== null && 'metadata' in object ? object.metadata : undefined;
  const namespace: unknown =
    typeof metadata === 'object' && metadata !== null && 'namespace' in metadata ? metadata.namespace : undefined;
  return typeof namespace === 'string' ? namespace : undefined;
}
