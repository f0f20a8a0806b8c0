import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { formatYaml } from '../../base/index.ts';
import { apiServerTls, loadKeyStore } from '../../certs/index.ts';
import {
  ApiServer,
  embeddedTypes,
  fullAccess,
  ResourceApi,
  ResourceApis,
  StoreFeed,
  type ResourceType,
} from '../../resources/index.ts';
import { Api } from '../../sdk/index.ts';
import { openEmbeddedStore } from '../../store/index.ts';
import { TestFleet } from './certificates.ts';
import { temporaryFolder } from './program.ts';

/** What happens to a request before it is answered; true: it was answered here. */
export type Interception = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Replicas in little: our own engine over a store in memory, behind mTLS, at the prefixes of a replica. The fleet's own
 * API and that of `edge-1` are two APIs; every server of `servers` serves both.
 */
export class KubeServer {
  readonly requests: string[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  /** Sent with every answer below `/edges`. */
  readonly answerHeaders: Record<string, string | string[]> = {};
  intercept: Interception = () => false;
  readonly #servers: Server[] = [];
  readonly #watches = new Set<ServerResponse>();
  readonly #folder: string;
  readonly #keys: string;
  readonly #apis: Api[] = [];

  static async start(
    t: Pick<Test, 'teardown'>,
    { servers = 1 }: { readonly servers?: number } = {},
  ): Promise<KubeServer> {
    const fleet = await TestFleet.create();
    const folder = temporaryFolder('kube-server');
    t.teardown(
      () => folder === '' || import('node:fs').then(({ rmSync }) => rmSync(folder, { recursive: true, force: true })),
    );
    const keys = await fleet.keyStore(folder, 'operator/tester');
    const own = await loadKeyStore(await fleet.keyStore(folder, 'replica/site-a/r0'));
    const kube = new KubeServer(folder, keys);
    const edge = await kube.#newApi(t);
    const control = await kube.#newApi(t);
    for (let i = 0; i < servers; i++) {
      const server = createServer(apiServerTls(own), (request, response) =>
        kube.#answer(request, response, edge, control),
      );
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      kube.#servers.push(server);
    }
    t.teardown(async () => {
      for (const api of kube.#apis) await api.close();
      for (let i = 0; i < servers; i++) await kube.stop(i);
    });
    return kube;
  }

  private constructor(folder: string, keys: string) {
    this.#folder = folder;
    this.#keys = keys;
  }

  get urls(): readonly string[] {
    return this.#servers.map((server) => `https://127.0.0.1:${(server.address() as AddressInfo | null)?.port ?? 1}`);
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  /** Writes a `client.yaml`, for the command, and tells its path. */
  writeClientFile(): string {
    const file = join(this.#folder, 'client.yaml');
    writeFileSync(
      file,
      formatYaml({ replicas: this.urls.map((api) => ({ api, link: '127.0.0.1:1' })), keys: this.#keys }),
    );
    return file;
  }

  /** A client of all servers, or of one. */
  async api(index?: number): Promise<Api> {
    const urls = index === undefined ? this.urls : this.urls.slice(index, index + 1);
    const api = new Api(urls, await loadKeyStore(this.#keys));
    this.#apis.push(api);
    return api;
  }

  /** Cuts every connection of a server and ends it. */
  async stop(index: number): Promise<void> {
    const server = this.#servers[index];
    if (server?.listening !== true) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /** Cuts the connections of every watch that is open. */
  cutWatches(): void {
    for (const response of this.#watches) response.destroy();
  }

  async #newApi(t: Pick<Test, 'teardown'>): Promise<ApiServer> {
    const store = openEmbeddedStore();
    const feed = new StoreFeed({ store });
    await feed.start();
    const apis = new ResourceApis();
    for (const type of [...embeddedTypes, siteType])
      apis.add(new ResourceApi({ collection: await feed.collection(type) }));
    t.teardown(async () => {
      await apis.settled();
      feed.close();
      await store.close();
    });
    return new ApiServer({ apis, onError: (error) => console.error(error) });
  }

  #answer(request: IncomingMessage, response: ServerResponse, edge: ApiServer, control: ApiServer): void {
    const url = request.url ?? '/';
    this.requests.push(`${request.method} ${url}`);
    this.headers.push(request.headers);
    if (url.includes('watch=true')) {
      this.#watches.add(response);
      response.once('close', () => this.#watches.delete(response));
    }
    if (this.intercept(request, response)) return;
    const prefix = '/edges/edge-1/kube';
    const isEdge = url.startsWith(`${prefix}/`);
    if (isEdge) for (const [name, value] of Object.entries(this.answerHeaders)) response.setHeader(name, value);
    const target = isEdge ? url.slice(prefix.length) : url;
    void (isEdge ? edge : control)
      .answer(request, response, target, fullAccess('operator/tester'))
      .then((isAnswered) => {
        if (!isAnswered) response.writeHead(404).end();
      });
  }
}

/** A kind of a group, with a schema, that belongs to no namespace. */
const siteType: ResourceType = {
  group: 'test.io',
  version: 'v1',
  resource: 'sites',
  singular: 'site',
  kind: 'Site',
  listKind: 'SiteList',
  shortNames: ['st'],
  categories: [],
  namespaced: false,
  verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'],
  hasStatus: false,
  schema: {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: { racks: { type: 'integer' }, notes: { type: 'array', items: { type: 'string' } } },
      },
    },
  },
  columns: [{ name: 'Racks', type: 'integer', priority: 0, value: '.spec.racks' }],
  selectableFields: [],
};
