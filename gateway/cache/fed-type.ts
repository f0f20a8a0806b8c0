import type { FedKind, ResourceType } from '../../resources/index.ts';

/** A kind of an edge as a type of ours: what is fed is never checked again, so that any schema does. */
export function fedType(kind: FedKind, known: ResourceType | undefined): ResourceType {
  const { group, version, resource, singular, listKind, shortNames, categories, namespaced, verbs, hasStatus } = kind;
  return {
    group,
    version,
    resource,
    singular: singular === '' ? kind.kind.toLowerCase() : singular,
    kind: kind.kind,
    listKind,
    shortNames,
    categories,
    namespaced,
    verbs,
    hasStatus,
    schema: known?.schema ?? { 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true },
    columns: kind.columns ?? known?.columns ?? [],
    selectableFields: [...new Set([...kind.selectableFields, ...(known?.selectableFields ?? [])])],
  };
}
