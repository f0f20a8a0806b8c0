import { metadataSchema } from '../types/metadata-schema.ts';
import type { ObjectSchema, ResourceType } from '../types/resource-type.ts';
import { isRecord } from './json-record.ts';

/** Where a strategic merge patch is in the object: what it knows of the fields there. */
export interface MergeContext {
  readonly schema: ObjectSchema | undefined;
  /** The field that the object stands in; lists do not count. */
  readonly field: string;
}

/** How a list is merged: items are told apart by a key, or by themselves; undefined: the new one replaces the old one. */
export type ListStrategy = { readonly key: string } | 'set' | undefined;

/** The strategies of lists that a schema says nothing of, since it leaves the part open: those of the core kinds. */
const known: Readonly<Record<string, ListStrategy>> = {
  containers: { key: 'name' },
  initContainers: { key: 'name' },
  ephemeralContainers: { key: 'name' },
  env: { key: 'name' },
  volumes: { key: 'name' },
  volumeMounts: { key: 'mountPath' },
  volumeDevices: { key: 'devicePath' },
  imagePullSecrets: { key: 'name' },
  secrets: { key: 'name' },
  hostAliases: { key: 'ip' },
  topologySpreadConstraints: { key: 'topologyKey' },
  schedulingGates: { key: 'name' },
  resourceClaims: { key: 'name' },
  conditions: { key: 'type' },
  addresses: { key: 'type' },
  podIPs: { key: 'ip' },
  hostIPs: { key: 'ip' },
  ownerReferences: { key: 'uid' },
  finalizers: 'set',
  podCIDRs: 'set',
};

const portsOfContainers: ListStrategy = { key: 'containerPort' };
const portsOfServices: ListStrategy = { key: 'port' };
const containerFields: ReadonlySet<string> = new Set(['containers', 'initContainers', 'ephemeralContainers']);

export function rootContext({ schema }: Pick<ResourceType, 'schema'>): MergeContext {
  return { schema, field: '' };
}

export function contextUnder({ schema, field }: MergeContext, key: string): MergeContext {
  // Metadata is the same everywhere, whatever the schema of a kind says of it.
  if (field === '' && key === 'metadata') return { schema: metadataSchema, field: key };
  return { schema: schemaUnder(schema, key), field: key };
}

/** Of the items of the list that this is the context of. */
export function itemContext({ schema, field }: MergeContext): MergeContext {
  const items = schema?.['items'];
  return { schema: isRecord(items) ? items : undefined, field };
}

/** `parentField`: the field that holds the list's object, which tells the ports of containers from those of services. */
export function listStrategy({ schema, field }: MergeContext, parentField: string): ListStrategy {
  if (schema !== undefined) {
    const strategy = schema['x-kubernetes-patch-strategy'];
    if (typeof strategy === 'string' && strategy.split(',').includes('merge')) {
      const key = schema['x-kubernetes-patch-merge-key'];
      return typeof key === 'string' ? { key } : 'set';
    }
    return undefined;
  }
  if (field === 'ports') return containerFields.has(parentField) ? portsOfContainers : portsOfServices;
  return Object.hasOwn(known, field) ? known[field] : undefined;
}

/** Undefined where the schema leaves the key open. */
function schemaUnder(schema: ObjectSchema | undefined, key: string): ObjectSchema | undefined {
  const properties = schema?.['properties'];
  if (isRecord(properties) && Object.hasOwn(properties, key)) {
    const found = properties[key];
    return isRecord(found) ? found : undefined;
  }
  const values = schema?.['additionalProperties'];
  return isRecord(values) ? values : undefined;
}
