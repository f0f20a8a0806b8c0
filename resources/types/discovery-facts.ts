import { knownType } from './kinds/known-types.ts';
import type { ResourceType, Verb } from './resource-type.ts';
import { isRecord, recordAt, stringsAt } from './schema-node.ts';

/** What an API says of one of its resources. */
export interface ResourceFacts {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly hasStatus: boolean;
}

/** Resources that are read from one document; a real API has some hundreds. */
const maxResources = 5000;
const maxNameCharacters = 253;

/**
 * Reads `/api/v1` or `/apis/{group}/{version}` of any API. What is not understood is left out; nothing of it throws.
 * Subresources are no resources of their own.
 */
export function parseResourceList(document: unknown): readonly ResourceFacts[] {
  if (!isRecord(document) || document['kind'] !== 'APIResourceList') return [];
  const [version = '', group = ''] = nameAt(document, 'groupVersion').split('/').reverse();
  if (version === '') return [];
  const listed = recordsIn(document['resources']);
  const names = new Set(listed.map((resource) => resource['name']));
  return listed.flatMap((resource) => {
    const name = pathPartAt(resource, 'name');
    const kind = nameAt(resource, 'kind');
    if (name === '' || kind === '') return [];
    return [
      {
        group,
        version,
        resource: name,
        singular: nameAt(resource, 'singularName') || kind.toLowerCase(),
        kind,
        namespaced: resource['namespaced'] === true,
        shortNames: namesAt(resource, 'shortNames'),
        categories: namesAt(resource, 'categories'),
        verbs: namesAt(resource, 'verbs'),
        hasStatus: names.has(`${name}/status`),
      },
    ];
  });
}

/** Reads `/api` or `/apis` in the aggregated form, v2 or v2beta1. As `parseResourceList`. */
export function parseAggregatedDiscovery(document: unknown): readonly ResourceFacts[] {
  if (!isRecord(document) || document['kind'] !== 'APIGroupDiscoveryList') return [];
  const facts: ResourceFacts[] = [];
  for (const item of recordsIn(document['items'])) {
    const group = nameAt(recordAt(item, 'metadata') ?? {}, 'name');
    for (const version of recordsIn(item['versions'])) {
      for (const resource of recordsIn(version['resources'])) {
        const fact = aggregatedFacts(resource, group, pathPartAt(version, 'version'));
        if (fact !== undefined && facts.length < maxResources) facts.push(fact);
      }
    }
  }
  return facts;
}

/** The group and version paths that are to be read where there is no aggregated form: from `/api` and `/apis`. */
export function parseGroupVersions(document: unknown): readonly string[] {
  if (!isRecord(document)) return [];
  if (document['kind'] === 'APIVersions') return namesAt(document, 'versions').map((version) => `/api/${version}`);
  if (document['kind'] !== 'APIGroupList') return [];
  return recordsIn(document['groups'])
    .flatMap((group) => recordsIn(group['versions']))
    .map((version) => nameAt(version, 'groupVersion'))
    .filter((groupVersion) => groupVersion !== '')
    .map((groupVersion) => `/apis/${groupVersion}`);
}

/** A type for a resource of another API: any field, and the columns that its kind is known by. */
export function typeOfFacts(facts: ResourceFacts): ResourceType {
  const known = knownType(facts.group, facts.version, facts.resource);
  return {
    ...facts,
    listKind: `${facts.kind}List`,
    verbs: facts.verbs.filter(isVerb),
    schema: { 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true },
    columns: known?.columns ?? [],
    selectableFields: known?.selectableFields ?? [],
  };
}

function aggregatedFacts(
  resource: Readonly<Record<string, unknown>>,
  group: string,
  version: string,
): ResourceFacts | undefined {
  const name = pathPartAt(resource, 'resource');
  const kind = nameAt(recordAt(resource, 'responseKind') ?? {}, 'kind');
  if (name === '' || kind === '' || version === '') return undefined;
  return {
    group,
    version,
    resource: name,
    singular: nameAt(resource, 'singularResource') || kind.toLowerCase(),
    kind,
    namespaced: resource['scope'] === 'Namespaced',
    shortNames: namesAt(resource, 'shortNames'),
    categories: namesAt(resource, 'categories'),
    verbs: namesAt(resource, 'verbs'),
    hasStatus: recordsIn(resource['subresources']).some((part) => part['subresource'] === 'status'),
  };
}

function isVerb(verb: string): verb is Verb {
  return ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'].includes(verb);
}

function recordsIn(list: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(list) ? list.slice(0, maxResources).filter(isRecord) : [];
}

function nameAt(record: Readonly<Record<string, unknown>>, key: string): string {
  const value = record[key];
  return typeof value === 'string' && isName(value) ? value : '';
}

/** A name with a slash is that of a subresource. */
function pathPartAt(record: Readonly<Record<string, unknown>>, key: string): string {
  const name = nameAt(record, key);
  return name.includes('/') ? '' : name;
}

function namesAt(record: Readonly<Record<string, unknown>>, key: string): readonly string[] {
  return stringsAt(record, key).slice(0, 100).filter(isName);
}

/** Names go into paths, metrics and the fleet's own discovery: nothing that could be more than a name. */
function isName(text: string): boolean {
  return text.length <= maxNameCharacters && /^[A-Za-z0-9][A-Za-z0-9./_-]*$/.test(text) && !text.includes('..');
}
