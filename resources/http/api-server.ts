import type { IncomingMessage, ServerResponse } from 'node:http';
import type { StatusSubject } from '../../api/index.ts';
import { CodedError, systemClock, type Clock } from '../../base/index.ts';
import type { Access } from '../access.ts';
import type { ResourceApi } from '../engine/resource-api.ts';
import type { ResourceApis } from '../engine/resource-apis.ts';
import { resourceError } from '../resource-error.ts';
import { ApiDocuments } from '../types/api-documents.ts';
import { qualifiedName, type ResourceType } from '../types/resource-type.ts';
import { abortAnswer, sendAnswer, sendError, type AnswerHeaders } from './answer.ts';
import { answerRead } from './read-answer.ts';
import { parseRequestPath, type DocumentPath, type ResourcePath } from './request-path.ts';
import { answerWrite, type WriteVerb } from './write-answer.ts';

export interface ApiServerOptions {
  readonly apis: ResourceApis;
  /** A longer body is refused with 413. Default 3 MiB, as Kubernetes. */
  readonly maxBodyBytes?: number;
  /** Our own release, for `/version`. Default `0.0.0`. */
  readonly version?: string;
  readonly clock?: Clock;
  /** Told the name of the object that a write makes, which its path does not say. */
  readonly onNamed?: (request: IncomingMessage, name: string) => void;
  /** Told of what is a fault of ours: it was answered with 500. */
  readonly onError?: (error: unknown) => void;
}

/** The release of Kubernetes whose API this is like: kubectl compares it with its own. */
export const kubernetesRelease = '1.32';
/** A longer request target is refused before it is looked at. */
const maxTargetLength = 64 * 1024;
/** How long what is left of a refused body is still read, so that its client comes to read the answer. */
const lingerMs = 5_000;

