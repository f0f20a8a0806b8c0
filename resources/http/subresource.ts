import type { Subresource } from '../engine/object-rules.ts';
import { resourceError } from '../resource-error.ts';
import { qualifiedName, type ResourceType } from '../types/resource-type.ts';
import type { ResourcePath } from './request-path.ts';

/** The subresource of a path, of those that a type has. Throws `resource-unknown` for others (`log`, `exec` ...). */
export function subresourceOf(type: ResourceType, { subresource }: ResourcePath): Subresource {
  if (subresource === '' || (subresource === 'status' && type.hasStatus)) return subresource;
  throw resourceError('resource-unknown', { detail: `${qualifiedName(type)}/${subresource.slice(0, 100)}` });
}
