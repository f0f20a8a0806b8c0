import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, ObjectMeta } from '../object.ts';
import { fieldForbidden, fieldInvalid } from '../types/field-error.ts';
import { apiVersionOf, type ResourceType } from '../types/resource-type.ts';
import { objectConflict, objectInvalid, objectMalformed } from './object-error.ts';
import { generateName } from './object-name.ts';
import type { Given } from './given-object.ts';

/**
 * What Kubernetes does to objects that are written, beside schemas and hooks: pure functions, from what is there and what was
 * sent to what is stored. Nothing that is passed in is changed.
 */

/** Which part of an object a write is about. */
export type Subresource = '' | 'status';

/** Name and namespace of a path; a namespace is empty for what belongs to none. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
}

export interface Birth {
  readonly nowMs: number;
  readonly uid?: string;
}

/** An object that is to be made. Throws `object-malformed` when it says another place, kind or version than its path. */
export function newObject(type: ResourceType, given: Given, namespace: string, birth: Birth): KubeObject {
  checkKind(type, given);
  checkNamespace(type, given, namespace);
  const {
    name,
    generateName: prefix,
    labels,
    annotations,
    finalizers,
    ownerReferences,
    resourceVersion,
  } = given.metadata;
  if (isSaid(resourceVersion))
    throw objectMalformed('metadata.resourceVersion', 'an object that is to be made has no version yet');
  const generated = prefix === undefined || prefix === '' ? undefined : generateName(prefix);
  const finalName = name === undefined || name === '' ? generated : name;
  if (finalName === undefined) {
    const problem = {
      field: 'metadata.name',
      reason: 'FieldValueRequired',
      message: 'Required value: name or generateName',
    };
    throw objectInvalid(type, '', [problem]);
  }
  const metadata: ObjectMeta = withoutMissing({
    name: finalName,
    generateName: prefix,
    namespace: type.namespaced ? namespace : undefined,
    uid: birth.uid ?? randomUUID(),
    generation: isCounted(type) ? 1 : undefined,
    creationTimestamp: timestamp(birth.nowMs),
    labels,
    annotations,
    finalizers: emptyAsMissing(finalizers),
    ownerReferences: emptyAsMissing(ownerReferences),
  });
  return compose(type, metadata, type.hasStatus ? without(given.body, 'status') : given.body);
}

/**
 * What an object becomes by an update, or a patch that came to `given`. Returns `current` itself when nothing changes. Throws
 * `object-malformed`, `object-conflict`, `object-invalid`.
 */
export function changedObject(
  type: ResourceType,
  current: KubeObject,
  given: Given,
  place: Place,
  subresource: Subresource,
): KubeObject {
  checkKind(type, given);
  checkNamespace(type, given, place.namespace);
  checkIdentity(type, current, given, place);
  const next = subresource === 'status' ? withStatusOf(current, given) : replacing(type, current, given);
  return isDeepStrictEqual(next, current) ? current : next;
}

