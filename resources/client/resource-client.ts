import { errorOfStatus } from '../../api/index.ts';
import { CodedError, systemClock, type Clock } from '../../base/index.ts';
import { findMembers, hasKey } from '../collection/json-members.ts';
import type { KubeObject } from '../object.ts';
import { resourceError } from '../resource-error.ts';
import { exchange, readAll, type Exchange } from './exchange.ts';
import { ListSplitter, parseJson } from './list-splitter.ts';
import { isRecord } from './raw-object.ts';
import { resourcePath, type Query, type ResourcePlace, type ResourceRef } from './resource-ref.ts';
import type { AnswerHeaders, Transport } from './transport.ts';
import { watchLines } from './watch-lines.ts';

export interface ResourceClientOptions {
  readonly transport: Transport;
  /** Stands before every path: `/edges/edge-1/kube`. Default none. */
  readonly prefix?: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly limits?: Partial<ResourceClientLimits>;
  readonly clock?: Clock;
}

export interface ResourceClientLimits {
  /** An object, or one line of a watch. Default 4 MiB. */
  readonly maxObjectBytes: number;
  /** An answer that is no list of objects: a table, a document. Default 64 MiB. */
  readonly maxAnswerBytes: number;
  /** A list in one answer. Default 1 GiB: it is read piece by piece. */
  readonly maxListBytes: number;
  /** An answer without a byte for so long has failed. Default 30,000; for watches there is an option. */
  readonly silenceMs: number;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Parameters besides those that the call itself sets: `dryRun`, `fieldManager`. */
  readonly query?: Query;
}

export interface ListOptions extends CallOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** At most so many objects; the rest behind `continue`. */
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined;
}

export interface WatchOptions extends Omit<ListOptions, 'limit' | 'continue'> {
  /** Bookmarks are asked for. Default true. */
  readonly bookmarks?: boolean;
  /** The server ends the watch after so long. */
  readonly timeoutSeconds?: number;
  readonly sendInitialEvents?: boolean;
  /** The objects come as tables of one row. Default false. */
  readonly table?: boolean;
  /** Called when the server has taken the watch, before its first line. */
  readonly onOpen?: () => void;
  /** A watch that brings nothing for so long has failed. Default one hour. */
  readonly silenceMs?: number;
}

/** An answer as it came. */
export interface Answered<T> {
  readonly value: T;
  readonly headers: AnswerHeaders;
}

/** A list without its items. */
export interface ListHead {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface ObjectList extends ListHead {
  readonly items: readonly KubeObject[];
}

/** One line of a watch. */
export interface WatchLine {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  /** The JSON of the object as it came; good until the next line is asked for. */
  readonly bytes: Buffer;
  readonly object: Readonly<Record<string, unknown>>;
}

export type PatchType = 'merge' | 'json' | 'strategic' | 'apply';

const patchTypes: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

const defaults: ResourceClientLimits = {
  maxObjectBytes: 4 * 1024 * 1024,
  maxAnswerBytes: 64 * 1024 * 1024,
  maxListBytes: 1024 * 1024 * 1024,
  silenceMs: 30_000,
};
const WATCH_SILENCE_MS = 3_600_000;
/** Long work gives way after so long. */
const TURN_MS = 5;
/** A chunk is worked on in pieces of this size, between which the time is looked at. */
const PIECE_BYTES = 64 * 1024;
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

/**
 * A client of any API that speaks as Kubernetes does. A failure status throws the `CodedError` of the answer's
 * `Status`, with its HTTP status; besides, every call throws `answer-missing`, `answer-malformed`, `answer-too-large`,
 * `path-invalid`, and its signal's reason.
 */
export class ResourceClient {
  readonly #transport: Transport;
  readonly #prefix: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #limits: ResourceClientLimits;
  readonly #clock: Clock;

  constructor({ transport, prefix = '', headers = {}, limits = {}, clock = systemClock }: ResourceClientOptions) {
    this.#transport = transport;
    this.#prefix = prefix;
    this.#headers = headers;
    this.#limits = { ...defaults, ...limits };
    this.#clock = clock;
  }

  async get(ref: ResourceRef, place: ResourcePlace, options: CallOptions = {}): Promise<Answered<KubeObject>> {
    return objectIn(await this.json('GET', resourcePath(ref, place, options.query), options));
  }

