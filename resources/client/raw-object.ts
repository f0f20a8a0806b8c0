import type { KubeObject } from '../object.ts';
import { resourceError } from '../resource-error.ts';
import { apiVersionOf } from '../types/resource-type.ts';
import { parseJson } from './list-splitter.ts';
import type { RawObject } from './reflector-sink.ts';
import type { ResourceRef } from './resource-ref.ts';

const LINE_ENDS = /[\r\n]/gu;
const MAX_NAME = 253;

/** Reads one object of a list or of an event, and checks all that is relied on. Throws `answer-malformed`. */
export function readRawObject(bytes: Buffer, ref: ResourceRef, namespace: string, isItem = false): RawObject {
  const object = parseJson(bytes);
  if (!isRecord(object)) throw malformed('no object');
  const missing = missingHead(object, ref, isItem);
  const metadata = object['metadata'];
  if (!isRecord(metadata)) throw malformed('an object without metadata');
  const { name, namespace: own = '', resourceVersion } = metadata;
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME || name.includes('/'))
    throw malformed('an object without a name');
  if (typeof own !== 'string' || (own !== '') !== ref.namespaced || own.length > MAX_NAME || own.includes('/'))
    throw malformed(`${name} has no namespace, or one that it cannot have`);
  if (namespace !== '' && own !== namespace) throw malformed(`${own}/${name} was not asked for`);
  const version = parseVersion(resourceVersion);
  if (version === undefined) throw malformed(`the version of ${name} is no positive integer`);
  const whole = withHead(oneLine(bytes), missing);
  // A list holds many at once, and parsed they take several times as much memory; an event is used at once.
  const parsed = isItem ? undefined : (object as KubeObject);
  return {
    namespace: own,
    name,
    version,
    bytes: whole,
    get object(): KubeObject {
      return parsed ?? (JSON.parse(whole.toString('utf8')) as KubeObject);
    },
  };
}

/** A resource version that can be compared: positive, below 2^53. */
export function parseVersion(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^[1-9]\d{0,15}$/u.test(text)) return undefined;
  const version = Number(text);
  return Number.isSafeInteger(version) ? version : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function headOf({ group, version, kind }: ResourceRef): { readonly apiVersion: string; readonly kind: string } {
  return { apiVersion: apiVersionOf({ group, version }), kind };
}

/** The members that the items of a list leave out, as the start of an object's JSON. */
function missingHead(object: Readonly<Record<string, unknown>>, ref: ResourceRef, isItem: boolean): string {
  let missing = '';
  for (const [key, expected] of Object.entries(headOf(ref))) {
    if (isItem && object[key] === undefined) missing += `${JSON.stringify(key)}:${JSON.stringify(expected)},`;
    else if (object[key] !== expected)
      throw malformed(`${JSON.stringify(object[key])?.slice(0, 100)} in place of ${expected}`);
  }
  return missing;
}

/** An object with metadata is not empty, so that a comma is right. */
function withHead(bytes: Buffer, missing: string): Buffer {
  return missing === '' ? bytes : Buffer.concat([Buffer.from(`{${missing}`), bytes.subarray(1)]);
}

/** JSON strings hold no raw line ends: those that there are stand between things, where a space does as well. */
function oneLine(bytes: Buffer): Buffer {
  if (!bytes.includes('\n') && !bytes.includes('\r')) return bytes;
  return Buffer.from(bytes.toString('utf8').replaceAll(LINE_ENDS, ' '));
}

function malformed(detail: string): Error {
  return resourceError('answer-malformed', { detail });
}
