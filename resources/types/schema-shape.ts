import { fieldUnder } from './field-error.ts';
import type { ObjectSchema } from './resource-type.ts';
import { isRecord, readSchema, type SchemaNode } from './schema-node.ts';

/** What a schema made of an object. */
export interface Shaped {
  /** The same reference as before when nothing was taken out or put in. */
  readonly object: Readonly<Record<string, unknown>>;
  /** Paths of what the schema does not know and was taken out, in document order, at most `maxUnknownFields`. */
  readonly unknown: readonly string[];
}

/** Paths that are told; more are taken out all the same. */
const maxUnknownFields = 100;

/**
 * Pruning and defaulting as Kubernetes does them for custom resources, in one walk that copies only what changes. It goes
 * no deeper than the schema. A null where the schema has no null means "not set".
 */
export function compileShape(schema: ObjectSchema): ShapeFunction {
  const root = readSchema(schema);
  return (object) => {
    const unknown: string[] = [];
    return { object: shapeObject(object, root, '', unknown), unknown };
  };
}

export type ShapeFunction = (object: Readonly<Record<string, unknown>>) => Shaped;

function shapeValue(value: unknown, node: SchemaNode, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) return node.items === undefined ? value : shapeList(value, node.items, path, unknown);
  return isRecord(value) ? shapeObject(value, node, path, unknown) : value;
}

function shapeList(list: readonly unknown[], items: SchemaNode, path: string, unknown: string[]): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (const [index, item] of list.entries()) {
    const shaped = shapeValue(item, items, fieldUnder(path, index), unknown);
    if (shaped === item) continue;
    copy ??= [...list];
    copy[index] = shaped;
  }
  return copy ?? list;
}

function shapeObject(
  object: Readonly<Record<string, unknown>>,
  node: SchemaNode,
  path: string,
  unknown: string[],
): Readonly<Record<string, unknown>> {
  let copy: Record<string, unknown> | undefined;
  for (const [key, value] of Object.entries(object)) {
    const child = node.properties.get(key) ?? node.values;
    if (child === true || (child === undefined && node.isOpen)) continue;
    if (child === undefined) {
      if (unknown.length < maxUnknownFields) unknown.push(fieldUnder(path, key));
    } else if (value !== null || child.isNullable) {
      const shaped = shapeValue(value, child, fieldUnder(path, key), unknown);
      if (shaped !== value) (copy ??= { ...object })[key] = shaped;
      continue;
    }
    copy ??= { ...object };
    delete copy[key];
  }
  for (const [key, child] of node.properties) {
    if (!child.hasDefault || Object.hasOwn(copy ?? object, key)) continue;
    copy ??= { ...object };
    // A default may itself be without parts that have defaults.
    copy[key] = shapeValue(structuredClone(child.raw['default']), child, fieldUnder(path, key), unknown);
  }
  return copy ?? object;
}
