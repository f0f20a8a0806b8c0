import { Ajv, type ErrorObject, type Options } from 'ajv';

import { resourceError } from '../resource-error.ts';
import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldOfOtherType,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  fieldUnder,
  type FieldError,
} from './field-error.ts';
import { linearPattern } from './linear-pattern.ts';
import type { ObjectSchema } from './resource-type.ts';
import { numberFormats, stringFormats } from './schema-formats.ts';
import { isRecord, readSchema, recordAt, schemaLimits, type SchemaNode } from './schema-node.ts';

export type Validator = (object: Readonly<Record<string, unknown>>) => readonly FieldError[];

/** Errors that are told of one object. */
export const maxFieldErrors = 50;
/** Values of an object up to which all its errors are looked for; in a larger one only the first, or a hostile one costs seconds. */
const maxValuesForAllErrors = 20_000;
/** Levels of an object: what is deeper could not be written as JSON again. */
const maxObjectDepth = 200;

/**
 * Compiles a structural schema. The one file that imports ajv, which makes code of the schema: its size, depth and patterns are
 * bounded (`schemaLimits`), texts of it stand in that code as string literals only, and patterns run in linear time. Throws
 * `definition-invalid`.
 */
export function compileValidator(schema: ObjectSchema): Validator {
  const root = readSchema(schema);
  const json = jsonSchemaOf(root);
  const findAll = compile(json, true);
  let findFirst: typeof findAll | undefined;
  return (object) => {
    const size = measure(object);
    if (size.depth > maxObjectDepth)
      return [fieldInvalid('', object, `may not be nested deeper than ${maxObjectDepth} levels`)];
    const validate = size.values > maxValuesForAllErrors ? (findFirst ??= compile(json, false)) : findAll;
    return validate(object) ? duplicates(object, root) : fieldErrors(validate.errors ?? [], object);
  };
}

const options: Options = {
  strict: false,
  validateSchema: false,
  meta: false,
  logger: false,
  // Shared parts stay functions of their own, and the code is used as it comes: both halve the time that compiling takes.
  inlineRefs: false,
  ownProperties: true,
  addUsedSchema: false,
  formats: {
    ...stringFormats,
    ...Object.fromEntries(
      Object.entries(numberFormats).map(([name, validate]) => [name, { type: 'number' as const, validate }]),
    ),
  },
  code: { optimize: false, regExp: Object.assign(linearPattern, { code: 'linearPattern' }) },
};

function compile(schema: object, allErrors: boolean) {
  try {
    // An instance a schema, so that both go together: ajv keeps what it has compiled.
    return new Ajv({ ...options, allErrors }).compile(schema);
  } catch (error) {
    throw resourceError('definition-invalid', { detail: 'its schema cannot be compiled', cause: error });
  }
}

/** Keywords that JSON Schema and OpenAPI v3 have in common. */
const sharedKeywords = [
  'format',
  'maximum',
  'minimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'multipleOf',
  'maxProperties',
  'minProperties',
  'required',
];

/** A whole schema as JSON Schema draft 7. */
function jsonSchemaOf(root: SchemaNode): object {
  const uses = new Map<SchemaNode, number>();
  const count = (node: SchemaNode): void => {
    const before = uses.get(node) ?? 0;
    uses.set(node, before + 1);
    if (before === 0) for (const child of childrenOf(node)) count(child);
  };
  count(root);
  const shared = [...uses].filter(([node, times]) => times > 1 && node.properties.size > 0).map(([node]) => node);
  const definitions: Definitions = new Map(shared.map((node, index) => [node, String(index)]));
  return {
    ...jsonSchema(root, definitions),
    definitions: Object.fromEntries([...definitions].map(([node, name]) => [name, jsonSchema(node, definitions)])),
  };
}

/** Parts that are used several times, by their names in `definitions`. */
type Definitions = ReadonlyMap<SchemaNode, string>;

function childrenOf({ properties, values, items }: SchemaNode): readonly SchemaNode[] {
  return [...properties.values(), ...(values === true ? [] : [values]), items].filter((child) => child !== undefined);
}

