import { Dependents } from './dependents.ts';
import type { ResourceApi } from './resource-api.ts';
import type { ResourceType } from '../types/resource-type.ts';
import { TypeRegistry } from '../types/type-registry.ts';

export interface ResourceApisOptions {
  /** Told of what failed with nobody waiting for it. Default: nobody is. */
  readonly onBackgroundError?: (error: unknown) => void;
}

/** The resources of one place: what its API serves. Objects may own objects of other resources of the same place. */
export class ResourceApis {
  readonly #apis = new Map<string, { readonly api: ResourceApi; readonly forget: () => void }>();
  readonly #dependents: Dependents;
  /** The types of what is served: what clients are told that there is. */
  readonly types = new TypeRegistry();

  constructor({ onBackgroundError = () => undefined }: ResourceApisOptions = {}) {
    this.#dependents = new Dependents(() => this, onBackgroundError);
  }

  /** One of the same group, version and name takes the place of the earlier one. */
  add(api: ResourceApi): void {
    const { group, version, resource } = api.type;
    this.#forget(api.type);
    const forget = api.onGone((object, policy) => this.#dependents.add(object, policy));
    this.#apis.set(keyOf(group, version, resource), { api, forget });
    this.types.add(api.type);
  }

  /** Takes a resource out, in all its versions. */
  remove(group: string, resource: string): void {
    for (const { api } of [...this.#apis.values()])
      if (api.type.group === group && api.type.resource === resource) this.#forget(api.type);
    this.types.remove(group, resource);
  }

  find(group: string, version: string, resource: string): ResourceApi | undefined {
    return this.#apis.get(keyOf(group, version, resource))?.api;
  }

  *[Symbol.iterator](): Generator<ResourceApi> {
    for (const { api } of this.#apis.values()) yield api;
  }

  /** Resolves when what was owned by objects that are gone has been dealt with. */
  async settled(): Promise<void> {
    await this.#dependents.settled();
  }

  #forget({ group, version, resource }: ResourceType): void {
    const key = keyOf(group, version, resource);
    this.#apis.get(key)?.forget();
    this.#apis.delete(key);
  }
}

function keyOf(group: string, version: string, resource: string): string {
  return `${group}/${version}/${resource}`;
}
