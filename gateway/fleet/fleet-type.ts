import type { ErrorCause } from '../../base/index.ts';
import type { ObjectSchema, PrinterColumn, ResourceType } from '../../resources/index.ts';

type Described = Pick<ResourceType, 'kind' | 'resource' | 'shortNames' | 'schema' | 'columns'> &
  Partial<Pick<ResourceType, 'hasStatus' | 'selectableFields' | 'verbs'>>;

/** What every kind of `causeway.io/v1` has in common; none belongs to a namespace. */
export function fleetType(described: Described): ResourceType {
  const { kind } = described;
  return {
    group: 'causeway.io',
    version: 'v1',
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    categories: ['causeway'],
    namespaced: false,
    verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'],
    hasStatus: false,
    selectableFields: [],
    ...described,
  };
}

export const age: PrinterColumn = { name: 'Age', type: 'date', priority: 0, value: '.metadata.creationTimestamp' };

export function text(description: string, maxLength: number): ObjectSchema {
  return { type: 'string', maxLength, description };
}

export function time(description: string): ObjectSchema {
  return { type: 'string', format: 'date-time', description };
}

export function dnsLabel(description: string): ObjectSchema {
  return { type: 'string', maxLength: 63, pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$', description };
}

/** A label map, by Kubernetes' rule for values. */
export function labels(description: string): ObjectSchema {
  return {
    type: 'object',
    maxProperties: 64,
    additionalProperties: {
      type: 'string',
      maxLength: 63,
      pattern: '^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$',
    },
    description,
  };
}

/** A list of texts that each match a pattern; at least one. */
export function textList(description: string, pattern: string): ObjectSchema {
  return {
    'type': 'array',
    'minItems': 1,
    'maxItems': 256,
    'x-kubernetes-list-type': 'set',
    'items': { type: 'string', minLength: 1, maxLength: 256, pattern },
    description,
  };
}

/** What is wrong with an object that has to have exactly one of these members. */
export function exactlyOne(object: unknown, field: string, members: readonly [string, string]): readonly ErrorCause[] {
  const given = members.filter((member) => memberOf(object, member) !== undefined);
  const [one, other] = members;
  if (given.length === 1) return [];
  const rule = `exactly one of ${one} and ${other}`;
  return given.length === 0
    ? [{ field: `${field}.${one}`, reason: 'FieldValueRequired', message: `Required value: ${rule}` }]
    : [{ field: `${field}.${other}`, reason: 'FieldValueForbidden', message: `Forbidden: ${rule}` }];
}

export function memberOf(object: unknown, member: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, member)
    ? (object as Readonly<Record<string, unknown>>)[member]
    : undefined;
}
