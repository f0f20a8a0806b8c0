import { z } from 'zod';

/** The one file that imports zod: validation everywhere is written with this `z`. */
export { z };

/** What is wrong at one place of a value. */
export interface SchemaProblem {
  /** Keys and array indexes from the root. For an unknown key: of the object that holds it. */
  readonly path: readonly (string | number)[];
  /** What is wrong, without the place. */
  readonly message: string;
  /** The keys that the schema does not know, when that is the problem. */
  readonly unknownKeys: readonly string[];
}

/** Checks `value`; either the parsed value or every problem with it, never an exception. */
export function validate<T>(
  schema: z.ZodType<T>,
  value: unknown,
): { value: T } | { problems: readonly SchemaProblem[] } {
  const result = schema.safeParse(value);
  return result.success ? { value: result.data } : { problems: result.error.issues.map(problemOf) };
}

/** The shape of a schema's input as JSON Schema, as far as it is needed to name keys and say what is allowed. */
export interface SchemaShape {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaShape>>;
  readonly additionalProperties?: boolean | SchemaShape;
  readonly items?: SchemaShape;
  readonly anyOf?: readonly SchemaShape[];
  readonly oneOf?: readonly SchemaShape[];
  readonly allOf?: readonly SchemaShape[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
}

export function shapeOf(schema: z.ZodType): SchemaShape {
  const shape: unknown = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return isShape(shape) ? shape : {};
}

/** The shape of what stands under `key`; undefined when the schema knows no such key. Unions answer with the first that does. */
export function shapeUnder(shape: SchemaShape, key: string | number): SchemaShape | undefined {
  for (const variant of variantsOf(shape)) {
    if (typeof key === 'number' && variant.items !== undefined) return variant.items;
    const name = String(key);
    if (variant.properties !== undefined && Object.hasOwn(variant.properties, name)) return variant.properties[name];
    if (typeof variant.additionalProperties === 'object') return variant.additionalProperties;
  }
  return undefined;
}

/** The keys that a schema names at this place, those of all its variants. */
export function keysOf(shape: SchemaShape): readonly string[] {
  return [...new Set(variantsOf(shape).flatMap((variant) => Object.keys(variant.properties ?? {})))];
}

/** A shape itself, or the members of the union that it is. */
export function variantsOf(shape: SchemaShape): readonly SchemaShape[] {
  const members = [...(shape.anyOf ?? []), ...(shape.oneOf ?? []), ...(shape.allOf ?? [])];
  return members.length === 0 ? [shape] : [shape, ...members.flatMap(variantsOf)];
}

/** What a schema allows at this place, in a few words; empty when there is nothing to say. */
export function describeAllowed(shape: SchemaShape): string {
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  if (shape.enum !== undefined) return shape.enum.map((value) => JSON.stringify(value)).join(' | ');
  const union = shape.anyOf ?? shape.oneOf;
  if (union !== undefined) return [...new Set(union.map(describeAllowed))].filter((text) => text !== '').join(' | ');
  if (shape.properties !== undefined) return `an object with ${Object.keys(shape.properties).join(', ')}`;
  if (shape.type === 'array') return `a list of ${describeAllowed(shape.items ?? {}) || 'anything'}`;
  if (shape.type === 'object') return 'an object';
  return [
    shape.type,
    bounds(shape),
    shape.format,
    shape.pattern === undefined ? undefined : `matching ${shape.pattern}`,
  ]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
}

function bounds(shape: SchemaShape): string {
  const low = shape.minimum ?? shape.exclusiveMinimum;
  const high = shape.maximum ?? shape.exclusiveMaximum;
  const number = range(isSafeBound(low) ? low : undefined, isSafeBound(high) ? high : undefined);
  const length = range(shape.minLength, shape.maxLength);
  return `${number}${length === '' ? '' : `of length ${length}`}`;
}

/** zod writes the limits of exact integers into every integer; they say nothing to a reader. */
function isSafeBound(bound: number | undefined): bound is number {
  return bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
}

function range(low: number | undefined, high: number | undefined): string {
  if (low !== undefined && high !== undefined) return `${low} to ${high}`;
  if (low !== undefined) return `${low} or more`;
  return high === undefined ? '' : `${high} or less`;
}

function problemOf(issue: z.core.$ZodIssue): SchemaProblem {
  const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  if (issue.code === 'unrecognized_keys') {
    return {
      path,
      message: `unknown key ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`,
      unknownKeys: issue.keys,
    };
  }
  if (issue.code === 'invalid_key') {
    return { path, message: issue.issues[0]?.message ?? issue.message, unknownKeys: [] };
  }
  const message = issue.message.replace(/^Invalid input: /, '');
  return { path, message: message.charAt(0).toLowerCase() + message.slice(1), unknownKeys: [] };
}

function isShape(value: unknown): value is SchemaShape {
  return typeof value === 'object' && value !== null;
}
