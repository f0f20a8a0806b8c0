import { isDnsLabel, validate, z, type SchemaProblem } from '../base/index.ts';
import { apiError } from './api-error.ts';
import { apiVersion } from './paths.ts';

const name = z.string().refine(isDnsLabel, 'expected a DNS label: 1 to 63 of a-z 0-9 -, no dash at either end');
const text = z.string().max(1024);
const count = z.number().int().nonnegative();
const time = z.iso.datetime();

/** Kubernetes' rule: an optional DNS prefix and `/`, then 1 to 63 characters. */
const labelKey = z
  .string()
  .regex(/^(?:[a-z0-9][a-z0-9.-]{0,252}\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, 'expected a label key');
const labelValue = z.string().regex(/^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/, 'expected a label value');

const labels = z
  .record(labelKey, labelValue)
  .refine((all) => Object.keys(all).length <= 64, 'expected 64 labels or fewer');

/** What the API's machinery keeps there besides (`generation`, `annotations` ...) stays as it is. */
const metadata = z.looseObject({
  name,
  uid: z.string().max(64).optional(),
  /** Opaque; what a write was based on. */
  resourceVersion: z.string().max(64).optional(),
  creationTimestamp: time.optional(),
  labels: labels.optional(),
});

const spec = z.strictObject({
  /** Whether the edge is on the whitelist. */
  admission: z.enum(['Allowed', 'Denied']),
  /** Only this key may register: `sha256/` and the base64url of its SubjectPublicKeyInfo's hash. */
  keyPin: z
    .string()
    .regex(/^sha256\/[\w-]{43}$/, 'expected sha256/ and 43 characters of base64url')
    .optional(),
  /** What the operator says of the edge, for selectors in policies. */
  labels: labels.optional(),
  /** Whether reads of its `kube` that ask for no freshness come from the cache. Missing: as the replica is configured. */
  cacheReads: z.enum(['OnRequest', 'ByDefault']).optional(),
});

const link = z.strictObject({
  id: z.string().min(1).max(64),
  /** `site/name` of the replica that holds it. */
  replica: z.string().min(1).max(128),
  /** Whether it carries the streams. */
  active: z.boolean(),
  since: time,
  /** Milliseconds; null before the first answer. */
  rttMs: z.number().nonnegative().nullable(),
  /** The address that the replica sees. */
  remote: z.string().max(128),
});

const condition = z.strictObject({
  type: z.string().min(1).max(64),
  status: z.enum(['True', 'False', 'Unknown']),
  /** Why, in one word. */
  reason: z.string().min(1).max(64),
  /** Why, for people. */
  message: text.optional(),
  /** When `status` last changed. */
  lastTransitionTime: time,
});

const status = z.strictObject({
  online: z.boolean(),
  links: z.array(link).max(64),
  /** The agent's process; null before the first contact. */
  instance: z.string().max(64).nullable(),
  /** The fencing number of the registration; 0 before the first. */
  epoch: count,
  services: z.array(z.strictObject({ name, kind: z.string().min(1).max(32) })).max(256),
  agentVersion: z.string().max(64).nullable(),
  lastContact: time.nullable(),
  /** Why the edge is not online, or was refused. */
  reason: text.optional(),
  /** Of its active link. */
  certificate: z
    .strictObject({
      notAfter: time,
      /** Key identifier of the issuer, hex. */
      issuer: z.string().max(64),
      /** Of its key, as `spec.keyPin` has it. */
      keyPin: z.string().max(64).optional(),
      /** Hex. */
      serial: z.string().max(64).optional(),
      /** `TrustBundle` version of the roots that the edge trusts; empty: its agent does not say. */
      trustVersion: z.string().max(64),
    })
    .optional(),
  /** `Online`, `CacheSynced`, `KubeHealthy`. */
  conditions: z.array(condition).max(16).optional(),
});

/** An edge, as the fleet knows it: who may register, and what is known of it. */
export const edgeNodeSchema = z.strictObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('EdgeNode'),
  metadata,
  spec,
  status: status.optional(),
});

export type EdgeNode = z.output<typeof edgeNodeSchema>;
export type EdgeNodeSpec = EdgeNode['spec'];
export type EdgeNodeStatus = z.output<typeof status>;
export type EdgeLinkStatus = z.output<typeof link>;
export type EdgeCondition = NonNullable<EdgeNodeStatus['conditions']>[number];
export type EdgeServiceStatus = EdgeNodeStatus['services'][number];

export interface EdgeNodeList {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'EdgeNodeList';
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly EdgeNode[];
}

/** Reads an object that came from outside. Throws `object-invalid`, naming every field that is wrong. */
export function parseEdgeNode(value: unknown): EdgeNode {
  const result = validate(edgeNodeSchema, value);
  if ('value' in result) return result.value;
  const problems = result.problems.map(({ path, message }) => `${path.join('.') || 'the object'}: ${message}`);
  throw apiError('object-invalid', problems.slice(0, 20).join('; '));
}

/** What `parseEdgeNode` would throw for. */
export function edgeNodeProblems(value: unknown): readonly SchemaProblem[] {
  const result = validate(edgeNodeSchema, value);
  return 'value' in result ? [] : result.problems;
}

/** The status of an edge that was never in contact. */
export function initialEdgeStatus(): EdgeNodeStatus {
  return { online: false, links: [], instance: null, epoch: 0, services: [], agentVersion: null, lastContact: null };
}
