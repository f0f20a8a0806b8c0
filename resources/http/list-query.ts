import { randomInt } from 'node:crypto';
import type { PagePosition, VersionWish } from '../collection/collection.ts';
import { parseFieldSelector } from '../collection/field-selector.ts';
import { parseLabelSelector } from '../collection/label-selector.ts';
import type { Selector } from '../collection/selector.ts';
import type { ResourceType } from '../types/resource-type.ts';
import { parseContinueToken } from './continue-token.ts';
import { forbiddenParameter, invalidParameter, QueryReader } from './query-reader.ts';

/** The query of a list, as `metav1.ListOptions` has it, checked. */
export interface ListParameters {
  readonly selector: Selector;
  readonly at: VersionWish;
  /** 0: all. */
  readonly limit: number;
  readonly from: PagePosition | undefined;
}

/** The query of a watch. */
export interface WatchParameters {
  readonly selector: Selector;
  /** As `WatchQuery.from`; `now`: only what changes after this moment. */
  readonly from: number | 'any' | 'newest' | 'now';
  /** Where objects that there are come first: as of this version or a later one. */
  readonly atLeast: number | undefined;
  readonly bookmarks: boolean;
  /** Whether a bookmark marks the end of the initial events. */
  readonly initialEventsEnd: boolean;
  readonly timeoutMs: number;
}

/** A watch without `timeoutSeconds` ends after a random time between this and twice as much, so that not all end at once. */
const defaultWatchSeconds = 30 * 60;
/** What a timer takes. */
const maxWatchSeconds = 2 ** 31 / 1000 - 1;

/** Selectors of a `ResourceType` see its `selectableFields`. */
type Selectable = Pick<ResourceType, 'selectableFields'>;

export function isWatch(query: URLSearchParams): boolean {
  return new QueryReader(query).flag('watch') === true;
}

/** Throws `request-invalid` naming the parameter, `parameters-conflict`, `selector-invalid`. */
export function parseListQuery(type: Selectable, query: URLSearchParams): ListParameters {
  const reader = new QueryReader(query);
  const selector = selectorOf(type, reader);
  const limit = reader.count('limit') ?? 0;
  const token = reader.text('continue');
  const { version, match } = versionOf(reader);
  if (reader.flag('sendInitialEvents') !== undefined)
    throw forbiddenParameter('sendInitialEvents', 'a list has no events');
  if (match !== undefined && version === undefined)
    throw forbiddenParameter('resourceVersionMatch', 'only with resourceVersion');
  if (match !== undefined && token !== undefined)
    throw forbiddenParameter('resourceVersionMatch', 'not with continue, which has its own version');
  if (match === 'Exact' && version === 0)
    throw forbiddenParameter('resourceVersionMatch', 'Exact is not for resourceVersion 0');
  if (token !== undefined && version !== undefined && version !== 0)
    throw invalidParameter('resourceVersion', String(version), 'not with continue, which has its own version');
  return {
    selector,
    limit,
    at: token === undefined ? wishOf(version, match, limit) : { match: 'newest' },
    from: token === undefined ? undefined : parseContinueToken(token),
  };
}

/** Throws as `parseListQuery`. */
export function parseWatchQuery(type: Selectable, query: URLSearchParams): WatchParameters {
  const reader = new QueryReader(query);
  const selector = selectorOf(type, reader);
  const bookmarks = reader.flag('allowWatchBookmarks') ?? false;
  const initial = reader.flag('sendInitialEvents');
  const seconds = reader.count('timeoutSeconds') ?? 0;
  const { version, match } = versionOf(reader);
  if (initial !== undefined && match !== 'NotOlderThan')
    throw forbiddenParameter('resourceVersionMatch', 'NotOlderThan has to stand beside sendInitialEvents');
  if (match !== undefined && initial === undefined)
    throw forbiddenParameter('resourceVersionMatch', 'only with sendInitialEvents in a watch');
  if (reader.text('continue') !== undefined) throw forbiddenParameter('continue', 'a watch has no pages');
  return {
    selector,
    bookmarks,
    from: startOf(version, initial),
    atLeast: initial === true && version !== undefined && version > 0 ? version : undefined,
    initialEventsEnd: initial === true && bookmarks,
    timeoutMs:
      1000 *
      (seconds === 0 ? randomInt(defaultWatchSeconds, 2 * defaultWatchSeconds) : Math.min(seconds, maxWatchSeconds)),
  };
}

/** `resourceVersion` of a get. Throws `request-invalid`. */
export function parseGetQuery(query: URLSearchParams): VersionWish {
  return wishOf(versionOf(new QueryReader(query)).version, undefined, 0);
}

function selectorOf(type: Selectable, reader: QueryReader): Selector {
  return {
    labels: reader.parsed('labelSelector', parseLabelSelector) ?? [],
    fields: reader.parsed('fieldSelector', (text) => parseFieldSelector(text, type)) ?? [],
  };
}

function versionOf(reader: QueryReader) {
  return {
    version: reader.count('resourceVersion'),
    match: reader.choice('resourceVersionMatch', ['Exact', 'NotOlderThan']),
  };
}

/** As Kubernetes reads the two; a limit beside a version means exactly that version, since pages of others would not fit together. */
function wishOf(version: number | undefined, match: 'Exact' | 'NotOlderThan' | undefined, limit: number): VersionWish {
  if (version === undefined) return { match: 'newest' };
  if (version === 0) return { match: 'any' };
  if (match === 'Exact' || (match === undefined && limit > 0)) return { match: 'exact', version };
  return { match: 'not-older-than', version };
}

function startOf(version: number | undefined, initial: boolean | undefined): WatchParameters['from'] {
  if (initial === true) return version === 0 ? 'any' : 'newest';
  if (version === undefined) return initial === false ? 'now' : 'newest';
  if (version === 0) return initial === false ? 'now' : 'any';
  return version;
}
