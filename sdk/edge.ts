import { StreamClass, Stream, type Endpoint } from '../tunnel/index.ts';
import { edgePath } from '../api/index.ts';
import type { Api } from './api-client.ts';
import { fetchThrough, type FetchOptions } from './edge-fetch.ts';
import { KubeApi } from './kube-api.ts';
import type { Resources } from './resources.ts';

export interface DialOptions {
  /** `bulk` yields to everything else on the edge's uplink. Default `interactive`; what sends much becomes bulk by itself. */
  readonly class?: 'interactive' | 'bulk';
}

/** One edge, as if it were local. */
export class Edge {
  readonly name: string;
  readonly #endpoint: Endpoint;
  readonly #api: Api;
  #kube: KubeApi | undefined;

  constructor(name: string, endpoint: Endpoint, api: Api) {
    this.name = name;
    this.#endpoint = endpoint;
    this.#api = api;
  }

  /** Its Kubernetes API, with the replicas' cache in front. Throws `path-invalid` when the name can be none of an edge. */
  get kube(): KubeApi {
    this.#kube ??= new KubeApi(this.#api, edgePath({ edge: this.name, service: 'kube', rest: '/' }).slice(0, -1));
    return this.#kube;
  }

  /** A resource of its Kubernetes API by any name of it: `pods`, `po`, `virtualmachines.kubevirt.io`. */
  resources(name: string): Resources {
    return this.kube.resources(name);
  }

  /**
   * Opens a stream to a declared service (`postgres`) or, where the agent's configuration allows it, to an address
   * (`10.0.0.7:22`). It can be written at once, emits `open` when the service is connected, and continues over the loss of
   * links, replicas and sites. It is destroyed with a `CodedError`: `not-opened`, `service-unknown`, `address-denied`,
   * `upstream-refused`, `stream-lost` ...
   */
  dial(to: string, options: DialOptions = {}): Stream {
    const isAddress = to.includes(':');
    const target = {
      edge: this.name,
      service: isAddress ? '' : to,
      kind: 'tcp',
      verb: 'connect',
      path: isAddress ? to : '',
      principal: '',
    };
    return new Stream(
      this.#endpoint.open(target, { class: options.class === 'bulk' ? StreamClass.BULK : StreamClass.INTERACTIVE }),
    );
  }

  /**
   * Calls an HTTP service of the edge; the answer is a standard `Response` whose body streams. A request that cannot have
   * been executed, or may be repeated (GET, HEAD, OPTIONS), is tried again when its path was lost before an answer came;
   * any other then fails with `outcome-unknown`. Errors: a `CodedError` of the tunnel's table.
   */
  fetch(service: string, path: string, init: FetchOptions = {}): Promise<Response> {
    return fetchThrough(this.#endpoint, this.name, service, path, init);
  }
}
