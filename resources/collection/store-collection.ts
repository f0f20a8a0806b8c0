import type { Entry, Store } from '../../store/index.ts';
import type { KubeObject } from '../object.ts';
import { resourceError } from '../resource-error.ts';
import { qualifiedName, type ResourceType } from '../types/resource-type.ts';
import type {
  HeldObject,
  ListPage,
  ListQuery,
  ObjectWatch,
  VersionWish,
  WatchQuery,
  WritableCollection,
} from './collection.ts';
import { heldObject } from './held-object.ts';
import { spliceMetadata } from './metadata-splice.ts';
import type { ObjectKey } from './sorted-objects.ts';
import type { WatchCache } from './watch-cache.ts';

/** How often a write begins again before it gives up: each time somebody else has written, so all together go forward. */
const maxTries = 64;

/** What a collection has of the feed it belongs to. */
export interface StoreCollectionOptions {
  readonly store: Store;
  /** Kept equal to the store by the feed. */
  readonly cache: WatchCache;
  readonly keys: StoreKeys;
  /** A revision that no write answered before this call is behind. */
  readonly newestRevision: () => Promise<number>;
}

/**
 * A collection whose objects are keys of the store, as kube-apiserver keeps them in etcd: an object is a key, its version
 * the key's revision, its JSON is stored without `resourceVersion`. Made by `StoreFeed.collection`.
 *
 * Reads of the newest are linearizable: they see every write that was answered before, here or at another replica. They ask the store for its
 * revision, which fails when the store does, and wait until memory has reached it. Reads of `any` do neither.
 */
export class StoreCollection implements WritableCollection {
  readonly type: ResourceType;
  /** What is in memory; only to be read, as it is now. */
  readonly cache: WatchCache;
  readonly #store: Store;
  readonly #keys: StoreKeys;
  readonly #newestRevision: () => Promise<number>;

  constructor({ store, cache, keys, newestRevision }: StoreCollectionOptions) {
    this.type = cache.type;
    this.cache = cache;
    this.#store = store;
    this.#keys = keys;
    this.#newestRevision = newestRevision;
  }

