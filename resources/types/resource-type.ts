/** What one kind of resource is: its names, its schema, how it is shown. A CustomResourceDefinition says the same in its own words. */
export interface ResourceType {
  /** Empty: the core group, `/api/v1`. */
  readonly group: string;
  readonly version: string;
  /** The name in URLs, plural: `pods`. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  /** `status` is written by its own subresource only. */
  readonly hasStatus: boolean;
  readonly schema: ObjectSchema;
  /** Columns behind the name, in the order in which they are shown; without any: `Age`. One called `Name` says where the name stands. */
  readonly columns: readonly PrinterColumn[];
  /** What field selectors may name besides `metadata.name` and `metadata.namespace`: paths such as `spec.nodeName`. */
  readonly selectableFields: readonly string[];
  /** The version of the same group and resource under which objects are kept. Default: this one. */
  readonly storageVersion?: string;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** A structural schema of OpenAPI v3, with Kubernetes' `x-kubernetes-*` extensions, as CustomResourceDefinitions have it. */
export type ObjectSchema = Readonly<Record<string, unknown>>;

/** As `additionalPrinterColumns` of a CustomResourceDefinition. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly description?: string;
  /** 0: always shown; more: with `-o wide`. */
  readonly priority: number;
  /** Kubernetes' JSONPath without braces, `.spec.nodeName`; or how the cell is computed where a path cannot say it. */
  readonly value: string | ComputedCell;
}

/** `nowMs`, milliseconds since 1970, is for cells that tell an age. */
export type ComputedCell = (object: Readonly<Record<string, unknown>>, nowMs: number) => string | number;

/** `pods`, `virtualmachines.kubevirt.io`: how a resource is named in messages and in metrics. */
export function qualifiedName({ group, resource }: Pick<ResourceType, 'group' | 'resource'>): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** Whether a type is one of Kubernetes' own, which alone take strategic merge patches: their groups have no dot, or end with `.k8s.io`. */
export function isBuiltIn({ group }: Pick<ResourceType, 'group'>): boolean {
  return !group.includes('.') || group.endsWith('.k8s.io');
}

/** `v1`, `kubevirt.io/v1`. */
export function apiVersionOf({ group, version }: Pick<ResourceType, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}
