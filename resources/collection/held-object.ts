import { isUtf8 } from 'node:buffer';

import { BoundedMap, messageOf } from '../../base/index.ts';
import type { KubeObject } from '../object.ts';
import { resourceError } from '../resource-error.ts';
import type { ResourceType } from '../types/resource-type.ts';
import type { HeldObject } from './collection.ts';
import { spliceMetadata, type MetadataEdits } from './metadata-splice.ts';

/** What `heldObject` has to know of a type. */
export type HeldType = Pick<ResourceType, 'namespaced' | 'selectableFields' | 'schema'>;

/**
 * Takes an object in: parses it once, reads its labels and the type's `selectableFields` (missing: the schema's default, else
 * empty), takes its version from `metadata.resourceVersion`. The result owns its bytes: those of a Buffer that is a part of
 * a larger one are copied, since a part would keep the whole alive; a Buffer with memory of its own is taken over, and not to
 * be changed any more. Line breaks between tokens become blanks, so that an object is one line.
 *
 * Throws `object-unreadable`, with the place, for what is no JSON object in UTF-8, has no name, no namespace though the type
 * is namespaced or one though it is not, labels that are no strings, or a `resourceVersion` that is not a decimal integer
 * above 0 and below 2^53.
 */
export function heldObject(source: Buffer | KubeObject, type: HeldType): HeldObject {
  if (!Buffer.isBuffer(source)) {
    return readObject(ownedCopy(Buffer.from(JSON.stringify(source))), source, type);
  }
  const object = parseObject(source);
  const json = ownedCopy(source);
  blankLineBreaks(json);
  return readObject(json, object, type);
}

/** The same object with changed metadata, its bytes spliced, nothing parsed. `drop` is for members that selectors do not see. */
export function editHeldObject(object: HeldObject, edits: MetadataEdits): HeldObject {
  const { name, namespace, resourceVersion, labels } = edits;
  return new OwnedObject(
    intern(namespace ?? object.namespace),
    name ?? object.name,
    resourceVersion === undefined ? object.version : versionOf(resourceVersion),
    spliceMetadata(object.json, edits),
    labels === undefined ? object.labels : internLabels({ ...object.labels, ...labels }),
    object.fields,
  );
}

/** A class, so that 200,000 of them share one shape. */
class OwnedObject implements HeldObject {
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
  readonly json: Buffer;
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;

  constructor(
    namespace: string,
    name: string,
    version: number,
    json: Buffer,
    labels: HeldObject['labels'],
    fields: HeldObject['fields'],
  ) {
    this.namespace = namespace;
    this.name = name;
    this.version = version;
    this.json = json;
    this.labels = labels;
    this.fields = fields;
  }
}

function readObject(json: Buffer, object: unknown, type: HeldType): HeldObject {
  const metadata = memberOf(object, 'metadata');
  const name = memberOf(metadata, 'name');
  const namespace = memberOf(metadata, 'namespace') ?? '';
  if (typeof name !== 'string' || name === '') refuse('metadata.name is missing');
  if (typeof namespace !== 'string' || (namespace === '') === type.namespaced)
    refuse(`metadata.namespace is ${type.namespaced ? 'missing' : 'not for this type'}: ${name}`);
  return new OwnedObject(
    intern(namespace),
    name,
    versionOf(memberOf(metadata, 'resourceVersion')),
    json,
    labelsOf(memberOf(metadata, 'labels') ?? {}),
    fieldsOf(object, type),
  );
}

function parseObject(json: Buffer): unknown {
  if (!isUtf8(json)) refuse('not UTF-8');
  try {
    const object: unknown = JSON.parse(json.toString());
    return object;
  } catch (error) {
    return refuse(messageOf(error));
  }
}

function versionOf(text: unknown): number {
  const version = typeof text === 'string' && /^[1-9][0-9]{0,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(version)) refuse(`metadata.resourceVersion is ${JSON.stringify(text)?.slice(0, 40)}`);
  return version;
}

function labelsOf(labels: unknown): HeldObject['labels'] {
  if (typeof labels !== 'object' || labels === null) return refuse('metadata.labels is no object');
  for (const [key, value] of Object.entries(labels)) {
    if (typeof value !== 'string') refuse(`metadata.labels[${JSON.stringify(key.slice(0, 80))}] is no string`);
  }
  return internLabels(labels as Readonly<Record<string, string>>);
}

function fieldsOf(object: unknown, type: HeldType): HeldObject['fields'] {
  const fields: Record<string, string> = {};
  for (const { path, segments, missing } of fieldPaths(type)) {
    const value = segments.reduce(memberOf, object);
    fields[path] = intern(scalarText(value) ?? missing);
  }
  return fields;
}

interface FieldPath {
  readonly path: string;
  readonly segments: readonly string[];
  /** What a missing field counts as. */
  readonly missing: string;
}

const pathsOfTypes = new WeakMap<HeldType, readonly FieldPath[]>();

function fieldPaths(type: HeldType): readonly FieldPath[] {
  const known = pathsOfTypes.get(type);
  if (known !== undefined) return known;
  const paths = type.selectableFields.map((path): FieldPath => {
    const segments = path.split('.');
    const schema = segments.reduce<unknown>(
      (at, segment) => memberOf(memberOf(at, 'properties'), segment),
      type.schema,
    );
    return { path, segments, missing: scalarText(memberOf(schema, 'default')) ?? '' };
  });
  pathsOfTypes.set(type, paths);
  return paths;
}

function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

/** `Buffer.from` and `allocUnsafe` cut short ones from a pool, and what a socket read is a part of more. */
function ownedCopy(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength === bytes.length) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** In valid JSON they stand between tokens only. */
function blankLineBreaks(json: Buffer): void {
  for (const lineBreak of [0x0a, 0x0d]) {
    for (let at = json.indexOf(lineBreak); at !== -1; at = json.indexOf(lineBreak, at + 1)) json[at] = 0x20;
  }
}

/** Namespaces, label values, node names: few, and in thousands of objects. Only memory depends on these two. */
const words = new BoundedMap<string, string>(65_536);
const labelSets = new BoundedMap<string, HeldObject['labels']>(16_384);

function intern(word: string): string {
  if (word.length > 128) return word;
  const known = words.get(word);
  if (known !== undefined) return known;
  words.set(word, word);
  return word;
}

function internLabels(labels: Readonly<Record<string, string>>): HeldObject['labels'] {
  const text = JSON.stringify(labels);
  const known = labelSets.get(text);
  if (known !== undefined) return known;
  const set = Object.freeze(
    Object.fromEntries(Object.entries(labels).map(([key, value]) => [intern(key), intern(value)])),
  );
  if (text.length < 2048) labelSets.set(text, set);
  return set;
}

function refuse(problem: string): never {
  throw resourceError('object-unreadable', { detail: problem });
}
