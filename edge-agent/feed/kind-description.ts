import { CodedError } from '../../base/index.ts';
import {
  qualifiedName,
  type DiscoveryClient,
  type FedKind,
  type FoundResource,
  type ResourceClient,
} from '../../resources/index.ts';

/**
 * What a replica has to know of a kind: from the API's discovery and, for a custom one, from its definition. Throws
 * `resource-unknown`, and what the client throws.
 */
export async function describeKind(
  name: string,
  client: ResourceClient,
  discovery: DiscoveryClient,
  signal: AbortSignal,
): Promise<FedKind> {
  const found = await discovery.find(name, { signal });
  const { group, version, resource, kind, singular, shortNames, categories, namespaced } = found;
  const definition = group.includes('.') ? await definitionOf(found, client, signal) : undefined;
  const served = definition === undefined ? undefined : servedVersion(definition, version);
  return {
    group,
    version,
    resource,
    kind,
    listKind: found.listKind ?? `${kind}List`,
    singular,
    shortNames: [...shortNames].slice(0, 64),
    categories: [...categories].slice(0, 64),
    namespaced,
    verbs: verbs.filter((verb) => found.verbs.includes(verb)),
    hasStatus: served === undefined ? true : isRecord(served['subresources']) && 'status' in served['subresources'],
    ...(served === undefined ? {} : { columns: columnsOf(served) }),
    selectableFields: served === undefined ? [] : fieldsOf(served),
  };
}

type Verb = FedKind['verbs'][number];
type Column = NonNullable<FedKind['columns']>[number];

const verbs: readonly Verb[] = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
const columnTypes: readonly Column['type'][] = ['string', 'integer', 'number', 'boolean', 'date'];

/** Undefined: the kind has none, or it may not be read. */
async function definitionOf(
  found: FoundResource,
  client: ResourceClient,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${qualifiedName(found)}`;
  try {
    const { value } = await client.json('GET', path, { signal });
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof CodedError && error.status >= 400 && error.status < 500) return undefined;
    throw error;
  }
}

function servedVersion(definition: Readonly<Record<string, unknown>>, version: string) {
  const { spec } = definition;
  return recordsIn(isRecord(spec) ? spec['versions'] : undefined).find(({ name }) => name === version);
}

function columnsOf(served: Readonly<Record<string, unknown>>): Column[] {
  return recordsIn(served['additionalPrinterColumns'])
    .slice(0, 64)
    .flatMap(({ name, type, jsonPath, priority, description }) => {
      if (typeof name !== 'string' || typeof jsonPath !== 'string') return [];
      const known = columnTypes.find((each) => each === type) ?? 'string';
      return [
        {
          name: name.slice(0, 253),
          type: known,
          priority: Number.isSafeInteger(priority) ? Number(priority) : 0,
          value: jsonPath.slice(0, 4096),
          ...(typeof description === 'string' ? { description: description.slice(0, 4096) } : {}),
        },
      ];
    });
}

function fieldsOf(served: Readonly<Record<string, unknown>>): string[] {
  return recordsIn(served['selectableFields'])
    .slice(0, 64)
    .flatMap(({ jsonPath }) => (typeof jsonPath === 'string' ? [jsonPath.replace(/^\./u, '').slice(0, 253)] : []));
}

function recordsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
