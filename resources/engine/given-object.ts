import type { ObjectMeta } from '../object.ts';
import { schemaCheckOf, unknownFieldMessage } from '../types/schema-check.ts';
import { apiVersionOf, type ResourceType } from '../types/resource-type.ts';
import { objectMalformed } from './object-error.ts';
import { readMetadata } from './object-meta.ts';

/** An object as a client sent it, or as a patch made it, after what the schema does not know was taken out. */
export interface Given {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  /** All but the above. */
  readonly body: Readonly<Record<string, unknown>>;
  /** `unknown field "spec.foo"`. */
  readonly unknown: readonly string[];
}

/** Reads a value that is to be an object of this type. Throws `object-malformed`, naming the field. */
export function readGiven(type: ResourceType, value: unknown): Given {
  if (!isRecord(value)) throw objectMalformed('', 'an object is expected');
  const apiVersion = textOr(apiVersionOf(type), value, 'apiVersion');
  const kind = textOr(type.kind, value, 'kind');
  const { metadata, unknownFields } = readMetadata(value['metadata']);
  const { object, unknown } = schemaCheckOf(type).shape({ ...value, metadata });
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...body } = object;
  return { apiVersion, kind, metadata, body, unknown: [...unknownFields, ...unknown].map(unknownFieldMessage) };
}

/** As Kubernetes takes objects: what does not say what it is, is what its path is about. */
function textOr(fallback: string, value: Readonly<Record<string, unknown>>, key: string): string {
  const text = value[key];
  if (text === undefined || text === null || text === '') return fallback;
  if (typeof text !== 'string') throw objectMalformed(key, 'a text is expected');
  return text;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
