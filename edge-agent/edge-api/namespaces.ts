import type { Clock, Log, Timer } from '../../base/index.ts';
import {
  everything,
  fullAccess,
  objectNotFound,
  resourceError,
  type HeldObject,
  type KubeObject,
  type ObjectWatch,
  type ResourceApi,
  type ResourceApis,
  type ResourceHooks,
} from '../../resources/index.ts';

/** What every cluster has. */
const FIRST = ['default', 'kube-system'];
/** Holds a namespace that is being deleted until it is empty. */
const FINALIZER = 'causeway.io/contents';
/**
 * How long what is in a namespace outlives the wish to delete it, and how often it is looked whether all of it is gone. A
 * manifest that is deleted as a whole, its namespace first, still finds the rest of it there.
 */
const GRACE_MS = 1000;
const EVENTS_AT_A_TIME = 100;
const KEEPER = fullAccess('agent');

/** The rules of Namespaces themselves. */
export const namespaceHooks: ResourceHooks = {
  admit({ verb, name }) {
    if (verb === 'delete' && FIRST.includes(name))
      throw resourceError('access-denied', { detail: `the namespace ${name} is always there` });
  },
  prepareCreate: heldByContents,
  // Who replaces a namespace does not know of it.
  prepareUpdate: (object, old, access) => (access !== KEEPER && isHeld(old) ? heldByContents(object) : object),
};

export interface NamespacesOptions {
  readonly apis: ResourceApis;
  readonly namespaces: ResourceApi;
  readonly clock: Clock;
  readonly log: Log;
}

/** Makes the namespaces that every cluster has, and empties those that are being deleted, also after a restart. */
export class Namespaces {
  readonly #options: NamespacesOptions;
  readonly #ending = new Map<string, Promise<void>>();
  readonly #waiting = new Map<Timer, () => void>();
  #watch: ObjectWatch | undefined;
  #isClosed = false;

  constructor(options: NamespacesOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { namespaces } = this.#options;
    for (const name of FIRST) {
      if ((await namespaces.collection.get('', name)) !== undefined) continue;
      await namespaces.create(KEEPER, '', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    await this.#follow();
  }

  /** Refuses what is made where it cannot be: `object-not-found`, `access-denied` while the namespace is being deleted. */
  async admit(namespace: string): Promise<void> {
    const { namespaces } = this.#options;
    if (namespace === '') return;
    const held = await namespaces.collection.get('', namespace);
    if (held === undefined) throw objectNotFound(namespaces.type, namespace);
    if (isEnding(held)) throw resourceError('access-denied', { detail: `the namespace ${namespace} is being deleted` });
  }

  /** What has been begun ends. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watch?.close();
    for (const [timer, resolve] of this.#waiting) {
      timer.cancel();
      resolve();
    }
    await Promise.all(this.#ending.values());
  }

  async #follow(): Promise<void> {
    const { namespaces, log } = this.#options;
    const read = (): void => {
      try {
        this.#read();
      } catch (error) {
        // Fallen behind: everything is looked at again.
        log.debug('namespaces-read-again', { error });
        this.#watch?.close();
        this.#follow().catch((failure: unknown) => log.warn('namespaces-not-followed', { error: failure }));
      }
    };
    this.#watch = await namespaces.collection.watch({ selector: everything, from: 'newest' }, read);
    if (this.#isClosed) this.#watch.close();
    else read();
  }

  #read(): void {
    for (;;) {
      const events = this.#watch?.read(EVENTS_AT_A_TIME) ?? [];
      if (events.length === 0) return;
      for (const { type, object } of events) {
        const isOurs = type !== 'DELETED' && isEnding(object) && isHeld(objectOf(object));
        if (!isOurs || this.#ending.has(object.name)) continue;
        const ending = this.#end(object.name).finally(() => this.#ending.delete(object.name));
        this.#ending.set(object.name, ending);
      }
    }
  }

  async #end(name: string): Promise<void> {
    const { namespaces, log } = this.#options;
    const status = { type: 'merge' as const, value: { status: { phase: 'Terminating' } } };
    for (let isMarked = false; ;) {
      try {
        if (!isMarked) await namespaces.patch(KEEPER, '', name, status, { subresource: 'status' });
        isMarked = true;
        await this.#grace();
        if (this.#isClosed) return;
        if (!(await this.#empty(name))) continue;
        await this.#release(name);
        return;
      } catch (error) {
        if (this.#isClosed || (await namespaces.collection.get('', name)) === undefined) return;
        log.warn('namespace-not-emptied', { namespace: name, error });
        await this.#grace();
      }
    }
  }

  /** Whether nothing is left; what others' finalizers hold is. */
  async #empty(namespace: string): Promise<boolean> {
    let isEmpty = true;
    for (const api of this.#options.apis) {
      if (!api.type.namespaced || !api.isWritable) continue;
      const query = { namespace, selector: everything, at: { match: 'newest' as const } };
      await api.deleteCollection(KEEPER, query);
      const { objects } = await api.collection.list({ ...query, limit: 1 });
      if (objects.length > 0) isEmpty = false;
    }
    return isEmpty;
  }

  async #release(name: string): Promise<void> {
    const { namespaces } = this.#options;
    const held = await namespaces.collection.get('', name);
    if (held === undefined) return;
    const { finalizers = [], resourceVersion } = objectOf(held).metadata;
    const left = finalizers.filter((finalizer) => finalizer !== FINALIZER);
    const value = { metadata: { resourceVersion, finalizers: left } };
    await namespaces.patch(KEEPER, '', name, { type: 'merge', value });
  }

  #grace(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(GRACE_MS, resolve);
    this.#waiting.set(timer, resolve);
    return promise.finally(() => this.#waiting.delete(timer));
  }
}

function heldByContents(object: KubeObject): KubeObject {
  if (isHeld(object)) return object;
  const finalizers = [...(object.metadata.finalizers ?? []), FINALIZER];
  return { ...object, metadata: { ...object.metadata, finalizers } };
}

function isHeld({ metadata }: KubeObject): boolean {
  return metadata.finalizers?.includes(FINALIZER) === true;
}

function isEnding(object: HeldObject): boolean {
  // Most do not have the word in them.
  if (!object.json.includes('"deletionTimestamp"')) return false;
  return objectOf(object).metadata.deletionTimestamp !== undefined;
}

function objectOf({ json }: HeldObject): KubeObject {
  return JSON.parse(json.toString()) as KubeObject;
}
