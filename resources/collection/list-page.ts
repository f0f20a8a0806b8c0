import type { Clock } from '../../base/index.ts';
import { wanting } from './cache-watch.ts';
import type { HeldObject, ListPage, ListQuery } from './collection.ts';
import { compareKeys, keyBehind, namespaceEnd, type ObjectKey, type ObjectSnapshot } from './sorted-objects.ts';
import { maxTurnMs, nextTurn } from './turns.ts';

/** Objects as of one version. */
export interface CollectionState {
  readonly version: number;
  readonly objects: ObjectSnapshot;
}

/** The page of a list that a query asks for. However many objects there are, others have their turn meanwhile. */
export async function readPage(
  { version, objects }: CollectionState,
  query: ListQuery,
  isNamespaced: boolean,
  clock: Clock,
): Promise<ListPage> {
  const { limit = 0, visible, selector } = query;
  const isUnfiltered = visible === undefined && selector.labels.length === 0 && selector.fields.length === 0;
  const { start, end } = boundsOf(query, isNamespaced);
  if (isUnfiltered && limit === 0 && start === undefined) return { version, objects: objects.chunks.flat() };

  const wants = wanting(query);
  const found: HeldObject[] = [];
  const cursor = objects.cursor(start);
  let began = clock.now();
  for (let looks = 1; ; looks++) {
    const { object } = cursor;
    if (object === undefined || (end !== undefined && compareKeys(object, end) >= 0))
      return { version, objects: found };
    if (wants(object)) {
      const last = found.at(-1);
      if (last !== undefined && found.length === limit) {
        const next = { version, namespace: last.namespace, name: last.name };
        if (!isUnfiltered) return { version, objects: found, next };
        const all = end === undefined ? objects.size : objects.countBefore(end);
        return { version, objects: found, next, remaining: all - objects.countBefore(object) };
      }
      found.push(object);
    }
    cursor.move();
    if (looks % 1024 === 0 && clock.now() - began > maxTurnMs) {
      await nextTurn(clock);
      began = clock.now();
    }
  }
}

/** The first key that a query is about, and the first behind; undefined: of all. */
function boundsOf(
  { namespace, selector, from }: ListQuery,
  isNamespaced: boolean,
): { readonly start: ObjectKey | undefined; readonly end: ObjectKey | undefined } {
  const place = isNamespaced ? namespace : '';
  const named = selector.fields.find(({ path, operator }) => path === 'metadata.name' && operator === '=');
  let start: ObjectKey | undefined;
  let end: ObjectKey | undefined;
  if (named !== undefined && place !== undefined) {
    start = { namespace: place, name: named.value };
    end = keyBehind(start);
  } else if (namespace !== undefined) {
    start = { namespace, name: '' };
    end = namespaceEnd(namespace);
  }
  if (from === undefined) return { start, end };
  const behind = keyBehind(from);
  return { start: start === undefined || compareKeys(behind, start) > 0 ? behind : start, end };
}