function jsonSchema(node: SchemaNode, definitions: Definitions): Record<string, unknown> {
  const under = (child: SchemaNode): object => {
    const name = definitions.get(child);
    return name === undefined ? jsonSchema(child, definitions) : { $ref: `#/definitions/${name}` };
  };
  const schema = rulesOf(node.raw, 0);
  if (node.isIntOrString) schema['type'] = ['integer', 'string'];
  if (node.raw['format'] === 'quantity') schema['type'] = ['string', 'number'];
  if (node.isNullable && schema['type'] !== undefined) schema['type'] = [schema['type'], 'null'].flat();
  const choices = listAt(schema, 'enum');
  if (node.isNullable && choices.length > 0) schema['enum'] = [...choices, null];
  if (node.properties.size > 0)
    schema['properties'] = Object.fromEntries([...node.properties].map(([name, child]) => [name, under(child)]));
  if (node.values !== undefined && node.values !== true) schema['additionalProperties'] = under(node.values);
  if (node.items !== undefined) schema['items'] = under(node.items);
  return schema;
}

function listAt(record: Readonly<Record<string, unknown>>, key: string): readonly unknown[] {
  const list = record[key];
  return Array.isArray(list) ? list : [];
}

/** What one part of a schema demands, without the parts below it. */
function rulesOf(raw: ObjectSchema, depth: number): Record<string, unknown> {
  if (depth > schemaLimits.maxDepth) throw resourceError('definition-invalid', { detail: 'rules nested too deeply' });
  const schema: Record<string, unknown> = {};
  for (const keyword of sharedKeywords) if (Object.hasOwn(raw, keyword)) schema[keyword] = raw[keyword];
  if (typeof raw['type'] === 'string' && raw['type'] !== '') schema['type'] = raw['type'];
  if (Array.isArray(raw['enum'])) schema['enum'] = raw['enum'];
  for (const end of ['Maximum', 'Minimum']) {
    const bound = end.toLowerCase();
    if (raw[`exclusive${end}`] !== true || typeof raw[bound] !== 'number') continue;
    schema[`exclusive${end}`] = raw[bound];
    delete schema[bound];
  }
  for (const junctor of ['allOf', 'anyOf', 'oneOf']) {
    const parts = listAt(raw, junctor);
    if (parts.length > 0) schema[junctor] = parts.filter(isRecord).map((part) => wholeRules(part, depth + 1));
  }
  const negated = recordAt(raw, 'not');
  if (negated !== undefined) schema['not'] = wholeRules(negated, depth + 1);
  return schema;
}

/** The same with the parts below, as they stand in `allOf`, `anyOf`, `oneOf` and `not`. */
function wholeRules(raw: ObjectSchema, depth: number): Record<string, unknown> {
  const schema = rulesOf(raw, depth);
  const properties = Object.entries(recordAt(raw, 'properties') ?? {});
  if (properties.length > 0)
    schema['properties'] = Object.fromEntries(
      properties.map(([name, part]) => [name, isRecord(part) ? wholeRules(part, depth + 1) : {}]),
    );
  for (const keyword of ['items', 'additionalProperties']) {
    const part = recordAt(raw, keyword);
    if (part !== undefined) schema[keyword] = wholeRules(part, depth + 1);
  }
  return schema;
}

