import type { HeldObject } from '../collection/collection.ts';
import { everything } from '../collection/selector.ts';
import type { KubeObject } from '../object.ts';
import type { ResourceApi } from './resource-api.ts';
import type { PropagationPolicy } from './write-options.ts';

/** Objects that are looked at in one turn of the event loop. */
const objectsPerTurn = 2_000;

/**
 * What goes with its owner: after an object is gone, objects of the same place that name it as an owner are deleted when it
 * was their last one, and lose it when not, or with the policy `Orphan`.
 *
 * It happens in the background, one search for all owners that went meanwhile. An owner that goes while the process ends, or
 * at another replica that ends then, leaves its dependents: nobody searches for owners that are missing.
 */
export class Dependents {
  readonly #apis: () => Iterable<ResourceApi>;
  readonly #onError: (error: unknown) => void;
  readonly #gone = new Map<string, PropagationPolicy>();
  #searching: Promise<void> | undefined;

  constructor(apis: () => Iterable<ResourceApi>, onError: (error: unknown) => void) {
    this.#apis = apis;
    this.#onError = onError;
  }

  /** An owner is gone. */
  add({ metadata: { uid } }: KubeObject, policy: PropagationPolicy): void {
    if (uid === undefined) return;
    this.#gone.set(uid, policy);
    this.#searching ??= this.#search();
  }

  /** Resolves when all that went so far, and what went with it, has been dealt with. */
  async settled(): Promise<void> {
    while (this.#searching !== undefined) await this.#searching;
  }

  async #search(): Promise<void> {
    // What is deleted in the same turn is searched for at once.
    await nextTurn();
    while (this.#gone.size > 0) {
      const gone = new Map(this.#gone);
      this.#gone.clear();
      for (const api of this.#apis()) {
        if (!api.isWritable) continue;
        try {
          await this.#searchIn(api, gone);
        } catch (error) {
          this.#onError(error);
        }
      }
    }
    this.#searching = undefined;
  }

  async #searchIn(api: ResourceApi, gone: ReadonlyMap<string, PropagationPolicy>): Promise<void> {
    const { objects } = await api.collection.list({ selector: everything, at: { match: 'newest' } });
    for (const [index, held] of objects.entries()) {
      if (index % objectsPerTurn === objectsPerTurn - 1) await nextTurn();
      const owners = ownersOf(held);
      if (!owners.some((uid) => gone.has(uid))) continue;
      try {
        await this.#release(api, held, owners, gone);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  async #release(
    api: ResourceApi,
    { namespace, name }: HeldObject,
    owners: readonly string[],
    gone: ReadonlyMap<string, PropagationPolicy>,
  ): Promise<void> {
    const isLeft = owners.every((uid) => gone.has(uid) && gone.get(uid) !== 'Orphan');
    if (isLeft) await api.deleteAsOwner(namespace, name);
    else for (const uid of owners) if (gone.has(uid)) await api.dropOwner(namespace, name, uid);
  }
}

/** Most objects have no owner, and are not parsed to find that out. */
function ownersOf({ json }: HeldObject): readonly string[] {
  if (!json.includes('"ownerReferences"')) return [];
  const { metadata } = JSON.parse(json.toString()) as KubeObject;
  return (metadata.ownerReferences ?? []).map(({ uid }) => uid);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
