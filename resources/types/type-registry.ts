import { apiVersionOf, type ResourceType } from './resource-type.ts';

/** A group and its versions, the preferred one first. */
export interface ApiGroup {
  /** Empty: the core group. */
  readonly name: string;
  readonly versions: readonly string[];
}

/**
 * The types that an API serves. It may change at any time, as when a CustomResourceDefinition comes or goes: then
 * `generation` has grown, and what was computed from an older one is out of date.
 */
export class TypeRegistry {
  readonly #byResource = new Map<string, ResourceType>();
  readonly #byKind = new Map<string, ResourceType>();
  readonly #listeners = new Set<() => void>();
  #generation = 1;

  constructor(types: Iterable<ResourceType> = []) {
    this.#put(types);
  }

  /** From 1, grows by every change. */
  get generation(): number {
    return this.#generation;
  }

  get(group: string, version: string, resource: string): ResourceType | undefined {
    return this.#byResource.get(keyOf(group, version, resource));
  }

  /** `getByKind('kubevirt.io/v1', 'VirtualMachine')`. */
  getByKind(apiVersion: string, kind: string): ResourceType | undefined {
    return this.#byKind.get(`${apiVersion} ${kind}`);
  }

  /** All, or those of one group and version, in the order in which they were added. */
  types(group?: string, version?: string): readonly ResourceType[] {
    return [...this.#byResource.values()].filter(
      (type) => (group === undefined || type.group === group) && (version === undefined || type.version === version),
    );
  }

  /** The core group first, the others by name; versions as Kubernetes prefers them: v2, v1, v1beta1, v1alpha1, others. */
  groups(): readonly ApiGroup[] {
    const groups = new Map<string, Set<string>>();
    for (const { group, version } of this.#byResource.values()) {
      const versions = groups.get(group);
      if (versions === undefined) groups.set(group, new Set([version]));
      else versions.add(version);
    }
    return [...groups]
      .map(([name, versions]) => ({ name, versions: [...versions].sort(compareVersions) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Adds types; one of the same group, version and resource, or of the same kind, is replaced. */
  add(...types: readonly ResourceType[]): void {
    if (types.length === 0) return;
    this.#put(types);
    this.#changed();
  }

  /** Takes a resource out, in all its versions. Returns whether there was one. */
  remove(group: string, resource: string): boolean {
    const gone = this.types(group).filter((type) => type.resource === resource);
    for (const type of gone) this.#drop(type);
    if (gone.length > 0) this.#changed();
    return gone.length > 0;
  }

  /** Calls after every change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #put(types: Iterable<ResourceType>): void {
    for (const type of types) {
      const resource = keyOf(type.group, type.version, type.resource);
      const kind = `${apiVersionOf(type)} ${type.kind}`;
      for (const old of [this.#byResource.get(resource), this.#byKind.get(kind)])
        if (old !== undefined) this.#drop(old);
      this.#byResource.set(resource, type);
      this.#byKind.set(kind, type);
    }
  }

  #drop(type: ResourceType): void {
    this.#byResource.delete(keyOf(type.group, type.version, type.resource));
    this.#byKind.delete(`${apiVersionOf(type)} ${type.kind}`);
  }

  #changed(): void {
    this.#generation += 1;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Kubernetes' order of versions: stable before beta before alpha, newer before older, any other behind them by name. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [versionRank(a), versionRank(b)];
  for (const [index, part] of left.entries()) {
    const difference = (right[index] ?? 0) - part;
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : Number(a > b);
}

/** Stability, major, minor: higher is better. */
function versionRank(version: string): readonly number[] {
  const match = /^v([1-9]\d{0,8})(?:(alpha|beta)([1-9]\d{0,8}))?$/.exec(version);
  if (match === null) return [0, 0, 0];
  const [, major, stage, minor] = match;
  const stability = stage === undefined ? 3 : stage === 'beta' ? 2 : 1;
  return [stability, Number(major), Number(minor ?? 0)];
}

function keyOf(group: string, version: string, resource: string): string {
  return `${group}/${version}/${resource}`;
}
