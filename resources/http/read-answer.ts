import type { IncomingMessage, ServerResponse } from 'node:http';
import { systemClock, type Clock } from '../../base/index.ts';
import type { Access } from '../access.ts';
import type { ListQuery } from '../collection/collection.ts';
import { everything } from '../collection/selector.ts';
import type { ResourceApi } from '../engine/resource-api.ts';
import { sendAnswer, type AnswerHeaders } from './answer.ts';
import { sendList } from './list-answer.ts';
import { isWatch, parseGetQuery, parseListQuery, parseWatchQuery, type WatchParameters } from './list-query.ts';
import { answerFormOf } from './media-type.ts';
import { prettyJson } from './json-parts.ts';
import { QueryReader } from './query-reader.ts';
import { renderingOf, type Rendering } from './rendering.ts';
import type { ResourcePath } from './request-path.ts';
import { subresourceOf } from './subresource.ts';
import { WatchAnswer } from './watch-answer.ts';

/** A read that is to be answered from a `ResourceApi`. */
export interface ReadRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly api: ResourceApi;
  readonly access: Access;
  readonly path: ResourcePath;
  readonly query: URLSearchParams;
  /** What stands in the answer's head besides: `Age`, `Cache-Status`, `ETag`, `Warning`. A value may be several lines. */
  readonly headers?: AnswerHeaders;
  /** Default the machine's clock. */
  readonly clock?: Clock;
}

/**
 * Answers a GET of an object, a list or a watch, whatever the path and the query say, in the form that `Accept` asks for.
 * Resolves when the answer is out or its client is gone. Throws, with nothing sent, what `sendError` is for.
 */
export async function answerRead(read: ReadRequest): Promise<void> {
  if (isWatch(read.query)) return await answerWatch(read);
  return await (read.path.name === '' ? answerList(read) : answerGet(read));
}

/** The three that `answerRead` chooses from. */
export async function answerGet(read: ReadRequest): Promise<void> {
  const { response, api, access, path, query, headers } = read;
  const rendering = renderingFor(read, false);
  const at = parseGetQuery(query);
  const { json } = await api.get(access, path.namespace, path.name, at, subresourceOf(api.type, path));
  sendAnswer(response, 200, rendering.contentType, readable(rendering, rendering.object(json), query), headers);
}

export async function answerList(read: ReadRequest): Promise<void> {
  const { request, response, api, access, path, query, headers = {}, clock = systemClock } = read;
  const rendering = renderingFor(read, false);
  const { selector, at, limit, from } = parseListQuery(api.type, query);
  const listQuery: ListQuery = {
    ...placeOf(path),
    selector,
    at,
    limit,
    ...(from === undefined ? {} : { from }),
  };
  const page = await api.list(access, listQuery);
  // A count of what a selector or a policy leaves out would be a guess.
  const isSelected = selector.labels.length > 0 || selector.fields.length > 0;
  const { remaining: _remaining, ...uncounted } = page;
  await sendList({ request, response, rendering, page: isSelected ? uncounted : page, headers, clock });
}

/** Also of one object, whose name is in the path. */
export async function answerWatch(read: ReadRequest): Promise<void> {
  const { response, api, access, path, query, headers = {}, clock = systemClock } = read;
  const rendering = renderingFor(read, true);
  const parameters = parseWatchQuery(api.type, query);
  const { timeoutMs, bookmarks, initialEventsEnd } = parameters;
  const answer = new WatchAnswer({
    response,
    rendering,
    headers,
    timeoutMs,
    bookmarks,
    initialEventsEnd,
    clock,
  });
  const from = await startOf(read, parameters);
  const { labels, fields } = parameters.selector;
  const named = path.name === '' ? [] : [{ path: 'metadata.name', operator: '=', value: path.name } as const];
  const watchQuery = { ...placeOf(path), selector: { labels, fields: [...fields, ...named] }, from };
  await answer.run(await api.watch(access, watchQuery, answer.wake));
}

/** A watch that begins now begins at the version that a list has now; one that waits for a version, with a list that does. */
async function startOf({ api, access, path }: ReadRequest, { from, atLeast }: WatchParameters) {
  if (from !== 'now' && atLeast === undefined) return from;
  const at =
    atLeast === undefined ? ({ match: 'newest' } as const) : ({ match: 'not-older-than', version: atLeast } as const);
  const { version } = await api.list(access, { ...placeOf(path), selector: everything, at, limit: 1 });
  return from === 'now' ? version : from;
}

function renderingFor({ request, api, query }: ReadRequest, isWatchAnswer: boolean): Rendering {
  const form = answerFormOf(request.headers.accept, { isWatch: isWatchAnswer });
  const includeObject = new QueryReader(query).choice('includeObject', ['None', 'Metadata', 'Object']);
  return renderingOf(api.type, form, includeObject);
}

function readable({ contentType }: Rendering, body: Buffer, query: URLSearchParams): Buffer {
  return query.get('pretty') === 'true' && contentType === 'application/json' ? prettyJson(body) : body;
}

function placeOf({ namespace }: ResourcePath): { namespace?: string } {
  return namespace === '' ? {} : { namespace };
}
