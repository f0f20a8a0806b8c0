import { apiError } from '../../api/index.ts';
import type { ResourceType } from '../types/resource-type.ts';

/** As much of a resource as a client has to know to ask for it. */
export type ResourceRef = Pick<ResourceType, 'group' | 'version' | 'resource' | 'kind' | 'namespaced'> &
  Partial<Pick<ResourceType, 'listKind'>>;

/** Where in a resource a request goes. */
export interface ResourcePlace {
  /** Missing or empty: all namespaces, or none. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  /** `status`, `scale`. */
  readonly subresource?: string | undefined;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * The path of a resource, or of an object, with its query. Throws `path-invalid` for a name that cannot stand in a
 * path.
 */
export function resourcePath(
  { group, version, resource }: Pick<ResourceRef, 'group' | 'version' | 'resource'>,
  { namespace = '', name = '', subresource = '' }: ResourcePlace = {},
  query: Query = {},
): string {
  const segments = [
    ...(group === '' ? ['api'] : ['apis', group]),
    version,
    ...(namespace === '' ? [] : ['namespaces', namespace]),
    resource,
    ...[name, subresource].filter((segment) => segment !== ''),
  ];
  return `/${segments.map(segmentOf).join('/')}${queryOf(query)}`;
}

/** Empty, or `?` and the parameters that are said. */
export function queryOf(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, String(value));
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

function segmentOf(segment: string): string {
  if (segment === '.' || segment === '..' || segment.includes('/'))
    throw apiError('path-invalid', JSON.stringify(segment.slice(0, 100)));
  return encodeURIComponent(segment);
}
