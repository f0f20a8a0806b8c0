import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../object.ts';
import { fieldForbidden, type FieldError } from '../types/field-error.ts';
import type { ResourceType } from '../types/resource-type.ts';
import { isRecord } from './json-record.ts';

/** What a kind of Kubernetes' own has beside its schema. */
export interface BuiltInRules {
  /** Of an object that was just made, or is about to take the place of another. */
  readonly complete?: (object: KubeObject, old: KubeObject | undefined) => KubeObject;
  readonly validate?: (object: KubeObject, old: KubeObject | undefined) => readonly FieldError[];
}

/** None for kinds that are like any other. */
export function builtInRules({ group, resource }: Pick<ResourceType, 'group' | 'resource'>): BuiltInRules {
  return (group === '' && Object.hasOwn(core, resource) ? core[resource] : undefined) ?? {};
}

const core: Readonly<Record<string, BuiltInRules>> = {
  namespaces: { complete: (object, old) => (old === undefined ? inPhase(object, 'Active') : object) },
  pods: { complete: (object, old) => (old === undefined ? inPhase(object, 'Pending') : object) },
  configmaps: { validate: keepsImmutable },
  secrets: { complete: withStringData, validate: keepsImmutable },
};

/** Where kubectl looks for what an object is doing. */
function inPhase(object: KubeObject, phase: string): KubeObject {
  return { ...object, status: { phase } };
}

/** `stringData` is for writing only: it goes into `data`. */
function withStringData({ stringData, ...object }: KubeObject): KubeObject {
  if (!isRecord(stringData)) return object;
  const encoded = Object.entries(stringData).flatMap(([key, text]) =>
    typeof text === 'string' ? [[key, Buffer.from(text).toString('base64')] as const] : [],
  );
  const data = isRecord(object['data']) ? object['data'] : {};
  return { ...object, data: { ...data, ...Object.fromEntries(encoded) } };
}

/** What was once immutable stays as it is until it is deleted. */
function keepsImmutable(object: KubeObject, old: KubeObject | undefined): readonly FieldError[] {
  if (old?.['immutable'] !== true) return [];
  const changed = ['immutable', 'data', 'binaryData'].filter((key) => !isDeepStrictEqual(object[key], old[key]));
  return changed.map((key) => fieldForbidden(key, 'field is immutable when `immutable` is set'));
}
