import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../base/index.ts';
import {
  ApiServer,
  ResourceApi,
  ResourceApis,
  StoreFeed,
  type Access,
  type Collection,
  type StoreCollection,
} from '../../resources/index.ts';
import type { Store } from '../../store/index.ts';
import { accessPolicyHooks, accessPolicyType } from './access-policy-type.ts';
import { edgeNodeHooks, edgeNodeType } from './edge-node-type.ts';
import { joinTokenHooks, joinTokenType } from './join-token-type.ts';

export interface FleetApiOptions {
  readonly store: Store;
  /** The replicas, read only. */
  readonly replicas: Collection;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

/** The fleet's own objects, `causeway.io/v1`, kept in the store and served as a Kubernetes API. */
export class FleetApi {
  /** The whitelist. */
  readonly nodes: StoreCollection;
  readonly #feed: StoreFeed;
  readonly #server: ApiServer;

  static async open(options: FleetApiOptions): Promise<FleetApi> {
    const { store, clock, onFault } = options;
    const feed = new StoreFeed({ store, prefix: '/causeway/resources', clock, onFault });
    await feed.start();
    const nodes = await feed.collection(edgeNodeType);
    const apis = new ResourceApis();
    apis.add(new ResourceApi({ collection: nodes, hooks: edgeNodeHooks }));
    apis.add(new ResourceApi({ collection: await feed.collection(joinTokenType), hooks: joinTokenHooks }));
    apis.add(new ResourceApi({ collection: await feed.collection(accessPolicyType), hooks: accessPolicyHooks }));
    apis.add(new ResourceApi({ collection: options.replicas }));
    return new FleetApi(nodes, feed, new ApiServer({ apis, onError: onFault }));
  }

  private constructor(nodes: StoreCollection, feed: StoreFeed, server: ApiServer) {
    this.nodes = nodes;
    this.#feed = feed;
    this.#server = server;
  }

  /** Answers a request; false, with nothing done, when its path is none of a Kubernetes API. */
  answer(request: IncomingMessage, response: ServerResponse, access: Access): Promise<boolean> {
    return this.#server.answer(request, response, request.url ?? '/', access);
  }

  close(): void {
    this.#feed.close();
  }
}
