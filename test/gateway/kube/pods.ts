import { heldObject, type HeldObject, type ResourceType } from '../../../resources/index.ts';

/** As much of a Pod's type as the view of it needs. */
export const podType: ResourceType = {
  group: '',
  version: 'v1',
  resource: 'pods',
  singular: 'pod',
  kind: 'Pod',
  listKind: 'PodList',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'],
  hasStatus: true,
  schema: { 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true },
  columns: [],
  selectableFields: ['spec.nodeName'],
};

export interface PodWords {
  readonly name: string;
  readonly version: number;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string;
}

export function podObject({ name, version, namespace = 'ns', labels, node = 'n' }: PodWords) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, resourceVersion: String(version), ...(labels === undefined ? {} : { labels }) },
    spec: { nodeName: node },
  };
}

export function pod(words: PodWords): HeldObject {
  return heldObject(podObject(words), podType);
}
