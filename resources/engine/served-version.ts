import {
  heldBytes,
  type Collection,
  type HeldObject,
  type ListPage,
  type ListQuery,
  type ObjectWatch,
  type VersionWish,
  type WatchEvent,
  type WatchQuery,
  type WritableCollection,
} from '../collection/collection.ts';
import { findMember, findMembers } from '../collection/json-members.ts';
import type { KubeObject } from '../object.ts';
import { apiVersionOf, type ResourceType } from '../types/resource-type.ts';

/**
 * A collection under another version of its type than the one that it keeps: objects are the same but for their `apiVersion`, which
 * is what CustomResourceDefinitions call the conversion `None`.
 */
export function servedAs(
  type: ResourceType,
  collection: Collection | WritableCollection,
): Collection | WritableCollection {
  if (apiVersionOf(type) === apiVersionOf(collection.type)) return collection;
  return 'create' in collection ? new WritableServed(type, collection) : new Served(type, collection);
}

class Served<T extends Collection> implements Collection {
  readonly type: ResourceType;
  protected readonly kept: T;

  constructor(type: ResourceType, kept: T) {
    this.type = type;
    this.kept = kept;
  }

  async get(namespace: string, name: string, at?: VersionWish): Promise<HeldObject | undefined> {
    const found = await this.kept.get(namespace, name, at);
    return found === undefined ? undefined : this.served(found);
  }

  async list(query: ListQuery): Promise<ListPage> {
    const page = await this.kept.list(query);
    return { ...page, objects: page.objects.map((object) => this.served(object)) };
  }

  async watch(query: WatchQuery, wake: () => void): Promise<ObjectWatch> {
    return new ServedWatch(await this.kept.watch(query, wake), (object) => this.served(object));
  }

  protected served(object: HeldObject): HeldObject {
    return new ServedObject(object, apiVersionOf(this.type));
  }
}

class WritableServed extends Served<WritableCollection> implements WritableCollection {
  async create(object: KubeObject): Promise<HeldObject> {
    return this.served(await this.kept.create({ ...object, apiVersion: apiVersionOf(this.kept.type) }));
  }

  async update(
    namespace: string,
    name: string,
    change: (current: KubeObject) => KubeObject | undefined,
  ): Promise<HeldObject> {
    const held = await this.kept.update(namespace, name, (current) => {
      const seen = { ...current, apiVersion: apiVersionOf(this.type) };
      const next = change(seen);
      if (next === seen) return current;
      return next === undefined ? undefined : { ...next, apiVersion: apiVersionOf(this.kept.type) };
    });
    return this.served(held);
  }
}

/** Its bytes are made when somebody wants them. */
class ServedObject implements HeldObject {
  readonly #kept: HeldObject;
  readonly #apiVersion: string;
  #json: Buffer | undefined;

  constructor(kept: HeldObject, apiVersion: string) {
    this.#kept = kept;
    this.#apiVersion = apiVersion;
  }

  get namespace(): string {
    return this.#kept.namespace;
  }

  get name(): string {
    return this.#kept.name;
  }

  get version(): number {
    return this.#kept.version;
  }

  get labels(): HeldObject['labels'] {
    return this.#kept.labels;
  }

  get fields(): HeldObject['fields'] {
    return this.#kept.fields;
  }

  /** Its own bytes are for one answer. */
  get heldBytes(): number {
    return heldBytes(this.#kept);
  }

  get json(): Buffer {
    this.#json ??= withApiVersion(this.#kept.json, this.#apiVersion);
    return this.#json;
  }
}

class ServedWatch implements ObjectWatch {
  readonly #kept: ObjectWatch;
  readonly #served: (object: HeldObject) => HeldObject;

  constructor(kept: ObjectWatch, served: (object: HeldObject) => HeldObject) {
    this.#kept = kept;
    this.#served = served;
  }

  get version(): number {
    return this.#kept.version;
  }

  get isInitialDone(): boolean {
    return this.#kept.isInitialDone;
  }

  read(limit: number): readonly WatchEvent[] {
    return this.#kept.read(limit).map(({ type, object }) => {
      const served = this.#served(object);
      return {
        type,
        object: served,
        get line() {
          return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), served.json, Buffer.from('}\n')]);
        },
      };
    });
  }

  close(): void {
    this.#kept.close();
  }
}

function withApiVersion(json: Buffer, apiVersion: string): Buffer {
  const member = findMember(json, findMembers(json), 'apiVersion');
  if (member === undefined) return json;
  const text = Buffer.from(JSON.stringify(apiVersion));
  return Buffer.concat([json.subarray(0, member.valueAt), text, json.subarray(member.end)]);
}
