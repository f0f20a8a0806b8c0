import { DiscoveryClient, ResourceClient } from '../resources/index.ts';
import type { Api } from './api-client.ts';
import { Resources } from './resources.ts';

/** One Kubernetes-shaped API that replicas serve: an edge's, that of all edges, or the fleet's own. */
export class KubeApi {
  readonly client: ResourceClient;
  readonly discovery: DiscoveryClient;

  /** `prefix` stands before `/api` and `/apis`: `/edges/edge-1/kube`, `/fleet/kube`, or nothing. */
  constructor(api: Api, prefix: string) {
    this.client = new ResourceClient({ transport: api.transport, prefix });
    this.discovery = new DiscoveryClient(this.client);
  }

  /** A resource by any name of it: `pods`, `po`, `virtualmachines.kubevirt.io`. */
  resources(name: string): Resources {
    return new Resources(name, this.client, this.discovery);
  }
}
