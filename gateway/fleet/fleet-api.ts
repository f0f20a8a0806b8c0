import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../base/index.ts';
import {
  ApiServer,
  ResourceApi,
  ResourceApis,
  reviewApis,
  StoreFeed,
  type Access,
  type Collection,
  type StoreCollection,
} from '../../resources/index.ts';
import type { Store } from '../../store/index.ts';
import { accessPolicyHooks, accessPolicyType } from './access-policy-type.ts';
import { edgeNodeHooks, edgeNodeType } from './edge-node-type.ts';
import { joinTokenHooks, joinTokenType } from './join-token-type.ts';
import { revocationHooks, revocationType } from './revocation-type.ts';
import { trustBundleHooks, trustBundleType } from './trust-bundle-type.ts';

export interface FleetApiOptions {
  readonly store: Store;
  /** The replicas, read only. */
  readonly replicas: Collection;
  /** Why this replica would not take a trust bundle, or throws it; undefined when it would. Default: it takes any. */
  readonly trustRefusal?: (bundle: string) => string | undefined;
  readonly clock: Clock;
  /** Told the name of an object that a request makes. */
  readonly onNamed?: (request: IncomingMessage, name: string) => void;
  readonly onFault: (error: unknown) => void;
}

/** The fleet's own objects, `causeway.io/v1`, kept in the store and served as a Kubernetes API. */
export class FleetApi {
  /** The whitelist. */
  readonly nodes: StoreCollection;
  /** Who is not accepted any more. */
  readonly revocations: StoreCollection;
  /** Who may do what. */
  readonly policies: StoreCollection;
  /** Those that enrolment reads and writes, with the rules of every write. */
  readonly edgeNodes: ResourceApi;
  readonly joinTokens: ResourceApi;
  /** The roots that everybody is to trust: one object. */
  readonly trustBundles: StoreCollection;
  readonly #feed: StoreFeed;
  readonly #server: ApiServer;

  static async open(options: FleetApiOptions): Promise<FleetApi> {
    const { store, clock, onNamed, onFault } = options;
    const feed = new StoreFeed({ store, prefix: '/causeway/resources', clock, onFault });
    await feed.start();
    const nodes = await feed.collection(edgeNodeType);
    const revocations = await feed.collection(revocationType);
    const policies = await feed.collection(accessPolicyType);
    const trustBundles = await feed.collection(trustBundleType);
    const apis = new ResourceApis();
    const edgeNodes = new ResourceApi({ collection: nodes, hooks: edgeNodeHooks });
    const joinTokens = new ResourceApi({ collection: await feed.collection(joinTokenType), hooks: joinTokenHooks });
    apis.add(edgeNodes);
    apis.add(joinTokens);
    apis.add(new ResourceApi({ collection: policies, hooks: accessPolicyHooks }));
    apis.add(new ResourceApi({ collection: revocations, hooks: revocationHooks }));
    apis.add(
      new ResourceApi({ collection: trustBundles, hooks: trustBundleHooks(options.trustRefusal ?? (() => undefined)) }),
    );
    apis.add(new ResourceApi({ collection: options.replicas }));
    for (const api of reviewApis()) apis.add(api);
    const kept = { nodes, revocations, policies, edgeNodes, joinTokens, trustBundles };
    return new FleetApi(
      kept,
      feed,
      new ApiServer({ apis, ...(onNamed === undefined ? {} : { onNamed }), onError: onFault }),
    );
  }

  private constructor(
    {
      nodes,
      revocations,
      policies,
      edgeNodes,
      joinTokens,
      trustBundles,
    }: Pick<FleetApi, 'nodes' | 'revocations' | 'policies' | 'edgeNodes' | 'joinTokens' | 'trustBundles'>,
    feed: StoreFeed,
    server: ApiServer,
  ) {
    this.nodes = nodes;
    this.revocations = revocations;
    this.policies = policies;
    this.edgeNodes = edgeNodes;
    this.joinTokens = joinTokens;
    this.trustBundles = trustBundles;
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
