import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { ApiServer, fullAccess, ResourceApi, ResourceApis, WatchCache } from '../../../resources/index.ts';
import type { ServiceConfig } from '../../support/cluster.ts';
import { pod, podType, type PodWords } from './pods.ts';

/** A Kubernetes API of Pods at an edge, over HTTP, with what a test puts there. */
export class TestKube {
  readonly #pods = new WatchCache(podType, { version: 1 });
  readonly #server: Server;
  /** What was asked of it: `GET /api/v1/pods?watch=1`. */
  readonly requests: string[] = [];
  #version = 1;

  static async start(t: Pick<Test, 'teardown'>): Promise<TestKube> {
    const kube = new TestKube();
    kube.#server.listen(0, '127.0.0.1');
    await once(kube.#server, 'listening');
    t.teardown(() => kube.close());
    return kube;
  }

  private constructor() {
    const apis = new ResourceApis();
    apis.add(new ResourceApi({ collection: this.#pods }));
    const api = new ApiServer({ apis });
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      void api.answer(request, response, request.url ?? '/', fullAccess('agent')).then((isAnswered) => {
        if (!isAnswered) response.writeHead(404).end();
      });
    });
  }

  service(isFed: boolean): ServiceConfig {
    const { port } = this.#server.address() as AddressInfo;
    const cache = {
      resources: ['pods'],
      dropManagedFields: true,
      secrets: false,
      maxBytes: 64 * 1024 * 1024,
      idleStopMs: 0,
    };
    return { name: 'kube', kind: 'http', url: `http://127.0.0.1:${port}`, ...(isFed ? { cache } : {}) };
  }

  get version(): number {
    return this.#version;
  }

  put(name: string, words: Partial<PodWords> = {}): void {
    this.#pods.put(pod({ name, version: ++this.#version, ...words }));
  }

  remove(name: string, namespace = 'ns'): void {
    this.#pods.remove(namespace, name, ++this.#version);
  }

  /** Answers nothing any more. */
  close(): void {
    this.#pods.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
