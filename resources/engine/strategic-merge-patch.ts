import { isDeepStrictEqual } from 'node:util';
import { resourceError } from '../resource-error.ts';
import type { ResourceType } from '../types/resource-type.ts';
import { isRecord, ownValue, type JsonRecord } from './json-record.ts';
import {
  contextUnder,
  itemContext,
  listStrategy,
  rootContext,
  type ListStrategy,
  type MergeContext,
} from './merge-strategy.ts';

/**
 * Kubernetes' strategic merge patch: a merge patch that also merges lists, by the keys that the type's schema names, with
 * directives `$patch` (replace, delete, merge), `$retainKeys`, `$deleteFromPrimitiveList/FIELD` and `$setElementOrder/FIELD`.
 * Changes neither of the two. Throws `patch-inapplicable` for directives that make no sense.
 */
export function applyStrategicMergePatch(target: unknown, patch: unknown, type: Pick<ResourceType, 'schema'>): unknown {
  if (!isRecord(patch)) throw inapplicable('', 'an object is expected');
  return mergeRecord(isRecord(target) ? target : {}, patch, rootContext(type), '');
}

const directive = '$patch';
const retain = '$retainKeys';
const orderPrefix = '$setElementOrder/';
const deletePrefix = '$deleteFromPrimitiveList/';

function mergeRecord(target: JsonRecord, patch: JsonRecord, context: MergeContext, path: string): JsonRecord {
  switch (ownValue(patch, directive)) {
    case undefined:
    case 'merge':
      break;
    case 'replace':
      return plainRecord(patch);
    case 'delete':
      return {};
    default:
      throw inapplicable(`${path}.${directive}`, 'is replace, delete or merge');
  }
  const result: Record<string, unknown> = { ...target };
  retainKeys(result, patch, path);
  for (const [key, value] of Object.entries(patch)) {
    if (isDirective(key)) continue;
    const under = path === '' ? key : `${path}.${key}`;
    if (value === null) delete result[key];
    else result[key] = mergeValue(ownValue(result, key), value, contextUnder(context, key), context.field, under);
  }
  editLists(result, target, patch, context, path);
  return result;
}

function mergeValue(
  target: unknown,
  patch: unknown,
  context: MergeContext,
  parentField: string,
  path: string,
): unknown {
  if (isRecord(patch)) return mergeRecord(isRecord(target) ? target : {}, patch, context, path);
  if (!isList(patch)) return patch;
  const strategy = listStrategy(context, parentField);
  const items = isList(target) ? target : [];
  if (strategy === undefined) return patch.map(withoutDirectives);
  if (strategy === 'set') return [...items, ...patch.filter((item) => !items.includes(item))];
  return mergeList(items, patch, strategy.key, itemContext(context), path);
}

/** Items with the same key are merged; new ones come behind. */
function mergeList(
  target: readonly unknown[],
  patch: readonly unknown[],
  key: string,
  context: MergeContext,
  path: string,
): readonly unknown[] {
  if (patch.some((item) => isRecord(item) && ownValue(item, directive) === 'replace'))
    return patch.filter((item) => !isRecord(item) || ownValue(item, directive) !== 'replace').map(withoutDirectives);
  const result = [...target];
  for (const [index, item] of patch.entries()) {
    if (!isRecord(item)) throw inapplicable(`${path}[${index}]`, 'an object is expected');
    const id = ownValue(item, key);
    if (id === undefined) throw inapplicable(`${path}[${index}]`, `the list is merged by ${key}, which is missing`);
    const found = result.findIndex((other) => isRecord(other) && ownValue(other, key) === id);
    if (ownValue(item, directive) === 'delete') {
      if (found !== -1) result.splice(found, 1);
      continue;
    }
    const old = result[found];
    const merged = mergeRecord(isRecord(old) ? old : {}, item, context, `${path}[${index}]`);
    if (found === -1) result.push(merged);
    else result[found] = merged;
  }
  return result;
}

/** What is not named goes; what is patched has to be named. */
function retainKeys(result: Record<string, unknown>, patch: JsonRecord, path: string): void {
  const names = ownValue(patch, retain);
  if (names === undefined) return;
  if (!Array.isArray(names)) throw inapplicable(`${path}.${retain}`, 'a list is expected');
  for (const key of Object.keys(result)) if (!names.includes(key)) delete result[key];
}

/** The directives that name a list beside which they stand. */
function editLists(
  result: Record<string, unknown>,
  target: JsonRecord,
  patch: JsonRecord,
  context: MergeContext,
  path: string,
): void {
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(deletePrefix)) {
      const name = key.slice(deletePrefix.length);
      if (!Array.isArray(value)) throw inapplicable(`${path}.${key}`, 'a list is expected');
      const list = ownValue(result, name);
      if (Array.isArray(list)) result[name] = list.filter((item) => !value.includes(item));
    }
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(orderPrefix)) {
      const name = key.slice(orderPrefix.length);
      if (!Array.isArray(value)) throw inapplicable(`${path}.${key}`, 'a list is expected');
      const list = ownValue(result, name);
      const before = ownValue(target, name);
      const strategy = listStrategy(contextUnder(context, name), context.field);
      if (Array.isArray(list)) result[name] = ordered(list, value, Array.isArray(before) ? before : [], strategy);
    }
  }
}

/** Items that `order` names come in its order; the others stay in front of what they stood in front of `before`. */
function ordered(
  list: readonly unknown[],
  order: readonly unknown[],
  before: readonly unknown[],
  strategy: ListStrategy,
): readonly unknown[] {
  const idOf = (item: unknown): unknown =>
    typeof strategy === 'object' && isRecord(item) ? ownValue(item, strategy.key) : item;
  const placeIn = (places: readonly unknown[], item: unknown): number =>
    places.findIndex((place) => isDeepStrictEqual(idOf(place), idOf(item)));
  const named = list
    .filter((item) => placeIn(order, item) !== -1)
    .sort((a, b) => placeIn(order, a) - placeIn(order, b));
  const others = list.filter((item) => placeIn(order, item) === -1);
  const result: unknown[] = [];
  for (const item of named) {
    // What is new stood nowhere: it comes at once.
    while (others.length > 0 && placeIn(before, others[0]) < placeIn(before, item)) result.push(others.shift());
    result.push(item);
  }
  return [...result, ...others];
}

/** What stands in a patch where nothing was before: nulls and directives mean nothing there. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => withoutDirectives(item));
  return isRecord(value) ? plainRecord(value) : value;
}

function plainRecord(record: JsonRecord): JsonRecord {
  return Object.fromEntries(
    Object.entries(record).flatMap(([key, item]) =>
      isDirective(key) || item === null ? [] : [[key, withoutDirectives(item)]],
    ),
  );
}

/** As `Array.isArray`, of nothing known. */
function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isDirective(key: string): boolean {
  return key === directive || key === retain || key.startsWith(orderPrefix) || key.startsWith(deletePrefix);
}

function inapplicable(field: string, why: string): Error {
  return resourceError('patch-inapplicable', {
    detail: `${field.replace(/^\./, '')}: ${why}`,
    causes: [{ field: field.replace(/^\./, ''), reason: 'FieldValueInvalid', message: why }],
  });
}
