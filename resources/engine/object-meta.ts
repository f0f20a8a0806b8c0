import { validate, z } from '../../base/index.ts';
import { labelKeyProblem, labelValueProblem } from '../collection/label-selector.ts';
import type { ObjectMeta } from '../object.ts';
import { fieldInvalid, fieldRequired, fieldTooLong, fieldUnder, type FieldError } from '../types/field-error.ts';
import type { ResourceType } from '../types/resource-type.ts';
import { objectMalformed } from './object-error.ts';
import { namespaceSyntax, nameSyntaxOf } from './object-name.ts';

/** Of all annotations of an object, names and values. */
const maxAnnotationBytes = 256 * 1024;

const texts = z.record(z.string(), z.string());

const ownerReference = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().optional(),
  blockOwnerDeletion: z.boolean().optional(),
});

const metadata = z.object({
  name: z.string().optional(),
  generateName: z.string().optional(),
  namespace: z.string().optional(),
  selfLink: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.number().int().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.number().int().optional(),
  labels: texts.optional(),
  annotations: texts.optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z.array(ownerReference).optional(),
  managedFields: z.array(z.unknown()).optional(),
});

/** Metadata as it was sent, and the fields in it that metadata does not have. */
export interface ReadMetadata {
  readonly metadata: ObjectMeta;
  /** `metadata.foo`; they are not in `metadata` any more. */
  readonly unknownFields: readonly string[];
}

/** Reads what a client sent as `metadata`: nulls count as missing. Throws `object-malformed` for what has another type. */
export function readMetadata(value: unknown): ReadMetadata {
  const given = value === undefined || value === null ? {} : withoutNulls(value);
  const result = validate(metadata, given);
  if ('problems' in result) {
    const [first] = result.problems;
    const field = (first?.path ?? []).reduce<string>(fieldUnder, 'metadata');
    throw objectMalformed(field, first?.message ?? 'not valid');
  }
  const known = metadata.shape;
  const unknownFields = isRecord(given)
    ? Object.keys(given).flatMap((key) => (Object.hasOwn(known, key) ? [] : [`metadata.${key}`]))
    : [];
  return { metadata: result.value as ObjectMeta, unknownFields };
}

/** Every place of an object's metadata that breaks Kubernetes' rules. */
export function metadataProblems(type: ResourceType, meta: ObjectMeta): readonly FieldError[] {
  const { name = '', namespace, labels = {}, annotations = {}, finalizers = [] } = meta;
  const problems: FieldError[] = [];
  const nameProblem = nameSyntaxOf(type).problemOf(name);
  if (nameProblem !== undefined) problems.push(fieldInvalid('metadata.name', name, nameProblem));
  if (type.namespaced) {
    const namespaceProblem = namespaceSyntax.problemOf(namespace ?? '');
    if (namespaceProblem !== undefined)
      problems.push(fieldInvalid('metadata.namespace', namespace ?? '', namespaceProblem));
  }
  problems.push(...labelProblems(labels), ...annotationProblems(annotations));
  for (const [index, finalizer] of finalizers.entries()) {
    const problem = labelKeyProblem(finalizer);
    if (problem !== undefined) problems.push(fieldInvalid(`metadata.finalizers[${index}]`, finalizer, problem));
  }
  return [...problems, ...ownerProblems(meta)];
}

function labelProblems(labels: Readonly<Record<string, string>>): readonly FieldError[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const problems: FieldError[] = [];
    const keyProblem = labelKeyProblem(key);
    if (keyProblem !== undefined) problems.push(fieldInvalid('metadata.labels', key, keyProblem));
    const valueProblem = labelValueProblem(value);
    if (valueProblem !== undefined)
      problems.push(fieldInvalid(fieldUnder('metadata.labels', key), value, valueProblem));
    return problems;
  });
}

function annotationProblems(annotations: Readonly<Record<string, string>>): readonly FieldError[] {
  const problems: FieldError[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    const problem = labelKeyProblem(key.toLowerCase());
    if (problem !== undefined) problems.push(fieldInvalid('metadata.annotations', key, problem));
  }
  if (bytes > maxAnnotationBytes) problems.push(fieldTooLong('metadata.annotations', maxAnnotationBytes));
  return problems;
}

function ownerProblems({ ownerReferences = [] }: ObjectMeta): readonly FieldError[] {
  const problems = ownerReferences.flatMap((owner, index) =>
    (['apiVersion', 'kind', 'name', 'uid'] as const).flatMap((key) =>
      owner[key] === '' ? [fieldRequired(`metadata.ownerReferences[${index}].${key}`)] : [],
    ),
  );
  const controllers = ownerReferences.filter(({ controller }) => controller === true);
  if (controllers.length > 1)
    problems.push(fieldInvalid('metadata.ownerReferences', controllers.length, 'only one owner may be the controller'));
  return problems;
}

/** kubectl writes `creationTimestamp: null` and means that there is none. */
function withoutNulls(value: unknown): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