  /** One answer's worth of a list: all of it, or with `limit` a page. */
  async list(ref: ResourceRef, options: ListOptions = {}): Promise<Answered<ObjectList>> {
    const items: KubeObject[] = [];
    const { value, headers } = await this.readList(ref, options, (item) => {
      const object = parseJson(item);
      if (!isObject(object)) throw resourceError('answer-malformed', { detail: 'an item without metadata' });
      items.push(object);
    });
    return { value: { ...value, items }, headers };
  }

  /**
   * As `list`; every item is given as the bytes that came, before the answer has ended. Only once this has resolved
   * they are a list.
   */
  async readList(ref: ResourceRef, options: ListOptions, onItem: (item: Buffer) => void): Promise<Answered<ListHead>> {
    const answer = await this.#open(
      'GET',
      resourcePath(ref, { namespace: options.namespace }, listQuery(options)),
      options,
    );
    const splitter = new ListSplitter({ maxItemBytes: this.#limits.maxObjectBytes, onItem });
    let bytes = 0;
    let since = performance.now();
    for await (const chunk of answer.body) {
      bytes += chunk.length;
      if (bytes > this.#limits.maxListBytes)
        throw resourceError('answer-too-large', { detail: `more than ${this.#limits.maxListBytes} bytes` });
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        splitter.push(chunk.subarray(at, at + PIECE_BYTES));
        if (performance.now() - since < TURN_MS) continue;
        await new Promise<void>((resolve) => this.#clock.afterInput(resolve));
        since = performance.now();
      }
    }
    const list = splitter.end();
    const { metadata, items } = list;
    if (!isRecord(metadata) || !('items' in list) || (items !== null && !Array.isArray(items)))
      throw resourceError('answer-malformed', { detail: 'no list' });
    return { value: { ...list, metadata }, headers: answer.headers };
  }

  /**
   * A list, or with a name an object, as the rows and columns that the server makes of it; what cannot be a table comes
   * as it is.
   */
  table(ref: ResourceRef, place: ResourcePlace, options: ListOptions = {}): Promise<Answered<unknown>> {
    const path = resourcePath(ref, { ...place, namespace: place.namespace ?? options.namespace }, listQuery(options));
    return this.json('GET', path, options, undefined, TABLE);
  }

  /**
   * What happens behind a version, until the server ends the watch. Throws the error that the server tells in it: with
   * status 410 what follows the version is not kept.
   */
  async *watch(ref: ResourceRef, options: WatchOptions = {}): AsyncGenerator<WatchLine, void, undefined> {
    const { bookmarks = true, timeoutSeconds, sendInitialEvents, table = false } = options;
    const query = {
      ...listQuery(options),
      watch: true,
      allowWatchBookmarks: bookmarks,
      timeoutSeconds,
      sendInitialEvents,
    };
    const path = resourcePath(ref, { namespace: options.namespace }, query);
    const silenceMs = options.silenceMs ?? WATCH_SILENCE_MS;
    const answer = await this.#open('GET', path, options, undefined, table ? TABLE : undefined, silenceMs);
    options.onOpen?.();
    for await (const line of watchLines(answer.body, this.#limits.maxObjectBytes)) yield readLine(line);
  }

  async create(
    ref: ResourceRef,
    namespace: string,
    object: unknown,
    options: CallOptions = {},
  ): Promise<Answered<KubeObject>> {
    return objectIn(
      await this.json('POST', resourcePath(ref, { namespace }, options.query), options, jsonBody(object)),
    );
  }

  /** Replaces an object. With a `resourceVersion` in it, only while it still has that: else 409. */
  async update(
    ref: ResourceRef,
    place: ResourcePlace,
    object: unknown,
    options: CallOptions = {},
  ): Promise<Answered<KubeObject>> {
    return objectIn(await this.json('PUT', resourcePath(ref, place, options.query), options, jsonBody(object)));
  }

  async patch(
    ref: ResourceRef,
    place: ResourcePlace,
    type: PatchType,
    patch: unknown,
    options: CallOptions = {},
  ): Promise<Answered<KubeObject>> {
    const body = { ...jsonBody(patch), type: patchTypes[type] };
    return objectIn(await this.json('PATCH', resourcePath(ref, place, options.query), options, body));
  }

  /** The object as it was or, while something keeps it, as it is; or a `Status`. */
  delete(
    ref: ResourceRef,
    place: ResourcePlace,
    options: CallOptions & { readonly body?: unknown } = {},
  ): Promise<Answered<unknown>> {
    const body = options.body === undefined ? undefined : jsonBody(options.body);
    return this.json('DELETE', resourcePath(ref, place, options.query), options, body);
  }

  /** Any document: discovery, a version. The path is taken as it is, behind the prefix. */
  async json(
    method: string,
    path: string,
    options: Omit<CallOptions, 'query'> = {},
    body?: Body,
    accept?: string,
  ): Promise<Answered<unknown>> {
    const answer = await this.#open(method, path, options, body, accept);
    return { value: parseJson(await readAll(answer.body, this.#limits.maxAnswerBytes)), headers: answer.headers };
  }

  async #open(
    method: string,
    path: string,
    { headers = {}, signal }: CallOptions,
    body?: Body,
    accept = 'application/json',
    silenceMs = this.#limits.silenceMs,
  ): Promise<Exchange> {
    const length = body === undefined ? {} : { 'content-type': body.type, 'content-length': String(body.bytes.length) };
    const answer = await exchange(
      this.#transport,
      {
        method,
        path: `${this.#prefix}${path}`,
        headers: { accept, ...length, ...this.#headers, ...headers },
        ...(body === undefined ? {} : { body: body.bytes }),
      },
      { clock: this.#clock, silenceMs, signal },
    );
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw await this.#failure(answer);
  }

  async #failure({ status, headers, body }: Exchange): Promise<CodedError> {
    const bytes = await readAll(body, this.#limits.maxObjectBytes).catch(() => Buffer.alloc(0));
    let error: CodedError | undefined;
    try {
      error = errorOfStatus(JSON.parse(bytes.toString('utf8')));
    } catch {
      // What answers without a Status is told below.
    }
    const retryAfter = Number(headers['retry-after'] ?? Number.NaN);
    const options = { status, ...(Number.isFinite(retryAfter) ? { retryAfterMs: retryAfter * 1000 } : {}) };
    // What the head says counts: by it others have handled the answer.
    if (error?.status === status) return error;
    if (error !== undefined)
      return new CodedError(error.code, error.message, { ...options, retryable: error.retryable });
    return new CodedError('answer-malformed', `HTTP ${status} without a Status`, {
      ...options,
      retryable: status === 429 || status === 503,
    });
  }
}

interface Body {
  readonly type: string;
  readonly bytes: Uint8Array;
}

function jsonBody(value: unknown): Body {
  return { type: 'application/json', bytes: Buffer.from(JSON.stringify(value)) };
}

function listQuery(options: ListOptions): Query {
  return {
    ...options.query,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    limit: options.limit,
    continue: options.continue,
    resourceVersion: options.resourceVersion,
    resourceVersionMatch: options.resourceVersionMatch,
  };
}

function readLine(line: Buffer): WatchLine {
  const event = parseJson(line);
  if (!isRecord(event) || !isRecord(event['object'])) throw resourceError('answer-malformed', { detail: 'no event' });
  const { type, object } = event;
  if (type === 'ERROR')
    throw errorOfStatus(object) ?? resourceError('answer-malformed', { detail: 'an ERROR event without a Status' });
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED' && type !== 'BOOKMARK')
    throw resourceError('answer-malformed', { detail: `an event of the type ${JSON.stringify(type)?.slice(0, 40)}` });
  // The last one, as for JSON.parse.
  const member = findMembers(line).members.findLast((each) => hasKey(line, each, 'object'));
  return { type, object, bytes: line.subarray(member?.valueAt, member?.end) };
}

function objectIn({ value, headers }: Answered<unknown>): Answered<KubeObject> {
  if (!isObject(value)) throw resourceError('answer-malformed', { detail: 'no object' });
  return { value, headers };
}

/** Enough to be handled as an object; the rest is what the API says it is. */
function isObject(value: unknown): value is KubeObject {
  return isRecord(value) && isRecord(value['metadata']);
}
