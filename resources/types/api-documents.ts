import { createHash } from 'node:crypto';

import {
  aggregatedDiscovery,
  aggregatedMediaType,
  coreVersions,
  groupDocument,
  groupList,
  resourceList,
  versionDocument,
  type AggregatedVersion,
  type ApiVersionInfo,
} from './discovery.ts';
import { encodeSwagger, swaggerMediaType, swaggerProtobufTypes } from './openapi-proto.ts';
import { openApiV2, type SwaggerDocument } from './openapi-v2.ts';
import { openApiV3, openApiV3Index } from './openapi-v3.ts';
import { apiVersionOf } from './resource-type.ts';
import type { TypeRegistry } from './type-registry.ts';

/** A document as it goes out. */
export interface ApiDocument {
  readonly contentType: string;
  readonly body: Buffer;
  /** With its quotes; changes with the body. */
  readonly etag: string;
}

/**
 * Everything that an API says about itself: `/version`, `/api...` and `/apis...` down to the group and version, `/openapi/...`. Documents
 * are made when they are first asked for and kept until the registry changes.
 */
export class ApiDocuments {
  readonly #registry: TypeRegistry;
  readonly #info: ApiVersionInfo;
  #documents = new Map<string, ApiDocument | undefined>();
  #swagger: SwaggerDocument | undefined;
  #generation = 0;

  constructor(registry: TypeRegistry, info: ApiVersionInfo) {
    this.#registry = registry;
    this.#info = info;
  }

  /**
   * The document at a path without its query, in the form that suits an Accept header best. Undefined: there is none at this
   * path. `unacceptable`: none in a form that is accepted.
   */
  get(path: string, accept = ''): ApiDocument | 'unacceptable' | undefined {
    if (this.#generation !== this.#registry.generation) {
      this.#generation = this.#registry.generation;
      this.#documents = new Map();
      this.#swagger = undefined;
    }
    const parts = path.split('/').slice(1);
    if (parts.at(-1) === '') parts.pop();
    const form = formFor(parts, accept);
    const key = `${form ?? ''} ${parts.join('/')}`;
    let document = this.#documents.get(key);
    if (document === undefined) {
      document = this.#make(parts, form ?? 'json');
      // What is not there is not kept: anybody may ask for anything.
      if (document !== undefined) this.#documents.set(key, document);
    }
    return document !== undefined && form === undefined ? 'unacceptable' : document;
  }

  #make(parts: readonly string[], form: Form): ApiDocument | undefined {
    const [root, second, third] = parts;
    if (root === 'openapi') return this.#makeOpenApi(parts.slice(1), form);
    if (root === 'version' && parts.length === 1) return jsonDocument(versionDocument(this.#info));
    if (root === 'api' && parts.length <= 2)
      return second === undefined
        ? this.#makeRoot('api', form)
        : jsonDocument(resourceList(this.#registry, '', second));
    if (root !== 'apis' || parts.length > 3) return undefined;
    if (second === undefined) return this.#makeRoot('apis', form);
    if (second === '') return undefined;
    return jsonDocument(
      third === undefined ? groupDocument(this.#registry, second) : resourceList(this.#registry, second, third),
    );
  }

  #makeRoot(root: 'api' | 'apis', form: Form): ApiDocument | undefined {
    if (form === 'v2' || form === 'v2beta1')
      return jsonDocument(aggregatedDiscovery(this.#registry, form, root), aggregatedMediaType(form));
    return jsonDocument(root === 'api' ? coreVersions(this.#registry) : groupList(this.#registry));
  }

  #makeOpenApi([version, ...rest]: readonly string[], form: Form): ApiDocument | undefined {
    if (version === 'v2' && rest.length === 0) {
      this.#swagger ??= openApiV2(this.#registry.types(), this.#title());
      if (form !== 'protobuf') return jsonDocument(this.#swagger);
      return documentOf(encodeSwagger(this.#swagger), swaggerMediaType);
    }
    if (version !== 'v3') return undefined;
    if (rest.length === 0) return jsonDocument(openApiV3Index(this.#openApiV3Bodies()));
    const isCore = rest[0] === 'api' && rest.length === 2;
    if (!isCore && !(rest[0] === 'apis' && rest.length === 3)) return undefined;
    const types = this.#registry.types(isCore ? '' : rest[1], rest.at(-1));
    return types.length === 0 ? undefined : jsonDocument(openApiV3(types, this.#title()));
  }

  #openApiV3Bodies(): ReadonlyMap<string, Buffer> {
    const bodies = new Map<string, Buffer>();
    for (const { name: group, versions } of this.#registry.groups()) {
      for (const version of versions) {
        const name = `${group === '' ? 'api' : 'apis'}/${apiVersionOf({ group, version })}`;
        const document = this.get(`/openapi/v3/${name}`, 'application/json');
        if (typeof document === 'object') bodies.set(name, document.body);
      }
    }
    return bodies;
  }

  #title() {
    return { title: 'Causeway', version: this.#info.causeway };
  }
}

type Form = 'json' | 'protobuf' | AggregatedVersion;

/** The first of the accepted forms that there is at such a path; undefined when none is. Weights are not looked at: nobody uses them here. */
function formFor(parts: readonly string[], accept: string): Form | undefined {
  if (accept.trim() === '') return 'json';
  const isRoot = parts.length === 1 && (parts[0] === 'api' || parts[0] === 'apis');
  const isSwagger = parts.join('/') === 'openapi/v2';
  for (const range of accept.split(',', 32)) {
    const [media = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    if (isSwagger && swaggerProtobufTypes.some((type) => type.toLowerCase() === media)) return 'protobuf';
    if (!['application/json', 'application/*', '*/*'].includes(media)) continue;
    const asWhat = parameters.find((parameter) => parameter.startsWith('as='));
    if (asWhat === undefined) return 'json';
    if (!isRoot || asWhat !== 'as=apigroupdiscoverylist' || !parameters.includes('g=apidiscovery.k8s.io')) continue;
    if (parameters.includes('v=v2')) return 'v2';
    if (parameters.includes('v=v2beta1')) return 'v2beta1';
  }
  return undefined;
}

function jsonDocument(value: object | undefined, contentType = 'application/json'): ApiDocument | undefined {
  return value === undefined ? undefined : documentOf(Buffer.from(`${JSON.stringify(value)}\n`), contentType);
}

function documentOf(body: Buffer, contentType: string): ApiDocument {
  return { contentType, body, etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"` };
}
