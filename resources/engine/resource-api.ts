import { CodedError, type ErrorCause } from '../../base/index.ts';
import { type Access, type AccessAttributes } from '../access.ts';
import type {
  Collection,
  HeldObject,
  ListPage,
  ListQuery,
  ObjectWatch,
  VersionWish,
  WatchQuery,
  WritableCollection,
} from '../collection/collection.ts';
import type { KubeObject } from '../object.ts';
import { forbidden } from '../forbidden.ts';
import { resourceError } from '../resource-error.ts';
import { schemaCheckOf } from '../types/schema-check.ts';
import { qualifiedName, type ResourceType, type Verb } from '../types/resource-type.ts';
import { builtInRules, type BuiltInRules } from './built-in-rules.ts';
import { readGiven, type Given } from './given-object.ts';
import { guardedWatch } from './guarded-watch.ts';
import { objectExists, objectInvalid, objectNotFound, unknownFields } from './object-error.ts';
import { metadataProblems } from './object-meta.ts';
import {
  changedObject,
  checkPreconditions,
  deletingObject,
  isReleased,
  newObject,
  type Place,
  type Subresource,
} from './object-rules.ts';
import { applyPatchTo, type Patch } from './patch.ts';
import type { ResourceHooks } from './resource-hooks.ts';
import { servedAs } from './served-version.ts';
import type { DeleteOptions, PropagationPolicy, UpdateOptions, WriteOptions } from './write-options.ts';
import { objectOf, writtenHeld, writtenObject, type Deleted, type Written } from './written.ts';

export interface ResourceApiOptions {
  readonly collection: Collection | WritableCollection;
  /** The version under which it is served, where that is not the one that the collection keeps. */
  readonly type?: ResourceType;
  /** The edge whose objects these are, for the policy. Default empty: the fleet's own. */
  readonly edge?: string;
  /** Why nothing is written here, and where else it is, for those who try. Only for a collection that is read only. */
  readonly readOnly?: string;
  readonly hooks?: ResourceHooks;
  /** Milliseconds since 1970. Default the machine's clock. */
  readonly wallClock?: () => number;
}

/** Told after an object is really gone, whichever write did it. */
export type GoneListener = (object: KubeObject, policy: PropagationPolicy) => void;

/** As often as Kubernetes looks for a free name. */
const maxNameTries = 8;
/** Objects that `deleteCollection` takes at a time. */
const deletePageSize = 500;

/**
 * One resource at one place: every operation that the Kubernetes API has for it, with its rules, for callers in this process
 * and for HTTP alike. Every operation asks the caller's `access` first and throws `access-denied`; writes to a collection that
 * is read only throw `verb-unsupported`.
 */
export class ResourceApi {
  readonly type: ResourceType;
  /** Empty: the fleet's own. */
  readonly edge: string;
  readonly collection: Collection;
  readonly #writable: WritableCollection | undefined;
  readonly #rules: BuiltInRules;
  readonly #readOnly: string | undefined;
  readonly #hooks: ResourceHooks;
  readonly #wallClock: () => number;
  readonly #goneListeners = new Set<GoneListener>();

  constructor({ collection, type, edge = '', readOnly, hooks = {}, wallClock = Date.now }: ResourceApiOptions) {
    const served = type === undefined ? collection : servedAs(type, collection);
    this.type = type ?? collection.type;
    this.collection = served;
    this.edge = edge;
    this.#writable = isWritable(served) ? served : undefined;
    this.#rules = builtInRules(this.type);
    this.#readOnly = readOnly;
    this.#hooks = hooks;
    this.#wallClock = wallClock;
  }

  get isWritable(): boolean {
    return this.#writable !== undefined;
  }

  /** Whether the verb is one of the type's, and the collection can do it. */
  supports(verb: Verb): boolean {
    const reads = verb === 'get' || verb === 'list' || verb === 'watch';
    return this.type.verbs.includes(verb) && (reads || this.isWritable);
  }

