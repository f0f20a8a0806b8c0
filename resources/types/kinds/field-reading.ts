import { isRecord } from '../schema-node.ts';

export type Fields = Readonly<Record<string, unknown>>;

/*
 * Reading of objects that may come from anywhere: what is missing or of another type reads as empty. Paths are written with
 * dots and have no dots in their parts.
 */

export function valueAt(object: unknown, path: string): unknown {
  let value = object;
  for (const part of path.split('.')) {
    if (!isRecord(value) || !Object.hasOwn(value, part)) return undefined;
    value = value[part];
  }
  return value;
}

export function textAt(object: unknown, path: string): string {
  const value = valueAt(object, path);
  return typeof value === 'string' ? value : '';
}

export function countAt(object: unknown, path: string, missing = 0): number {
  const value = valueAt(object, path);
  return typeof value === 'number' ? value : missing;
}

export function fieldsAt(object: unknown, path: string): Fields {
  const value = valueAt(object, path);
  return isRecord(value) ? value : {};
}

/** The objects of a list; `undefined` and rubbish are no list. */
export function listAt(object: unknown, path: string): readonly Fields[] {
  const value = valueAt(object, path);
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

export function textsAt(object: unknown, path: string): readonly string[] {
  const value = valueAt(object, path);
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

export function has(object: unknown, path: string): boolean {
  const value = valueAt(object, path);
  return value !== undefined && value !== null;
}

/** The status of a condition; empty when there is none of this type. */
export function conditionOf(object: unknown, type: string): string {
  return textAt(
    listAt(object, 'status.conditions').find((condition) => condition['type'] === type),
    'status',
  );
}

/** As kubectl shows what is not there. */
export function orNone(text: string): string {
  return text === '' ? '<none>' : text;
}
