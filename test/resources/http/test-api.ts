import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { fullAccess, type Access } from '../../../resources/access.ts';
import type { WatchCacheOptions } from '../../../resources/collection/watch-cache.ts';
import { StoreFeed } from '../../../resources/collection/store-feed.ts';
import { ResourceApi } from '../../../resources/engine/resource-api.ts';
import { ResourceApis } from '../../../resources/engine/resource-apis.ts';
import type { ResourceHooks } from '../../../resources/engine/resource-hooks.ts';
import { ApiServer, type ApiServerOptions } from '../../../resources/http/api-server.ts';
import type { ResourceType } from '../../../resources/types/resource-type.ts';
import { openEmbeddedStore } from '../../../store/index.ts';
import { testTypes } from './test-types.ts';

export interface TestApiOptions extends Omit<ApiServerOptions, 'apis' | 'onError'> {
  readonly types?: readonly ResourceType[];
  /** By the resource's name. */
  readonly hooks?: Readonly<Record<string, ResourceHooks>>;
  readonly access?: Access;
  readonly cache?: WatchCacheOptions;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON. */
  readonly json: unknown;
  /** What stands at a path of it: see `pick`. */
  pick(path: string): unknown;
}

export interface Call {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A whole API over an embedded store in memory, on plain loopback HTTP; it ends with the test. */
export class TestApi {
  readonly apis: ResourceApis;
  readonly port: number;
  /** What was answered with 500, or failed in the background. */
  readonly faults: unknown[];

  static async start(t: Pick<Test, 'teardown'>, options: TestApiOptions = {}): Promise<TestApi> {
    const {
      types = testTypes,
      hooks = {},
      access = fullAccess('operator/test'),
      cache = {},
      ...serverOptions
    } = options;
    const faults: unknown[] = [];
    const onError = (error: unknown): void => void faults.push(error);
    const store = openEmbeddedStore();
    const feed = new StoreFeed({ store, onFault: onError });
    await feed.start();
    const apis = new ResourceApis({ onBackgroundError: onError });
    for (const type of types) {
      const own = hooks[type.resource];
      const collection = await feed.collection(type, cache);
      apis.add(new ResourceApi({ collection, type, ...(own === undefined ? {} : { hooks: own }) }));
    }
    const server = new ApiServer({ ...serverOptions, apis, onError });
    const listener = createServer((request, response) => {
      server.answer(request, response, request.url ?? '', access).then((isKnown) => {
        if (!isKnown) response.writeHead(404).end('none of a Kubernetes API');
      }, onError);
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    t.teardown(async () => {
      const closed = new Promise((resolve) => listener.close(resolve));
      listener.closeAllConnections();
      await closed;
      await apis.settled();
      feed.close();
      await store.close();
    });
    return new TestApi(apis, (listener.address() as AddressInfo).port, faults);
  }

  private constructor(apis: ResourceApis, port: number, faults: unknown[]) {
    this.apis = apis;
    this.port = port;
    this.faults = faults;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The resource by its name. */
  resource(name: string): ResourceApi {
    for (const api of this.apis) if (api.type.resource === name) return api;
    throw new Error(`no ${name}`);
  }

  /** A string or a Buffer is sent as it is, anything else as JSON. */
  async call(method: string, path: string, { body, headers = {} }: Call = {}): Promise<Answer> {
    const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
    const bytes = isRaw ? body : JSON.stringify(body);
    const isCounted = bytes !== undefined && headers['transfer-encoding'] === undefined;
    const sent: Record<string, string> = {
      ...(bytes === undefined ? {} : { 'content-type': 'application/json' }),
      // Node sends a body with DELETE only when it is told its length.
      ...(isCounted ? { 'content-length': String(Buffer.byteLength(bytes)) } : {}),
      ...headers,
    };
    return await new Promise((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port: this.port, path, method, headers: sent, agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const all = Buffer.concat(chunks);
            const answer = { status: response.statusCode ?? 0, headers: response.headers, bytes: all };
            resolve({
              ...answer,
              get text() {
                return all.toString();
              },
              get json(): unknown {
                return parse(all);
              },
              pick(path) {
                return pick(parse(all), path);
              },
            });
          });
        },
      );
      request.on('error', reject);
      request.end(bytes);
    });
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return await this.call('GET', path, { headers });
  }
}

export const widgets = '/apis/example.com/v1/namespaces/default/widgets';
export const configMaps = '/api/v1/namespaces/default/configmaps';
export const pods = '/api/v1/namespaces/default/pods';

export function widget(name: string, spec: object = { color: 'red' }, metadata: object = {}) {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name, ...metadata }, spec };
}

export function configMap(name: string, data: object = {}, metadata: object = {}) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

export function pod(name: string, spec: object = {}, metadata: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { containers: [{ name: 'main', image: 'nginx:1' }], ...spec },
  };
}

function parse(bytes: Buffer): unknown {
  const value: unknown = JSON.parse(bytes.toString());
  return value;
}

/** What stands at a path of parsed JSON: `items.*.metadata.name` is a list of all their names. */
export function pick(value: unknown, path: string): unknown {
  const [key = '', ...rest] = path.split('.');
  const more = rest.join('.');
  const go = (item: unknown): unknown => (more === '' ? item : pick(item, more));
  if (key === '*') return Array.isArray(value) ? value.map(go) : undefined;
  return typeof value === 'object' && value !== null ? go((value as Record<string, unknown>)[key]) : undefined;
}