  /** What says that a verb is not to be had here: `verb-unsupported`. */
  unsupported(verb: Verb): CodedError {
    const why = this.#readOnly === undefined ? '' : `: ${this.#readOnly}`;
    return resourceError('verb-unsupported', { detail: `${verb} ${qualifiedName(this.type)}${why}` });
  }

  /** Throws `object-not-found`. */
  async get(
    access: Access,
    namespace: string,
    name: string,
    at: VersionWish = { match: 'newest' },
    subresource: Subresource = '',
  ): Promise<HeldObject> {
    this.#require(access, 'get', namespace, name, subresource);
    const found = await this.collection.get(namespace, name, at);
    if (found === undefined) throw objectNotFound(this.type, name);
    return found;
  }

  /** Only what the caller may see. Throws what `Collection.list` throws. */
  async list(access: Access, query: ListQuery): Promise<ListPage> {
    return await this.collection.list(this.#visible(access, 'list', query));
  }

  /** Only what the caller may see. Throws what `Collection.watch` throws. */
  async watch(access: Access, query: WatchQuery, wake: () => void): Promise<ObjectWatch> {
    let isPart = false;
    const check = (): CodedError | undefined => this.#watchEnd(access, query, isPart);
    return await guardedWatch(access, check, wake, () => {
      const visible = this.#visible(access, 'watch', query);
      isPart = visible !== query;
      return this.collection.watch(visible, wake);
    });
  }

  /**
   * Makes an object; `namespace` is the one of the request, empty for what belongs to none. Throws `object-exists`,
   * `object-invalid` with every field that is wrong, `object-malformed` when names, kind and version are not those of the path.
   */
  async create(access: Access, namespace: string, value: unknown, options: WriteOptions = {}): Promise<Written> {
    this.#require(access, 'create', namespace, '');
    const collection = this.#requireWritable('create');
    const given = readGiven(this.type, value);
    const warnings = this.#unknownFields(given, options);
    await this.#hooks.admit?.({ verb: 'create', subresource: '', namespace, name: given.metadata.name ?? '', access });
    const isGenerated = (given.metadata.name ?? '') === '';
    for (let tries = 1; ; tries += 1) {
      const object = this.#born(access, namespace, given);
      const name = object.metadata.name ?? '';
      try {
        if (options.dryRun !== true) return writtenHeld(await collection.create(object), warnings);
        if ((await collection.get(namespace, name)) === undefined) return writtenObject(object, warnings);
        throw objectExists(this.type, name);
      } catch (error) {
        if (!isCode(error, 'object-exists')) throw error;
        if (!isGenerated || tries === maxNameTries) throw objectExists(this.type, name);
      }
    }
  }

  /**
   * Replaces all but the status, or the status alone. An object with a `resourceVersion` replaces only that one: else
   * `object-conflict`. Throws `object-not-found`, `object-invalid`, `object-malformed`.
   */
  async update(
    access: Access,
    namespace: string,
    name: string,
    value: unknown,
    options: UpdateOptions = {},
  ): Promise<Written> {
    const subresource = this.#subresource(options);
    this.#require(access, 'update', namespace, name, subresource);
    const given = readGiven(this.type, value);
    const warnings = this.#unknownFields(given, options);
    return await this.#change(access, { namespace, name }, options, (current) => {
      return { next: changedObject(this.type, current, given, { namespace, name }, subresource), warnings };
    });
  }

  /** Throws `patch-inapplicable`, `media-type-unsupported` for a strategic patch of a custom resource, and what `update` throws. */
  async patch(
    access: Access,
    namespace: string,
    name: string,
    patch: Patch,
    options: UpdateOptions = {},
  ): Promise<Written> {
    const subresource = this.#subresource(options);
    this.#require(access, 'patch', namespace, name, subresource);
    return await this.#change(access, { namespace, name }, options, (current) => {
      const given = readGiven(this.type, applyPatchTo(this.type, current, patch));
      const warnings = this.#unknownFields(given, options);
      return { next: changedObject(this.type, current, given, { namespace, name }, subresource), warnings };
    });
  }

  /** Takes the object away or, while finalizers hold it, marks it. Throws `object-not-found`, `object-conflict`. */
  async delete(access: Access, namespace: string, name: string, options: DeleteOptions = {}): Promise<Deleted> {
    this.#require(access, 'delete', namespace, name);
    await this.#hooks.admit?.({ verb: 'delete', subresource: '', namespace, name, access });
    return await this.deleteAsOwner(namespace, name, options);
  }

  /**
   * Deletes everything that the query means and the caller may see, one object after the other; what somebody else deletes
   * meanwhile is not among the results.
   */
  async deleteCollection(access: Access, query: ListQuery, options: DeleteOptions = {}): Promise<readonly Deleted[]> {
    this.#require(access, 'deletecollection', query.namespace ?? '', '');
    await this.#hooks.admit?.({ verb: 'delete', subresource: '', namespace: query.namespace ?? '', name: '', access });
    const deleted: Deleted[] = [];
    const visible = this.#visible(access, 'deletecollection', { ...query, limit: query.limit ?? deletePageSize });
    for (let from = query.from; ;) {
      const page = await this.collection.list({ ...visible, ...(from === undefined ? {} : { from }) });
      for (const { namespace, name } of page.objects) {
        try {
          deleted.push(await this.deleteAsOwner(namespace, name, options));
        } catch (error) {
          if (!isCode(error, 'object-not-found')) throw error;
        }
      }
      if (page.next === undefined || query.limit !== undefined) return deleted;
      from = page.next;
    }
  }

  /** As `delete`, without asking anybody's access: for what goes with its owner, or with its namespace. */
  async deleteAsOwner(namespace: string, name: string, options: DeleteOptions = {}): Promise<Deleted> {
    const collection = this.#requireWritable('delete');
    let gone = false;
    const change = (current: KubeObject): KubeObject | undefined => {
      checkPreconditions(this.type, current, options.preconditions ?? {});
      const next = deletingObject(current, this.#wallClock());
      gone = next === undefined;
      return next;
    };
    if (options.dryRun === true) {
      const current = await this.#current(collection, namespace, name);
      return { ...writtenObject(change(current) ?? current, []), gone };
    }
    const held = await this.#named(name, collection.update(namespace, name, change));
    const written = writtenHeld(held, []);
    if (gone) this.#tellGone(written.object(), options.propagationPolicy ?? 'Background');
    return { ...written, gone };
  }

  /** Takes one owner off an object without deleting it. Throws `object-not-found`. */
  async dropOwner(namespace: string, name: string, ownerUid: string): Promise<void> {
    const collection = this.#requireWritable('update');
    await collection.update(namespace, name, (current) => {
      const { ownerReferences = [], ...metadata } = current.metadata;
      const left = ownerReferences.filter(({ uid }) => uid !== ownerUid);
      if (left.length === ownerReferences.length) return current;
      return { ...current, metadata: left.length === 0 ? metadata : { ...metadata, ownerReferences: left } };
    });
  }

  /** Returns the function that ends it. */
  onGone(listener: GoneListener): () => void {
    this.#goneListeners.add(listener);
    return () => this.#goneListeners.delete(listener);
  }

  #born(access: Access, namespace: string, given: Given): KubeObject {
    const born = newObject(this.type, given, namespace, { nowMs: this.#wallClock() });
    const complete = this.#rules.complete?.(born, undefined) ?? born;
    const object = this.#hooks.prepareCreate?.(complete, access) ?? complete;
    this.#check(object);
    return object;
  }

  async #change(
    access: Access,
    { namespace, name }: Place,
    options: UpdateOptions,
    change: (current: KubeObject) => { readonly next: KubeObject; readonly warnings: readonly string[] },
  ): Promise<Written> {
    const collection = this.#requireWritable('update');
    const subresource = options.subresource ?? '';
    await this.#hooks.admit?.({ verb: 'update', subresource, namespace, name, access });
    let outcome: { readonly next: KubeObject; readonly warnings: readonly string[] } | undefined;
    const changeOnce = (current: KubeObject): KubeObject | undefined => {
      outcome = change(current);
      if (outcome.next === current) return current;
      const complete = this.#rules.complete?.(outcome.next, current) ?? outcome.next;
      const next = this.#hooks.prepareUpdate?.(complete, current, access) ?? complete;
      this.#check(next, current);
      outcome = { ...outcome, next };
      return isReleased(next) ? undefined : next;
    };
    if (options.dryRun === true) {
      const current = await this.#current(collection, namespace, name);
      changeOnce(current);
      return writtenObject(outcome?.next ?? current, outcome?.warnings ?? []);
    }
    const held = await this.#named(name, collection.update(namespace, name, changeOnce));
    const { next, warnings = [] } = outcome ?? {};
    if (next === undefined || !isReleased(next)) return writtenHeld(held, warnings);
    this.#tellGone(next, 'Background');
    return writtenObject(next, warnings);
  }

  #check(object: KubeObject, old?: KubeObject): void {
    const problems: readonly ErrorCause[] = [
      ...metadataProblems(this.type, object.metadata),
      ...schemaCheckOf(this.type).validate(object),
      ...(this.#rules.validate?.(object, old) ?? []),
      ...(this.#hooks.validate?.(object, old) ?? []),
    ];
    if (problems.length > 0) throw objectInvalid(this.type, object.metadata.name ?? '', problems);
  }

  #unknownFields({ unknown }: Given, options: WriteOptions): readonly string[] {
    const fieldValidation = this.#hooks.isStrict === true ? 'Strict' : (options.fieldValidation ?? 'Warn');
    if (unknown.length === 0 || fieldValidation === 'Ignore') return [];
    if (fieldValidation === 'Warn') return unknown;
    throw unknownFields(this.type, unknown);
  }

  #subresource({ subresource = '' }: UpdateOptions): Subresource {
    if (subresource === 'status' && !this.type.hasStatus)
      throw resourceError('resource-unknown', { detail: `${qualifiedName(this.type)}/status` });
    return subresource;
  }

  async #current(collection: WritableCollection, namespace: string, name: string): Promise<KubeObject> {
    const held = await collection.get(namespace, name);
    if (held === undefined) throw objectNotFound(this.type, name);
    return objectOf(held.json);
  }

  async #named<T>(name: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw isCode(error, 'object-not-found') ? objectNotFound(this.type, name) : error;
    }
  }

  /** Why an open watch may not go on. One that shows a part only begins anew with what its part is now. */
  #watchEnd(access: Access, { namespace = '' }: WatchQuery, wasPart: boolean): CodedError | undefined {
    const asked = this.#attributes('watch', namespace, '', '');
    if (!access.allows(asked)) return forbidden(access.principal, asked);
    if (!wasPart && access.filter?.(asked) === undefined) return undefined;
    return resourceError('version-expired', { detail: 'what the caller may see has changed' });
  }

  #visible<T extends ListQuery | WatchQuery>(access: Access, verb: Verb, query: T): T {
    const { namespace = '', visible } = query;
    this.#require(access, verb, namespace, '');
    const allowed = access.filter?.(this.#attributes(verb, namespace, '', ''));
    if (allowed === undefined) return query;
    return { ...query, visible: (object: HeldObject) => allowed(object) && (visible?.(object) ?? true) };
  }

  #require(access: Access, verb: Verb, namespace: string, name: string, subresource: Subresource = ''): void {
    const asked = this.#attributes(verb, namespace, name, subresource);
    if (!access.allows(asked)) throw forbidden(access.principal, asked);
    if (!this.supports(verb)) throw this.unsupported(verb);
  }

  #requireWritable(verb: Verb): WritableCollection {
    if (this.#writable === undefined) throw this.unsupported(verb);
    return this.#writable;
  }

  #attributes(verb: Verb, namespace: string, name: string, subresource: string): AccessAttributes {
    const { group, resource } = this.type;
    return { edge: this.edge, verb, group, resource, subresource, namespace, name };
  }

  #tellGone(object: KubeObject, policy: PropagationPolicy): void {
    for (const listener of [...this.#goneListeners]) listener(object, policy);
  }
}

function isWritable(collection: Collection | WritableCollection): collection is WritableCollection {
  return 'create' in collection;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof CodedError && error.code === code;
}
