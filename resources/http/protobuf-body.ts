import { objectMalformed } from '../engine/object-error.ts';
import { timestamp } from '../engine/object-rules.ts';
import { resourceError } from '../resource-error.ts';
import { ProtoMessages, type MessageFields } from '../types/proto-messages.ts';
import { messageOf } from '../../base/index.ts';

/*
 * kubectl makes namespaces, config maps, secrets and access reviews with a client that sends protobuf and nothing else, so that the
 * few messages that this takes are read. Names and numbers are those of Kubernetes' `generated.proto`; the fields that only a server sets are left out.
 */
const messages: Readonly<Record<string, MessageFields>> = {
  /** What every message is wrapped in, behind `magic`. */
  Unknown: { typeMeta: ['TypeMeta', 1], raw: ['bytes', 2], contentEncoding: ['string', 3], contentType: ['string', 4] },
  TypeMeta: { apiVersion: ['string', 1], kind: ['string', 2] },
  Time: { seconds: ['int64', 1], nanos: ['int32', 2] },
  ObjectMeta: {
    name: ['string', 1],
    generateName: ['string', 2],
    namespace: ['string', 3],
    uid: ['string', 5],
    resourceVersion: ['string', 6],
    creationTimestamp: ['Time', 8],
    labels: ['string', 11, 'map'],
    annotations: ['string', 12, 'map'],
    ownerReferences: ['OwnerReference', 13, 'repeated'],
    finalizers: ['string', 14, 'repeated'],
  },
  OwnerReference: {
    kind: ['string', 1],
    name: ['string', 3],
    uid: ['string', 4],
    apiVersion: ['string', 5],
    controller: ['bool', 6],
    blockOwnerDeletion: ['bool', 7],
  },
  ConfigMap: {
    metadata: ['ObjectMeta', 1],
    data: ['string', 2, 'map'],
    binaryData: ['bytes', 3, 'map'],
    immutable: ['bool', 4],
  },
  Secret: {
    metadata: ['ObjectMeta', 1],
    data: ['bytes', 2, 'map'],
    type: ['string', 3],
    stringData: ['string', 4, 'map'],
    immutable: ['bool', 5],
  },
  Namespace: { metadata: ['ObjectMeta', 1], spec: ['NamespaceSpec', 2] },
  NamespaceSpec: { finalizers: ['string', 1, 'repeated'] },
  DeleteOptions: {
    gracePeriodSeconds: ['int64', 1],
    preconditions: ['Preconditions', 2],
    orphanDependents: ['bool', 3],
    propagationPolicy: ['string', 4],
    dryRun: ['string', 5, 'repeated'],
  },
  Preconditions: { uid: ['string', 1], resourceVersion: ['string', 2] },
  SelfSubjectAccessReview: { metadata: ['ObjectMeta', 1], spec: ['SelfSubjectAccessReviewSpec', 2] },
  SelfSubjectAccessReviewSpec: {
    resourceAttributes: ['ResourceAttributes', 1],
    nonResourceAttributes: ['NonResourceAttributes', 2],
  },
  SubjectAccessReview: { metadata: ['ObjectMeta', 1], spec: ['SubjectAccessReviewSpec', 2] },
  SubjectAccessReviewSpec: {
    resourceAttributes: ['ResourceAttributes', 1],
    nonResourceAttributes: ['NonResourceAttributes', 2],
    user: ['string', 3],
    groups: ['string', 4, 'repeated'],
    uid: ['string', 6],
  },
  ResourceAttributes: {
    namespace: ['string', 1],
    verb: ['string', 2],
    group: ['string', 3],
    version: ['string', 4],
    resource: ['string', 5],
    subresource: ['string', 6],
    name: ['string', 7],
  },
  NonResourceAttributes: { path: ['string', 1], verb: ['string', 2] },
  SelfSubjectRulesReview: { metadata: ['ObjectMeta', 1], spec: ['SelfSubjectRulesReviewSpec', 2] },
  SelfSubjectRulesReviewSpec: { namespace: ['string', 1] },
  SelfSubjectReview: { metadata: ['ObjectMeta', 1] },
};

/** What may be sent. */
const kinds: ReadonlySet<string> = new Set([
  'v1 ConfigMap',
  'v1 Secret',
  'v1 Namespace',
  'authorization.k8s.io/v1 SelfSubjectAccessReview',
  'authorization.k8s.io/v1 SubjectAccessReview',
  'authorization.k8s.io/v1 SelfSubjectRulesReview',
  'authentication.k8s.io/v1 SelfSubjectReview',
]);

const magic = Buffer.from('6b387300', 'hex');
const proto = new ProtoMessages(messages);

export const protobufType = 'application/vnd.kubernetes.protobuf';

/**
 * Reads a body of Kubernetes' protobuf as the object that JSON would have said. Throws `object-malformed`, and
 * `media-type-unsupported` for kinds that are taken as JSON only.
 */
export function parseProtobufBody(body: Buffer): unknown {
  if (!body.subarray(0, magic.length).equals(magic)) throw objectMalformed('', 'no protobuf of Kubernetes');
  const { typeMeta, raw } = decode('Unknown', body.subarray(magic.length));
  const { apiVersion = '', kind = '' } = isRecord(typeMeta) ? typeMeta : {};
  const isKnown = kinds.has(`${String(apiVersion)} ${String(kind)}`) || kind === 'DeleteOptions';
  if (!isKnown)
    throw resourceError('media-type-unsupported', {
      detail: `${protobufType} of ${String(apiVersion)} ${String(kind)}; application/json is taken`.slice(0, 300),
    });
  const content = decode(String(kind), Buffer.from(typeof raw === 'string' ? raw : '', 'base64'));
  return { apiVersion, kind, ...said(content, String(kind)) };
}

function decode(name: string, bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    return proto.decode(name, bytes);
  } catch (error) {
    throw objectMalformed('', `no protobuf of ${name}: ${messageOf(error)}`, error);
  }
}

/** Go writes empty texts and messages where JSON has nothing. */
function said(message: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(message)) {
    const [type = '', , rule] = messages[name]?.[field] ?? [];
    const plain =
      rule === undefined
        ? plainValue(value, type)
        : Array.isArray(value)
          ? value.map((item) => plainValue(item, type))
          : value;
    if (plain !== undefined) result[field] = plain;
  }
  return result;
}

function plainValue(value: unknown, type: string): unknown {
  if (value === '') return undefined;
  if (!isRecord(value)) return value;
  if (type === 'Time') return timeOf(value['seconds']);
  const content = said(value, type);
  return Object.keys(content).length === 0 ? undefined : content;
}

/** A time that is nobody's is no time. */
function timeOf(seconds: unknown): string | undefined {
  const maxSeconds = 8.64e12;
  return typeof seconds === 'number' && Math.abs(seconds) < maxSeconds ? timestamp(seconds * 1000) : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