/** The Kubernetes HTTP API of one place. It has no listener: whoever has one gives it requests. */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #documents: ApiDocuments;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    const { apis, version = '0.0.0' } = options;
    this.#documents = new ApiDocuments(apis.types, { kubernetes: kubernetesRelease, causeway: version });
  }

  /**
   * Answers a request; `target` is its path and query below the prefix that the API is served at (`/api/v1/pods?limit=5`).
   * False, with nothing done, when the path is none of a Kubernetes API (`/healthz`). Errors are answered, never thrown.
   */
  async answer(request: IncomingMessage, response: ServerResponse, target: string, access: Access): Promise<boolean> {
    let subject: StatusSubject = {};
    let type: ResourceType | undefined;
    try {
      if (target.length > maxTargetLength)
        throw resourceError('request-invalid', { detail: `a path of more than ${maxTargetLength} characters` });
      const [pathText, queryText] = split(target);
      const path = parseRequestPath(pathText);
      if (path === undefined) return false;
      if (path.kind === 'document') this.#answerDocument(request, response, path);
      else {
        subject = subjectOf(path, path.name);
        const api = this.#apiAt(path);
        type = api.type;
        await this.#answerResource(request, response, api, access, path, new URLSearchParams(queryText), (name) => {
          subject = subjectOf(path, name);
          this.#options.onNamed?.(request, name);
        });
      }
    } catch (error) {
      this.#fail(request, response, error, subject, type);
    }
    return true;
  }

  async #answerResource(
    request: IncomingMessage,
    response: ServerResponse,
    api: ResourceApi,
    access: Access,
    path: ResourcePath,
    query: URLSearchParams,
    onName: (name: string) => void,
  ): Promise<void> {
    const { clock = systemClock, maxBodyBytes } = this.#options;
    const method = request.method ?? 'GET';
    if (method === 'GET' || method === 'HEAD')
      return await answerRead({ request, response, api, access, path, query, clock });
    const body = { clock, ...(maxBodyBytes === undefined ? {} : { maxBytes: maxBodyBytes }) };
    await answerWrite(verbOf(method, api, path), { request, response, api, access, path, query, body, clock, onName });
  }

  #answerDocument(request: IncomingMessage, response: ServerResponse, { path }: DocumentPath): void {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw resourceError('verb-unsupported', { detail: `${request.method ?? ''} ${path.slice(0, 200)}` });
    const found = this.#documents.get(path, request.headers.accept);
    if (found === undefined) throw resourceError('resource-unknown', { detail: path.slice(0, 200) });
    if (found === 'unacceptable')
      throw resourceError('media-type-unacceptable', { detail: (request.headers.accept ?? '').slice(0, 200) });
    const { contentType, body, etag } = found;
    const headers = { ETag: etag, Vary: 'Accept' };
    if (isMatch(request.headers['if-none-match'], etag)) {
      response.writeHead(304, headers);
      response.end();
    } else sendAnswer(response, 200, contentType, body, headers);
  }

  #apiAt(path: ResourcePath): ResourceApi {
    const { group, version, resource, namespace } = path;
    const api = this.#options.apis.find(group, version, resource);
    const isPlaced = api !== undefined && (namespace === '' || api.type.namespaced);
    if (isPlaced && (path.name === '' || namespace !== '' || !api.type.namespaced)) return api;
    const named = qualifiedName({ group, resource }).slice(0, 200);
    throw resourceError('resource-unknown', {
      detail: api === undefined ? `${named} in version ${version.slice(0, 100)}` : `${named} at this path`,
    });
  }

  #fail(
    request: IncomingMessage,
    response: ServerResponse,
    error: unknown,
    subject: StatusSubject,
    type: ResourceType | undefined,
  ): void {
    if (!(error instanceof CodedError) || error.code === 'internal') this.#options.onError?.(error);
    const headers: AnswerHeaders =
      error instanceof CodedError && error.status === 405 && type !== undefined ? { Allow: allowed(type) } : {};
    const isInvalid = error instanceof CodedError && error.code === 'object-invalid' && type !== undefined;
    // kubectl shows the kind of an invalid object, and of others the resource.
    sendError(response, error, isInvalid ? { ...subject, kind: type.kind } : subject, headers);
    if (!request.complete) this.#linger(request, response);
  }

  /** The rest of a body that nobody reads is thrown away, for a while. */
  #linger(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const timer = (this.#options.clock ?? systemClock).after(lingerMs, () => {
      if (!request.complete) abortAnswer(response);
    });
    request.once('close', () => timer.cancel());
  }
}

const collectionVerbs: Readonly<Record<string, WriteVerb>> = { POST: 'create', DELETE: 'deletecollection' };
const objectVerbs: Readonly<Record<string, WriteVerb>> = { PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

function verbOf(method: string, { type }: ResourceApi, { name, namespace }: ResourcePath): WriteVerb {
  const verbs = name === '' ? collectionVerbs : objectVerbs;
  const verb = Object.hasOwn(verbs, method) ? verbs[method] : undefined;
  // What belongs to a namespace is made in one.
  if (verb === undefined || (verb === 'create' && type.namespaced && namespace === ''))
    throw resourceError('verb-unsupported', { detail: `${method.slice(0, 20)} ${qualifiedName(type)} at this path` });
  return verb;
}

/** Of the resource as a whole, since which path was meant is not known for sure. */
function allowed({ verbs }: ResourceType): string {
  const methods = { create: 'POST', update: 'PUT', patch: 'PATCH', delete: 'DELETE', deletecollection: 'DELETE' };
  const writes = Object.entries(methods).flatMap(([verb, method]) =>
    verbs.some((one) => one === verb) ? [method] : [],
  );
  return [...new Set(['GET', 'HEAD', ...writes])].join(', ');
}

function subjectOf({ group, resource }: ResourcePath, name: string): StatusSubject {
  return {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind: resource,
  };
}

function isMatch(header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

function split(target: string): readonly [string, string] {
  const at = target.indexOf('?');
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}
