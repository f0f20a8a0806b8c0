export { fullAccess, type Access, type AccessAttributes } from './access.ts';
export { forbidden } from './forbidden.ts';
export type {
  Collection,
  HeldObject,
  ListPage,
  ListQuery,
  ObjectWatch,
  VersionWish,
  WatchEvent,
  WatchQuery,
  WritableCollection,
} from './collection/collection.ts';
export { heldObject } from './collection/held-object.ts';
export { spliceMetadata } from './collection/metadata-splice.ts';
export { everything } from './collection/selector.ts';
export type { StoreCollection } from './collection/store-collection.ts';
export { StoreFeed } from './collection/store-feed.ts';
export { WatchCache } from './collection/watch-cache.ts';
export { ResourceApi } from './engine/resource-api.ts';
export { objectNotFound } from './engine/object-error.ts';
export { ResourceApis } from './engine/resource-apis.ts';
export { reviewApis } from './engine/review-apis.ts';
export type { ResourceHooks } from './engine/resource-hooks.ts';
export { sendAnswer, sendError } from './http/answer.ts';
export { ApiServer, kubernetesRelease } from './http/api-server.ts';
export { isWatch } from './http/list-query.ts';
export { parseContinueToken } from './http/continue-token.ts';
export { answerRead } from './http/read-answer.ts';
export { parseJsonBody, parseObjectBody, readBody } from './http/request-body.ts';
export { parseRequestPath, type RequestPath, type ResourcePath } from './http/request-path.ts';
export type { KubeObject } from './object.ts';
export { resourceCodes, resourceError } from './resource-error.ts';
export { ageOf } from './types/age.ts';
export { versionDocument } from './types/discovery.ts';
export {
  qualifiedName,
  type ObjectSchema,
  type PrinterColumn,
  type ResourceType,
  type Verb,
} from './types/resource-type.ts';

export { loadDefinitions } from './types/crd.ts';
export { embeddedTypes, knownType } from './types/kinds/known-types.ts';

export { BatchPacker, BatchUnpacker } from './feed/feed-codec.ts';
export { encodeFeedFrame, FeedFrameReader, type FeedFrame } from './feed/feed-frame.ts';
export {
  FEED_VERSION,
  fedKind,
  parseHello,
  type FedKind,
  type FeedHello,
  type KindProblem,
  type KindState,
} from './feed/fed-kind.ts';
export { feedMalformed } from './feed/feed-error.ts';
export { feedLimits } from './feed/feed-limits.ts';
export { decodeFeedRecords, encodeFeedRecord, type FeedRecord, type ObjectKey } from './feed/feed-record.ts';
export { encodeFeedRequest, FeedRequestReader, haveRecords, type FeedRequest } from './feed/feed-request.ts';
export { Digest, fingerprintOf, type Fingerprint } from './feed/fingerprint.ts';
export { decodeDelta, encodeDelta } from './feed/object-delta.ts';

export { DiscoveryClient, type FoundResource } from './client/discovery-client.ts';
export { exchange, readAll } from './client/exchange.ts';
export { Informer, type InformerEvent, type InformerOptions } from './client/informer.ts';
export { Reflector } from './client/reflector.ts';
export type { ReflectorOptions } from './client/reflector-options.ts';
export type {
  RawEvent,
  RawObject,
  ReflectorCounters,
  ReflectorSink,
  ReflectorState,
  ReplaceReason,
} from './client/reflector-sink.ts';
export {
  ResourceClient,
  type Answered,
  type CallOptions,
  type ListHead,
  type ListOptions,
  type ObjectList,
  type PatchType,
  type ResourceClientOptions,
  type WatchLine,
  type WatchOptions,
} from './client/resource-client.ts';
export type { Query, ResourcePlace, ResourceRef } from './client/resource-ref.ts';
export type { AnswerHeaders, Transport, TransportAnswer, TransportRequest } from './client/transport.ts';