function fieldErrors(errors: readonly ErrorObject[], object: Readonly<Record<string, unknown>>): FieldError[] {
  const found: FieldError[] = [];
  for (const error of errors) {
    // Why each branch of a choice does not hold is noise: the choice itself is reported.
    if (/\/(?:anyOf|oneOf)\/\d+\//.test(error.schemaPath)) continue;
    found.push(fieldErrorOf(error, object));
    if (found.length === maxFieldErrors) break;
  }
  // What breaks a schema is never without an error.
  const [any] = errors;
  return found.length > 0 || any === undefined ? found : [fieldErrorOf(any, object)];
}

function fieldErrorOf({ keyword, params, instancePath }: ErrorObject, object: unknown): FieldError {
  const { field, value: data } = placeAt(object, instancePath);
  switch (keyword) {
    case 'required':
      return fieldRequired(fieldUnder(field, String(params['missingProperty'])));
    case 'type':
      return fieldOfOtherType(field, data, [params['type']].flat().join(' or '));
    case 'enum':
      return fieldNotSupported(field, data, listAt(params, 'allowedValues'));
    case 'pattern':
      return fieldInvalid(field, data, `must match ${String(params['pattern'])}`);
    case 'format':
      return fieldInvalid(field, data, formatMessage(String(params['format'])));
    case 'maxLength':
      return fieldTooLong(field, Number(params['limit']));
    case 'maxItems':
      return fieldTooMany(field, Array.isArray(data) ? data.length : 0, Number(params['limit']));
    case 'minLength':
      return fieldInvalid(field, data, `must have at least ${params['limit']} characters`);
    case 'minItems':
    case 'minProperties':
      return fieldInvalid(field, data, `must have at least ${params['limit']} entries`);
    case 'maxProperties':
      return fieldInvalid(field, data, `must have at most ${params['limit']} entries`);
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return fieldInvalid(field, data, `must be ${params['comparison']} ${params['limit']}`);
    case 'multipleOf':
      return fieldInvalid(field, data, `must be a multiple of ${params['multipleOf']}`);
    case 'anyOf':
      return fieldInvalid(field, data, 'must match at least one of the alternatives');
    case 'oneOf':
      return fieldInvalid(field, data, 'must match exactly one of the alternatives');
    case 'not':
      return fieldInvalid(field, data, 'is what the schema rules out');
    default:
      return fieldInvalid(field, data, `breaks the rule ${keyword}`);
  }
}

function formatMessage(format: string): string {
  if (format === 'date-time') return 'must be a time as in 2006-01-02T15:04:05Z (RFC 3339)';
  return format === 'quantity' ? 'must be a quantity such as 500m or 2Gi' : `must be of format ${format}`;
}

/** What stands at a JSON pointer, and the pointer as Kubernetes writes a field; only the object knows which numbers are indexes. */
function placeAt(object: unknown, pointer: string): { readonly field: string; readonly value: unknown } {
  let field = '';
  let value = object;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(value)) {
      field = fieldUnder(field, Number(key));
      value = value[Number(key)];
    } else {
      field = fieldUnder(field, key);
      value = isRecord(value) ? value[key] : undefined;
    }
  }
  return { field, value };
}

/** Items that come twice in a list that is a set, or a map by keys. */
function duplicates(object: Readonly<Record<string, unknown>>, root: SchemaNode): readonly FieldError[] {
  const found: FieldError[] = [];
  const visit = (value: unknown, node: SchemaNode, field: string): void => {
    if (found.length >= maxFieldErrors) return;
    if (Array.isArray(value)) {
      if (node.items === undefined) return;
      if (node.isSet || node.listKeys.length > 0) findTwice(value, node, field, found);
      for (const [index, item] of value.entries()) visit(item, node.items, fieldUnder(field, index));
    } else if (isRecord(value)) {
      for (const [key, member] of Object.entries(value)) {
        const child = node.properties.get(key) ?? node.values;
        if (child !== undefined && child !== true) visit(member, child, fieldUnder(field, key));
      }
    }
  };
  visit(object, root, '');
  return found;
}

function findTwice(list: readonly unknown[], { listKeys }: SchemaNode, field: string, found: FieldError[]): void {
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    const identity =
      listKeys.length > 0 && isRecord(item) ? Object.fromEntries(listKeys.map((key) => [key, item[key]])) : item;
    const text = JSON.stringify(identity);
    if (seen.has(text) && found.length < maxFieldErrors) found.push(fieldDuplicate(fieldUnder(field, index), identity));
    seen.add(text);
  }
}

/** How many values an object has and how deep it is, without recursion and no further than is of interest. */
function measure(object: unknown): { readonly values: number; readonly depth: number } {
  let values = 0;
  let depth = 0;
  let level: unknown[] = [object];
  while (level.length > 0 && depth <= maxObjectDepth) {
    const below: unknown[] = [];
    for (const value of level) {
      values += 1;
      if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) below.push(member);
    }
    depth += 1;
    level = below;
  }
  return { values, depth };
}
