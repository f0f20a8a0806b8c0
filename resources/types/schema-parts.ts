import type { ObjectSchema } from './resource-type.ts';

/** More keywords of OpenAPI and `x-kubernetes-*` for one part: `{ minimum: 0 }`, `{ enum: ['a', 'b'] }`, `{ default: 1 }`. */
export type SchemaRules = Readonly<Record<string, unknown>>;

/*
 * The parts that schemas of built-in kinds are written with. The description comes first, since every field has one:
 * it is what `kubectl explain` shows.
 */

export function string(description: string, rules: SchemaRules = {}): ObjectSchema {
  return { type: 'string', description, ...rules };
}

/** A whole number below 2^31; `integer64`: below 2^63, exact below 2^53. */
export function integer(description: string, rules: SchemaRules = {}): ObjectSchema {
  return { type: 'integer', format: 'int32', description, ...rules };
}

export function integer64(description: string, rules: SchemaRules = {}): ObjectSchema {
  return { type: 'integer', format: 'int64', description, ...rules };
}

export function boolean(description: string, rules: SchemaRules = {}): ObjectSchema {
  return { type: 'boolean', description, ...rules };
}

/** RFC 3339. */
export function time(description: string, rules: SchemaRules = {}): ObjectSchema {
  return { type: 'string', format: 'date-time', description, nullable: true, ...rules };
}

/** A number with a unit, `500m`, `2Gi`, or a plain number. */
export function quantity(description: string, rules: SchemaRules = {}): ObjectSchema {
  return { type: 'string', format: 'quantity', description, ...rules };
}

/** An object with these fields and no others. */
export function object(
  description: string,
  properties: Readonly<Record<string, ObjectSchema>>,
  rules: SchemaRules = {},
): ObjectSchema {
  return { type: 'object', description, properties, ...rules };
}

/** An object with any fields; none is taken out. */
export function openObject(description: string, rules: SchemaRules = {}): ObjectSchema {
  return { 'type': 'object', description, 'x-kubernetes-preserve-unknown-fields': true, ...rules };
}

/** An object whose keys are data: labels, quantities by resource. */
export function map(description: string, values: ObjectSchema, rules: SchemaRules = {}): ObjectSchema {
  return { type: 'object', description, additionalProperties: values, ...rules };
}

export function list(description: string, items: ObjectSchema, rules: SchemaRules = {}): ObjectSchema {
  return { type: 'array', description, items, ...rules };
}

/** A list whose items are told apart by `key`: a strategic merge patch merges by it, and it may not come twice. */
export function listByKey(
  description: string,
  key: string,
  items: ObjectSchema,
  rules: SchemaRules = {},
): ObjectSchema {
  return list(description, items, {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': [key],
    'x-kubernetes-patch-merge-key': key,
    'x-kubernetes-patch-strategy': 'merge',
    ...rules,
  });
}

/** Conditions as every kind's status has them. */
export function conditions(description: string): ObjectSchema {
  return listByKey(
    description,
    'type',
    object(
      'One aspect of the state.',
      {
        type: string('Name of the aspect.'),
        status: string('Whether it holds: True, False or Unknown.'),
        observedGeneration: integer64('The generation of the object that this was found for.'),
        lastTransitionTime: time('When the status last changed.'),
        lastProbeTime: time('When it was last looked at.'),
        lastHeartbeatTime: time('When it was last reported.'),
        lastUpdateTime: time('When it was last written.'),
        reason: string('Why, one word, for programs.'),
        message: string('Why, for people.'),
      },
      { required: ['type', 'status'] },
    ),
  );
}

/** The schema of a kind: `apiVersion`, `kind` and `metadata` are added by themselves. */
export function kindSchema(
  description: string,
  properties: Readonly<Record<string, ObjectSchema>>,
  rules: SchemaRules = {},
): ObjectSchema {
  return {
    type: 'object',
    description,
    properties: {
      apiVersion: string('Group and version that this form of the object belongs to.'),
      kind: string('What the object is.'),
      metadata: { type: 'object', description: 'What every object has: name, labels, version.' },
      ...properties,
    },
    ...rules,
  };
}
