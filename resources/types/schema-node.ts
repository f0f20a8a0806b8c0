import { resourceError } from '../resource-error.ts';
import { metadataSchema } from './metadata-schema.ts';
import type { ObjectSchema } from './resource-type.ts';

/** What one schema may hold. Real ones stay far below: KubeVirt's largest has about 4,000 nodes in 20 levels. */
export const schemaLimits = { maxNodes: 50_000, maxDepth: 60, maxPatternCharacters: 2000, maxEnumValues: 1000 };

/**
 * One place of a structural schema, read once into a form in which nothing has to be looked up by name again. Types are
 * checked by the border that let the schema in (`crd.ts`); here what is not understood is taken as not said.
 */
export interface SchemaNode {
  readonly raw: ObjectSchema;
  readonly properties: ReadonlyMap<string, SchemaNode>;
  /** Of a map: the schema of its values; true: anything. */
  readonly values: SchemaNode | true | undefined;
  readonly items: SchemaNode | undefined;
  readonly isOpen: boolean;
  readonly isIntOrString: boolean;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  /** Names whose values make an item of a list unique; empty and `isSet`: the whole item does. */
  readonly listKeys: readonly string[];
  readonly isSet: boolean;
}

/** Reads the schema of a whole object: `apiVersion`, `kind` and `metadata` are what every object has. Throws `definition-invalid`. */
export function readSchema(schema: ObjectSchema): SchemaNode {
  return readNode(withEnvelope(schema), 0, { nodes: 0, read: new Map() });
}

interface Reading {
  nodes: number;
  /** A part that is used in several places is one node. */
  readonly read: Map<ObjectSchema, SchemaNode>;
}

function readNode(raw: ObjectSchema, depth: number, reading: Reading): SchemaNode {
  const known = reading.read.get(raw);
  if (known !== undefined) return known;
  reading.nodes += 1;
  if (reading.nodes > schemaLimits.maxNodes || depth > schemaLimits.maxDepth)
    throw resourceError('definition-invalid', {
      detail: `a schema of more than ${schemaLimits.maxNodes} nodes or ${schemaLimits.maxDepth} levels`,
    });
  const embedded = raw['x-kubernetes-embedded-resource'] === true ? withEnvelope(raw) : raw;
  const properties = new Map<string, SchemaNode>();
  for (const [name, property] of Object.entries(recordAt(embedded, 'properties') ?? {}))
    if (isRecord(property)) properties.set(name, readNode(property, depth + 1, reading));
  const values = embedded['additionalProperties'];
  const items = recordAt(embedded, 'items');
  const listType = raw['x-kubernetes-list-type'];
  const node: SchemaNode = {
    raw: embedded,
    properties,
    values: isRecord(values) ? readNode(values, depth + 1, reading) : values === true ? true : undefined,
    items: items === undefined ? undefined : readNode(items, depth + 1, reading),
    isOpen: raw['x-kubernetes-preserve-unknown-fields'] === true,
    isIntOrString: raw['x-kubernetes-int-or-string'] === true,
    isNullable: raw['nullable'] === true,
    hasDefault: Object.hasOwn(raw, 'default'),
    listKeys: listType === 'map' ? stringsAt(raw, 'x-kubernetes-list-map-keys') : [],
    isSet: listType === 'set',
  };
  reading.read.set(raw, node);
  return node;
}

function withEnvelope(schema: ObjectSchema): ObjectSchema {
  const own = recordAt(schema, 'properties') ?? {};
  const metadata = recordAt(own, 'metadata');
  return {
    ...schema,
    type: 'object',
    properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, ...own, metadata: withRules(metadata) },
  };
}

/** A definition may only narrow the name: `metadata: {properties: {name: {maxLength: 63}}}`. */
function withRules(metadata: ObjectSchema | undefined): ObjectSchema {
  const rules = metadata === undefined ? undefined : recordAt(metadata, 'properties');
  const known = recordAt(metadataSchema, 'properties') ?? {};
  if (rules === undefined) return metadataSchema;
  const narrowed = ['name', 'generateName'].flatMap((field) => {
    const rule = recordAt(rules, field);
    return rule === undefined ? [] : [[field, { ...recordAt(known, field), ...rule }] as const];
  });
  return { ...metadataSchema, properties: { ...known, ...Object.fromEntries(narrowed) } };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function recordAt(schema: ObjectSchema, key: string): Readonly<Record<string, unknown>> | undefined {
  const value = Object.hasOwn(schema, key) ? schema[key] : undefined;
  return isRecord(value) ? value : undefined;
}

export function stringsAt(schema: ObjectSchema, key: string): readonly string[] {
  const value = Object.hasOwn(schema, key) ? schema[key] : undefined;
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
