import { allVerbs } from '../../../resources/types/crd.ts';
import type { ResourceType } from '../../../resources/types/resource-type.ts';

/** A type with a spec of any fields and no status. */
export function simpleType(group: string, version: string, resource: string, kind: string): ResourceType {
  return {
    group,
    version,
    resource,
    singular: kind.toLowerCase(),
    kind,
    listKind: `${kind}List`,
    shortNames: [],
    categories: [],
    namespaced: true,
    verbs: allVerbs,
    hasStatus: false,
    schema: {
      type: 'object',
      properties: { spec: { 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    },
    columns: [],
    selectableFields: [],
  };
}