  async get(namespace: string, name: string, at: VersionWish = { match: 'newest' }): Promise<HeldObject | undefined> {
    return this.cache.get(namespace, name, await this.#seen(at));
  }

  async list(query: ListQuery): Promise<ListPage> {
    if (query.from !== undefined) return this.cache.list(query);
    return this.cache.list({ ...query, at: await this.#seen(query.at) });
  }

  async watch(query: WatchQuery, wake: () => void): Promise<ObjectWatch> {
    if (query.from === 'newest') await this.cache.until(await this.#newestRevision());
    return this.cache.watch(query, wake);
  }

  async create(object: KubeObject): Promise<HeldObject> {
    const at = this.#keyOf(object);
    const key = this.#keys.key(at);
    const value = storedBytes(object);
    const result = await this.#store.txn({ if: [{ key, modRevision: 0 }], then: [{ type: 'put', key, value }] });
    if (!result.applied) throw resourceError('object-exists', { detail: this.#nameOf(at) });
    return this.#keys.held(at, value, result.revision);
  }

  async update(
    namespace: string,
    name: string,
    change: (current: KubeObject) => KubeObject | undefined,
  ): Promise<HeldObject> {
    const at = { namespace, name };
    const key = this.#keys.key(at);
    // Memory may be behind: it is good enough to try with, not to refuse with.
    let held = this.cache.peek(namespace, name);
    let isNewest = false;
    const readAgain = async (): Promise<boolean> => {
      if (isNewest) return false;
      const before = held;
      held = this.#heldEntry(at, await this.#store.get(key));
      isNewest = true;
      return held?.version !== before?.version;
    };
    for (let tries = 0; tries < maxTries; tries++) {
      if (held === undefined) {
        if (await readAgain()) continue;
        throw resourceError('object-not-found', { detail: this.#nameOf(at) });
      }
      const current = parsed(held);
      let next: KubeObject | undefined;
      try {
        next = change(current);
      } catch (error) {
        if (await readAgain()) continue;
        throw error;
      }
      if (next === current) {
        if (await readAgain()) continue;
        return held;
      }
      const value = next === undefined ? undefined : storedBytes(this.#sameKey(at, next));
      const result = await this.#store.txn({
        if: [{ key, modRevision: held.version }],
        then: [value === undefined ? { type: 'delete', key } : { type: 'put', key, value }],
      });
      if (result.applied) return value === undefined ? held : this.#keys.held(at, value, result.revision);
      held = this.#heldEntry(at, result.found[0]);
      isNewest = true;
    }
    throw resourceError('object-conflict', { detail: `${this.#nameOf(at)}, ${maxTries} times`, retryAfterMs: 1000 });
  }

  /** What memory has to have seen, so that a read gives what it promises. */
  async #seen(at: VersionWish): Promise<VersionWish> {
    return at.match === 'newest' ? { match: 'not-older-than', version: await this.#newestRevision() } : at;
  }

  #heldEntry(at: ObjectKey, entry: Entry | undefined): HeldObject | undefined {
    return entry === undefined ? undefined : this.#keys.held(at, entry.value, entry.modRevision);
  }

  #sameKey(at: ObjectKey, object: KubeObject): KubeObject {
    const { namespace, name } = this.#keyOf(object);
    if (namespace === at.namespace && name === at.name) return object;
    throw resourceError('object-malformed', {
      detail: `${this.#nameOf(at)} cannot be renamed to ${namespace}/${name}`,
    });
  }

  #keyOf({ metadata }: KubeObject): ObjectKey {
    const { name = '', namespace = '' } = metadata;
    if (name !== '' && (namespace !== '') === this.type.namespaced) return { namespace, name };
    throw resourceError('object-malformed', {
      detail: `a name, and ${this.type.namespaced ? 'a' : 'no'} namespace, is needed for ${qualifiedName(this.type)}`,
    });
  }

  #nameOf({ namespace, name }: ObjectKey): string {
    return `${qualifiedName(this.type)} ${namespace === '' ? name : `${namespace}/${name}`}`;
  }
}

/** Where the objects of one resource stand in the store, and how they are read from there. */
export class StoreKeys {
  readonly prefix: string;
  readonly #type: ResourceType;

  /** `root`: of all resources, without a slash at its end. */
  constructor(root: string, type: ResourceType) {
    this.#type = type;
    this.prefix = `${root}/${type.group === '' ? 'core' : type.group}/${type.resource}/`;
  }

  /** Keys are printable ASCII: what a name has besides is percent-encoded, a slash too. */
  key({ namespace, name }: ObjectKey): string {
    const path = this.#type.namespaced ? [namespace, name] : [name];
    return this.prefix + path.map(encodeURIComponent).join('/');
  }

  /** Undefined: not a key of this resource. */
  parse(key: string): ObjectKey | undefined {
    if (!key.startsWith(this.prefix)) return undefined;
    const path = key.slice(this.prefix.length).split('/');
    if (path.length !== (this.#type.namespaced ? 2 : 1) || path.includes('')) return undefined;
    try {
      const [name = '', namespace = ''] = path.map(decodeURIComponent).reverse();
      return { namespace, name };
    } catch {
      return undefined;
    }
  }

  /** The object that stands at a key. Throws `object-unreadable`. */
  held({ namespace, name }: ObjectKey, value: Buffer, revision: number): HeldObject {
    const held = heldObject(spliceMetadata(value, { resourceVersion: String(revision) }), this.#type);
    if (held.namespace === namespace && held.name === name) return held;
    throw resourceError('object-unreadable', {
      detail: `${held.namespace}/${held.name} stands at ${namespace}/${name}`,
    });
  }
}

function storedBytes(object: KubeObject): Buffer {
  const { resourceVersion: _version, ...metadata } = object.metadata;
  return Buffer.from(JSON.stringify({ ...object, metadata }));
}

/** It was an object when it was taken in. */
function parsed({ json }: HeldObject): KubeObject {
  return JSON.parse(json.toString()) as KubeObject;
}
