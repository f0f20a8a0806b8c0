import { clientTls, LiveKeyStore } from '../certs/index.ts';
import { systemClock, type Clock } from '../base/index.ts';
import {
  defaultLimits,
  dialLink,
  Endpoint,
  proxyFromEnvironment,
  Ticker,
  tunnelError,
  Uplink,
  type TunnelLimits,
  type UplinkEvent,
} from '../tunnel/index.ts';
import { loadClientConfig, type ClientConfig } from './client-config.ts';
import { Edge } from './edge.ts';
import { Api } from './api-client.ts';
import { KubeApi } from './kube-api.ts';
import { LiveCredentials } from './live-credentials.ts';
import type { Resources } from './resources.ts';

export interface ConnectOptions {
  /** A `client.yaml`, or what stands in one. */
  readonly config: string | ClientConfig;
  /** Told what happens to the links: for status lines and logs. */
  readonly onEvent?: (event: UplinkEvent) => void;
  readonly clock?: Clock;
  readonly limits?: TunnelLimits;
}

/**
 * Connects to the fleet. Resolves at once: links are opened in the background, and what is asked for meanwhile waits, as it
 * does whenever links are away. Errors: `config-missing`, `config-invalid`, `key-store-missing`, `key-store-invalid`.
 */
export async function connect(options: ConnectOptions): Promise<Fleet> {
  const config = typeof options.config === 'string' ? await loadClientConfig(options.config) : options.config;
  return new Fleet(config, await LiveKeyStore.open(config.keys, config.keyPassword), options);
}

/** All edges, through whichever replica answers. */
export class Fleet {
  /** The replicas' own API. */
  readonly api: Api;
  /** All edges' Kubernetes APIs as one, read only. */
  readonly kube: KubeApi;
  /** The fleet's own objects: EdgeNode, JoinToken ... */
  readonly control: KubeApi;
  readonly #endpoint: Endpoint;
  readonly #uplink: Uplink;
  readonly #credentials: LiveCredentials;

  constructor(
    config: ClientConfig,
    keys: LiveKeyStore,
    { onEvent, clock = systemClock, limits = defaultLimits }: Omit<ConnectOptions, 'config'>,
  ) {
    this.api = new Api(
      config.replicas.map(({ api }) => api),
      keys,
    );
    this.kube = new KubeApi(this.api, '/fleet/kube');
    this.control = new KubeApi(this.api, '');
    this.#endpoint = new Endpoint({ clock, limits });
    this.#uplink = new Uplink({
      clock,
      ticker: new Ticker(clock),
      endpoint: this.#endpoint,
      limits,
      links: Math.min(2, config.replicas.length),
      targets: () => config.replicas.map(({ link }) => ({ address: link })),
      dial: (target) => dialLink(target, clientTls(keys), proxyFromEnvironment(target, process.env)),
      hello: () => ({ role: 'client', version: 1, instance: this.#endpoint.instance }),
      onUpdate: (body) => this.#credentials.told(body),
      onEvent: (event) => {
        if (event.kind === 'opened') this.#credentials.told(event.welcome);
        onEvent?.(event);
      },
    });
    this.#credentials = new LiveCredentials({
      keys,
      api: this.api,
      clock,
      onCertificate: () => this.#uplink.renew(),
    });
    this.#uplink.start();
  }

  edge(name: string): Edge {
    return new Edge(name, this.#endpoint, this.api);
  }

  /** A resource of all edges together, read only. Objects are named `<edge>.<name>`. */
  resources(name: string): Resources {
    return this.kube.resources(name);
  }

  /** A resource of the fleet itself: `fleet.objects('edgenodes')`. */
  objects(name: string): Resources {
    return this.control.resources(name);
  }

  /** The edges as the fleet knows them: who may register, and what is known of each. */
  get nodes(): Resources {
    return this.objects('edgenodes.causeway.io');
  }

  /** Links that are open now. */
  get links(): Uplink['links'] {
    return this.#uplink.links;
  }

  /** Streams that are open, and those of them that look for a path. */
  get streams(): { readonly open: number; readonly detached: number } {
    return { open: this.#endpoint.streams, detached: this.#endpoint.detachedStreams };
  }

  /** Ends every stream and link. */
  async close(): Promise<void> {
    this.#credentials.close();
    this.#endpoint.close(tunnelError('canceled', { detail: 'the client closed' }));
    this.#uplink.close(tunnelError('link-closed', { detail: 'the client closed' }));
    await this.api.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
