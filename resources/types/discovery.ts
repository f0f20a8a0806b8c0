import { apiVersionOf, type ResourceType, type Verb } from './resource-type.ts';
import type { TypeRegistry } from './type-registry.ts';

/*
 * The documents with which clients find out what an API serves: the old ones, a document a group and version, and the
 * aggregated ones, which say all of it at once.
 */

/** `/api`. */
export function coreVersions(registry: TypeRegistry): object {
  const core = registry.groups().find(({ name }) => name === '');
  return { kind: 'APIVersions', versions: core?.versions ?? [], serverAddressByClientCIDRs: [] };
}

/** `/apis`. */
export function groupList(registry: TypeRegistry): object {
  const groups = registry.groups().filter(({ name }) => name !== '');
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map(({ name, versions }) => groupOf(name, versions)),
  };
}

/** `/apis/{group}`; undefined when there is no such group. */
export function groupDocument(registry: TypeRegistry, name: string): object | undefined {
  const group = registry.groups().find((known) => known.name === name && name !== '');
  return group === undefined
    ? undefined
    : { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(group.name, group.versions) };
}

/** `/api/v1`, `/apis/{group}/{version}`; undefined when there is no such group and version. */
export function resourceList(registry: TypeRegistry, group: string, version: string): object | undefined {
  const types = registry.types(group, version);
  const [first] = types;
  if (first === undefined) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(first),
    resources: types.flatMap((type) => [
      {
        name: type.resource,
        singularName: type.singular,
        namespaced: type.namespaced,
        kind: type.kind,
        verbs: type.verbs,
        ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
        ...(type.categories.length === 0 ? {} : { categories: type.categories }),
      },
      ...(type.hasStatus
        ? [
            {
              name: `${type.resource}/status`,
              singularName: '',
              namespaced: type.namespaced,
              kind: type.kind,
              verbs: statusVerbs(type),
            },
          ]
        : []),
    ]),
  };
}

export type AggregatedVersion = 'v2' | 'v2beta1';

/** `/api` or `/apis` in the aggregated form: the core group, or all others. */
export function aggregatedDiscovery(registry: TypeRegistry, form: AggregatedVersion, root: 'api' | 'apis'): object {
  const groups = registry.groups().filter(({ name }) => (name === '') === (root === 'api'));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${form}`,
    metadata: {},
    items: groups.map(({ name, versions }) => ({
      metadata: name === '' ? { creationTimestamp: null } : { name, creationTimestamp: null },
      versions: versions.map((version) => ({
        version,
        resources: registry.types(name, version).map(aggregatedResource),
        freshness: 'Current',
      })),
    })),
  };
}

/** The media type of the aggregated form, as it stands in Accept and in Content-Type. */
export function aggregatedMediaType(form: AggregatedVersion): string {
  return `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`;
}

/** What `/version` says. */
export interface ApiVersionInfo {
  /** The Kubernetes release whose API this is like: `1.32`. */
  readonly kubernetes: string;
  /** Our own release: `0.1.0`. */
  readonly causeway: string;
}

/** `/version`. kubectl warns when it is more than one minor release away from what stands here. */
export function versionDocument({ kubernetes, causeway }: ApiVersionInfo): object {
  const [major = '', minor = ''] = kubernetes.split('.');
  return {
    major,
    minor,
    gitVersion: `v${major}.${minor}.0+causeway.${causeway}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'node',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}

function groupOf(name: string, versions: readonly string[]): object {
  const forms = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: forms, preferredVersion: forms[0] };
}

function aggregatedResource(type: ResourceType): object {
  const responseKind = { group: type.group, version: type.version, kind: type.kind };
  return {
    resource: type.resource,
    responseKind,
    scope: type.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: type.singular,
    verbs: type.verbs,
    ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    ...(type.categories.length === 0 ? {} : { categories: type.categories }),
    ...(type.hasStatus ? { subresources: [{ subresource: 'status', responseKind, verbs: statusVerbs(type) }] } : {}),
  };
}

function statusVerbs({ verbs }: ResourceType): readonly Verb[] {
  return verbs.filter((verb) => verb === 'get' || verb === 'patch' || verb === 'update');
}
