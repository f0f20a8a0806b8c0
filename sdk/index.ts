export { CodedError } from '../base/index.ts';
export { Api, type ApiAnswer } from './api-client.ts';
export { readAudit, type AuditSelection } from './audit.ts';
export { loadClientConfig, type ClientConfig } from './client-config.ts';
export { Edge, type DialOptions } from './edge.ts';
export type { FetchOptions } from './edge-fetch.ts';
export { connect, Fleet, type ConnectOptions } from './fleet.ts';
export { cacheControlOf, freshnessOf, type Freshness, type MaxStale } from './freshness.ts';
export { KubeApi } from './kube-api.ts';
export type { ResourceEvent } from './resource-watch.ts';
export {
  Resources,
  type DeleteOptions,
  type ReadOptions,
  type ResourceList,
  type ResourceListOptions,
  type SelectOptions,
  type WriteOptions,
} from './resources.ts';
export type {
  FoundResource,
  Informer,
  InformerEvent,
  KubeObject,
  PatchType,
  ReflectorState,
} from '../resources/index.ts';
export { splice, type Stream } from '../tunnel/index.ts';
