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
export function exactlyOne(
  object: unknown,
  field: string,
  members: readonly [string, string, ...string[]],
): readonly ErrorCause[] {
  const given = members.filter((member) => memberOf(object, member) !== undefined);
  const [first] = members;
  const [, second] = given;
  if (given.length === 1) return [];
  const rule = `exactly one of ${members.slice(0, -1).join(', ')} and ${members.at(-1)}`;
  return second === undefined
    ? [{ field: `${field}.${first}`, reason: 'FieldValueRequired', message: `Required value: ${rule}` }]
    : [{ field: `${field}.${second}`, reason: 'FieldValueForbidden', message: `Forbidden: ${rule}` }];
}

export function memberOf(object: unknown, member: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, member)
    ? (object as Readonly<Record<string, unknown>>)[member]
    : undefined;
}
