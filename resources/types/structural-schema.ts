import {
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldOfOtherType,
  fieldRequired,
  fieldTooMany,
  fieldUnder,
  type FieldError,
} from './field-error.ts';
import { patternProblem } from './linear-pattern.ts';
import type { ObjectSchema } from './resource-type.ts';
import { isRecord, recordAt, schemaLimits, stringsAt } from './schema-node.ts';

const schemaTypes = ['object', 'array', 'string', 'integer', 'number', 'boolean'];

/** What keeps a schema from being structural, as far as pruning, defaulting and validation rely on it; and what is too large. */
export function checkStructure(schema: ObjectSchema, field: string): readonly FieldError[] {
  const walk: SchemaWalk = { nodes: 0, errors: [] };
  checkPart(schema, field, 0, walk);
  return walk.errors;
}

interface SchemaWalk {
  nodes: number;
  readonly errors: FieldError[];
}

function checkPart(schema: ObjectSchema, field: string, depth: number, walk: SchemaWalk): void {
  const { errors } = walk;
  walk.nodes += 1;
  if (walk.nodes > schemaLimits.maxNodes || depth > schemaLimits.maxDepth) {
    const limits = `${schemaLimits.maxNodes} nodes and ${schemaLimits.maxDepth} levels`;
    if (errors.at(-1)?.reason !== 'FieldValueForbidden')
      errors.push(fieldForbidden(field, `a schema has at most ${limits}`));
    return;
  }
  const { type } = schema;
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true;
  if (type === undefined || type === '') {
    if (!isIntOrString && schema['x-kubernetes-preserve-unknown-fields'] !== true)
      errors.push(fieldRequired(`${field}.type`, 'every part of a structural schema has a type'));
  } else if (isIntOrString) {
    errors.push(fieldForbidden(`${field}.type`, 'x-kubernetes-int-or-string stands in its place'));
  } else if (!schemaTypes.some((known) => known === type)) {
    errors.push(fieldNotSupported(`${field}.type`, type, schemaTypes));
  }
  if (Object.hasOwn(schema, '$ref')) errors.push(fieldForbidden(`${field}.$ref`, 'write the schema out'));
  if (schema['uniqueItems'] === true)
    errors.push(fieldForbidden(`${field}.uniqueItems`, 'use x-kubernetes-list-type: set'));
  if (recordAt(schema, 'properties') !== undefined && (schema['additionalProperties'] ?? false) !== false)
    errors.push(fieldForbidden(`${field}.additionalProperties`, 'a part has properties or additionalProperties'));
  if (type === 'array' && recordAt(schema, 'items') === undefined) errors.push(fieldRequired(`${field}.items`));
  if (schema['x-kubernetes-list-type'] === 'map' && stringsAt(schema, 'x-kubernetes-list-map-keys').length === 0)
    errors.push(fieldRequired(`${field}.x-kubernetes-list-map-keys`));
  checkRules(schema, field, depth, walk);
  for (const [name, property] of Object.entries(recordAt(schema, 'properties') ?? {})) {
    const at = fieldUnder(`${field}.properties`, name);
    if (isRecord(property)) checkPart(property, at, depth + 1, walk);
    else errors.push(fieldOfOtherType(at, property, 'object'));
  }
  for (const key of ['items', 'additionalProperties']) {
    const part = recordAt(schema, key);
    if (part !== undefined) checkPart(part, `${field}.${key}`, depth + 1, walk);
    else if (key === 'items' && schema[key] !== undefined)
      errors.push(fieldOfOtherType(`${field}.items`, schema[key], 'object'));
  }
}

const countKeywords = ['maxLength', 'minLength', 'maxItems', 'minItems', 'maxProperties', 'minProperties'];
const numberKeywords = ['maximum', 'minimum', 'multipleOf'];
const flagKeywords = ['nullable', 'exclusiveMaximum', 'exclusiveMinimum', 'x-kubernetes-preserve-unknown-fields'];

/** The keywords that say what a value has to be, also those in `allOf`, `anyOf`, `oneOf` and `not`. */
function checkRules(schema: ObjectSchema, field: string, depth: number, walk: SchemaWalk): void {
  const { errors } = walk;
  for (const key of [...countKeywords, ...numberKeywords]) {
    const value = schema[key];
    if (value === undefined) continue;
    const isCount = countKeywords.includes(key);
    if (typeof value !== 'number' || !Number.isFinite(value))
      errors.push(fieldOfOtherType(`${field}.${key}`, value, 'number'));
    else if (isCount && (!Number.isSafeInteger(value) || value < 0))
      errors.push(fieldInvalid(`${field}.${key}`, value, 'must be a whole number of 0 or more'));
    else if (key === 'multipleOf' && value <= 0) errors.push(fieldInvalid(`${field}.${key}`, value, 'must be > 0'));
  }
  for (const key of flagKeywords)
    if (schema[key] !== undefined && typeof schema[key] !== 'boolean')
      errors.push(fieldOfOtherType(`${field}.${key}`, schema[key], 'boolean'));
  const { pattern, required, enum: choices } = schema;
  if (typeof pattern === 'string') {
    const problem = patternProblem(pattern);
    if (problem !== undefined) errors.push(fieldInvalid(`${field}.pattern`, pattern, problem));
  } else if (pattern !== undefined) {
    errors.push(fieldOfOtherType(`${field}.pattern`, pattern, 'string'));
  }
  if (required !== undefined && !(Array.isArray(required) && required.every((name) => typeof name === 'string')))
    errors.push(fieldOfOtherType(`${field}.required`, required, 'array of strings'));
  if (choices !== undefined && !Array.isArray(choices))
    errors.push(fieldOfOtherType(`${field}.enum`, choices, 'array'));
  else if (Array.isArray(choices) && choices.length > schemaLimits.maxEnumValues)
    errors.push(fieldTooMany(`${field}.enum`, choices.length, schemaLimits.maxEnumValues));
  for (const key of ['allOf', 'anyOf', 'oneOf', 'not'])
    for (const [index, part] of [schema[key] ?? []].flat().entries())
      checkAlternative(part, key === 'not' ? `${field}.not` : `${field}.${key}[${index}]`, depth + 1, walk);
}

function checkAlternative(part: unknown, field: string, depth: number, walk: SchemaWalk): void {
  walk.nodes += 1;
  if (!isRecord(part)) {
    walk.errors.push(fieldOfOtherType(field, part, 'object'));
    return;
  }
  if (walk.nodes > schemaLimits.maxNodes || depth > schemaLimits.maxDepth) {
    walk.errors.push(fieldForbidden(field, 'the schema is too large or too deep'));
    return;
  }
  checkRules(part, field, depth, walk);
  for (const [name, property] of Object.entries(recordAt(part, 'properties') ?? {}))
    checkAlternative(property, fieldUnder(`${field}.properties`, name), depth + 1, walk);
  for (const key of ['items', 'additionalProperties'])
    if (recordAt(part, key) !== undefined) checkAlternative(part[key], `${field}.${key}`, depth + 1, walk);
}
