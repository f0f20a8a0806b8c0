/** Which objects a request means: by labels, and by fields. All requirements hold, or the object is not meant. */
export interface Selector {
  readonly labels: readonly LabelRequirement[];
  readonly fields: readonly FieldRequirement[];
}

export type LabelRequirement =
  | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist' };

export interface FieldRequirement {
  /** `metadata.name`, `metadata.namespace`, or one of the type's `selectableFields`. */
  readonly path: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export const everything: Selector = { labels: [], fields: [] };

/** Longest text of a selector, in characters: far beyond what a URL carries through most proxies. */
export const maxSelectorLength = 16_384;

/** What a selector sees of an object; a `HeldObject` is one. */
export interface Selectable {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
}

/** Whether an object is meant. As in Kubernetes `!=` and `notin` hold for what has no such label, and a missing field is the empty string. */
export function matches(selector: Selector, object: Selectable): boolean {
  for (const requirement of selector.labels) if (!hasLabel(requirement, object.labels)) return false;
  for (const { path, operator, value } of selector.fields) {
    if ((fieldOf(path, object) === value) !== (operator === '=')) return false;
  }
  return true;
}

function hasLabel(requirement: LabelRequirement, labels: Selectable['labels']): boolean {
  const { key } = requirement;
  // A label may be called `constructor`.
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && requirement.values.includes(value);
    case 'NotIn':
      return value === undefined || !requirement.values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

function fieldOf(path: string, { namespace, name, fields }: Selectable): string {
  if (path === 'metadata.name') return name;
  if (path === 'metadata.namespace') return namespace;
  return fields[path] ?? '';
}