/** Whether an object that was asked to go, and that nobody holds any more, is to be taken out of the collection. */
export function isReleased({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
}

export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** Throws `object-conflict` when the object is not the one that was meant. */
export function checkPreconditions(
  type: ResourceType,
  { metadata }: KubeObject,
  { uid, resourceVersion }: Preconditions,
): void {
  const name = metadata.name ?? '';
  if (uid !== undefined && uid !== metadata.uid)
    throw objectConflict(type, name, `the uid asked for is ${uid}, the object's is ${metadata.uid ?? ''}`);
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
    throw objectConflict(
      type,
      name,
      `the resourceVersion asked for is ${resourceVersion}, the object's is ${metadata.resourceVersion ?? ''}`,
    );
}

/** The object after a delete that finalizers hold up; the same when it had been asked to go before. Undefined: it goes at once. */
export function deletingObject(current: KubeObject, nowMs: number): KubeObject | undefined {
  const { metadata } = current;
  if ((metadata.finalizers ?? []).length === 0) return undefined;
  if (metadata.deletionTimestamp !== undefined) return current;
  return {
    ...current,
    metadata: {
      ...metadata,
      deletionTimestamp: timestamp(nowMs),
      deletionGracePeriodSeconds: 0,
      ...(metadata.generation === undefined ? {} : { generation: metadata.generation + 1 }),
    },
  };
}

/** RFC 3339, whole seconds, UTC. */
export function timestamp(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
}

function replacing(type: ResourceType, current: KubeObject, given: Given): KubeObject {
  const old = current.metadata;
  const { labels, annotations, finalizers, ownerReferences } = given.metadata;
  checkFinalizers(type, current, finalizers ?? []);
  const status = current['status'];
  const content = without(given.body, 'status');
  const body = !type.hasStatus ? given.body : status === undefined ? content : { ...content, status };
  const metadata: ObjectMeta = withoutMissing({
    ...old,
    labels,
    annotations,
    finalizers: emptyAsMissing(finalizers),
    ownerReferences: emptyAsMissing(ownerReferences),
  });
  const next = compose(type, metadata, body);
  if (!isCounted(type) || isDeepStrictEqual(contentOf(type, next), contentOf(type, current))) return next;
  return { ...next, metadata: { ...metadata, generation: (old.generation ?? 0) + 1 } };
}

function withStatusOf(current: KubeObject, given: Given): KubeObject {
  const status = given.body['status'];
  const { status: _old, ...rest } = current;
  return status === undefined ? rest : { ...rest, status };
}

function checkKind(type: ResourceType, { apiVersion, kind }: Given): void {
  if (apiVersion !== apiVersionOf(type))
    throw objectMalformed(
      'apiVersion',
      `${shown(apiVersion)} does not fit this path, ${shown(apiVersionOf(type))} does`,
    );
  if (kind !== type.kind)
    throw objectMalformed('kind', `${shown(kind)} does not fit this path, ${shown(type.kind)} does`);
}

/** What belongs to no namespace may name one: it is forgotten, as Kubernetes does. */
function checkNamespace(type: ResourceType, { metadata: { namespace = '' } }: Given, wanted: string): void {
  if (type.namespaced && namespace !== '' && namespace !== wanted)
    throw objectMalformed(
      'metadata.namespace',
      `the namespace of the object, ${shown(namespace)}, is not that of the request, ${shown(wanted)}`,
    );
}

function checkIdentity(type: ResourceType, { metadata: old }: KubeObject, { metadata }: Given, place: Place): void {
  const { name = '', uid, resourceVersion, creationTimestamp } = metadata;
  if (name !== place.name)
    throw objectMalformed(
      'metadata.name',
      `the name of the object, ${shown(name)}, is not that of the request, ${shown(place.name)}`,
    );
  if (isSaid(uid) && uid !== old.uid)
    throw objectConflict(type, place.name, `the uid of the object is ${shown(old.uid)}, not ${shown(uid)}`);
  if (isSaid(resourceVersion) && resourceVersion !== old.resourceVersion)
    throw objectConflict(type, place.name, 'it has changed since it was read; apply the change to what it is now');
  if (isSaid(creationTimestamp) && creationTimestamp !== old.creationTimestamp)
    throw objectInvalid(type, place.name, [
      fieldInvalid('metadata.creationTimestamp', creationTimestamp, 'field is immutable'),
    ]);
}

/** What is asked to go is not to be held up by somebody new. */
function checkFinalizers(type: ResourceType, { metadata }: KubeObject, finalizers: readonly string[]): void {
  if (metadata.deletionTimestamp === undefined) return;
  const added = finalizers.filter((finalizer) => !(metadata.finalizers ?? []).includes(finalizer));
  if (added.length > 0)
    throw objectInvalid(type, metadata.name ?? '', [
      fieldForbidden(
        'metadata.finalizers',
        `the object is being deleted: no finalizer can be added (${added.join(', ')})`,
      ),
    ]);
}

function compose(type: ResourceType, metadata: ObjectMeta, body: Readonly<Record<string, unknown>>): KubeObject {
  return { apiVersion: apiVersionOf(type), kind: type.kind, metadata, ...body };
}

/** Plain data of the core group (ConfigMaps, Secrets, Events) has no generation. */
function isCounted({ group, hasStatus }: ResourceType): boolean {
  return group !== '' || hasStatus;
}

/** What the generation counts the changes of. */
function contentOf(type: ResourceType, object: KubeObject): Readonly<Record<string, unknown>> {
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...content } = object;
  return type.hasStatus ? without(content, 'status') : content;
}

function without(record: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> {
  const { [key]: _gone, ...rest } = record;
  return rest;
}

function withoutMissing(metadata: { readonly [K in keyof ObjectMeta]: ObjectMeta[K] | undefined }): ObjectMeta {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined));
}

function emptyAsMissing<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

/** Clients write an empty text, and for versions 0, where they mean nothing. */
function isSaid(value: string | undefined): value is string {
  return value !== undefined && value !== '' && value !== '0';
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 120);
}
