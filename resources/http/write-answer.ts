import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../base/index.ts';
import type { Access } from '../access.ts';
import type { HeldObject, ListPage, ListQuery } from '../collection/collection.ts';
import type { Subresource } from '../engine/object-rules.ts';
import type { ResourceApi } from '../engine/resource-api.ts';
import type { Deleted, Written } from '../engine/written.ts';
import { sendAnswer, warningHeaders } from './answer.ts';
import { prettyJson } from './json-parts.ts';
import { sendList } from './list-answer.ts';
import { parseListQuery } from './list-query.ts';
import { answerFormOf } from './media-type.ts';
import { renderingOf, type Rendering } from './rendering.ts';
import { parseJsonBody, parseObjectBody, patchTypeOf, readBody, type BodyOptions } from './request-body.ts';
import type { ResourcePath } from './request-path.ts';
import { subresourceOf } from './subresource.ts';
import { parseDeleteOptions, parseWriteQuery } from './write-query.ts';

/** A write that is to be done by a `ResourceApi`, and answered. */
export interface WriteRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly api: ResourceApi;
  readonly access: Access;
  readonly path: ResourcePath;
  readonly query: URLSearchParams;
  readonly body: BodyOptions;
  readonly clock: Clock;
  /** Told the name that the body gives its object, as soon as it is known: errors are about it. */
  readonly onName: (name: string) => void;
}

/** What a method does to a path. */
export type WriteVerb = 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/**
 * Does one write and answers it. What can be refused without the body is refused before it is read. Throws, with nothing sent,
 * what `sendError` is for.
 */
export async function answerWrite(verb: WriteVerb, write: WriteRequest): Promise<void> {
  const { request, api, path } = write;
  const subresource = subresourceOf(api.type, path);
  if (!api.supports(verb) || (subresource !== '' && verb !== 'update' && verb !== 'patch')) throw api.unsupported(verb);
  const rendering = renderingOf(api.type, answerFormOf(request.headers.accept));
  switch (verb) {
    case 'create':
      return await create(write, rendering);
    case 'update':
      return await update(write, rendering, subresource);
    case 'patch':
      return await patch(write, rendering, subresource);
    case 'delete':
      return await remove(write, rendering);
    case 'deletecollection':
      return await removeAll(write, rendering);
  }
}

async function create(write: WriteRequest, rendering: Rendering): Promise<void> {
  const { api, access, path, query } = write;
  const options = parseWriteQuery(query);
  const object = await readObject(write);
  answerWritten(write, rendering, 201, await api.create(access, path.namespace, object, options));
}

async function update(write: WriteRequest, rendering: Rendering, subresource: Subresource): Promise<void> {
  const { api, access, path, query } = write;
  const options = { ...parseWriteQuery(query), subresource };
  const object = await readObject(write);
  answerWritten(write, rendering, 200, await api.update(access, path.namespace, path.name, object, options));
}

async function patch(write: WriteRequest, rendering: Rendering, subresource: Subresource): Promise<void> {
  const { request, api, access, path, query, body } = write;
  const options = { ...parseWriteQuery(query), subresource };
  const type = patchTypeOf(request.headers['content-type']);
  const value = parseJsonBody(await readBody(request, body));
  const written = await api.patch(access, path.namespace, path.name, { type, value }, options);
  answerWritten(write, rendering, 200, written);
}

async function remove(write: WriteRequest, rendering: Rendering): Promise<void> {
  const { response, api, access, path, query } = write;
  const options = parseDeleteOptions(query, await readOptions(write));
  const deleted = await api.delete(access, path.namespace, path.name, options);
  if (!deleted.gone) return answerWritten(write, rendering, 200, deleted);
  sendAnswer(response, 200, 'application/json', Buffer.from(JSON.stringify(successOf(api, deleted))));
}

async function removeAll(write: WriteRequest, rendering: Rendering): Promise<void> {
  const { request, response, api, access, path, query, clock } = write;
  const { selector, at, limit, from } = parseListQuery(api.type, query);
  const options = parseDeleteOptions(query, await readOptions(write));
  const listQuery: ListQuery = {
    selector,
    at,
    ...(path.namespace === '' ? {} : { namespace: path.namespace }),
    ...(limit === 0 ? {} : { limit }),
    ...(from === undefined ? {} : { from }),
  };
  const deleted = await api.deleteCollection(access, listQuery, options);
  const page: ListPage = { version: versionOf(deleted), objects: deleted.map(heldOf) };
  await sendList({ request, response, rendering, page, headers: {}, clock });
}

async function readObject({ request, body, onName }: WriteRequest): Promise<unknown> {
  const value = parseObjectBody(request.headers['content-type'], await readBody(request, body));
  onName(nameIn(value));
  return value;
}

/** A delete needs no body, and many send none. */
async function readOptions({ request, body }: WriteRequest): Promise<unknown> {
  const bytes = await readBody(request, body);
  return bytes.length === 0 ? undefined : parseObjectBody(request.headers['content-type'], bytes);
}

function answerWritten(write: WriteRequest, rendering: Rendering, status: number, { json, warnings }: Written): void {
  const body = rendering.object(json);
  const isPretty = write.query.get('pretty') === 'true' && rendering.contentType === 'application/json';
  sendAnswer(
    write.response,
    status,
    rendering.contentType,
    isPretty ? prettyJson(body) : body,
    warningHeaders(warnings),
  );
}

/** The Status of a delete that is done. kubectl waits for the end of the object with this uid. */
function successOf({ type }: ResourceApi, deleted: Deleted): object {
  const { name, uid } = deleted.object().metadata;
  const group = type.group === '' ? {} : { group: type.group };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...group, kind: type.resource, uid },
  };
}

function heldOf(deleted: Deleted): HeldObject {
  const { metadata } = deleted.object();
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    version: Number(metadata.resourceVersion ?? 0),
    json: deleted.json,
    labels: metadata.labels ?? {},
    fields: {},
  };
}

function versionOf(deleted: readonly Deleted[]): number {
  return Math.max(0, ...deleted.map((one) => Number(one.object().metadata.resourceVersion ?? 0)));
}

function nameIn(value: unknown): string {
  const metadata = typeof value === 'object' && value !== null && 'metadata' in value ? value.metadata : undefined;
  const name = typeof metadata === 'object' && metadata !== null && 'name' in metadata ? metadata.name : undefined;
  return typeof name === 'string' ? name.slice(0, 253) : '';
}
