import type { Access, AccessAttributes } from '../../resources/index.ts';
import { partsOfFleetName } from './fleet-object.ts';

/** No edge has this name: what is allowed there is allowed at every edge. */
const ANY_EDGE = '*';

/** What a caller may see of all edges, by what he may see of each. */
export function fleetAccess(access: Access, edges: Iterable<string>): Access {
  const names = [...edges];
  return {
    principal: access.principal,
    allows: (attributes) => {
      const parts = partsOfFleetName(attributes.name);
      if (parts !== undefined) return access.allows({ ...attributes, ...parts });
      // All, or a name that nothing has.
      return names.some((edge) => access.allows({ ...attributes, edge }));
    },
    filter: (attributes) => filterOf(access, attributes, names),
    ...(access.onChange === undefined ? {} : { onChange: (listener) => access.onChange?.(listener) ?? (() => {}) }),
  };
}

function filterOf(
  access: Access,
  attributes: AccessAttributes,
  edges: readonly string[],
): ReturnType<NonNullable<Access['filter']>> {
  type Filter = NonNullable<ReturnType<NonNullable<Access['filter']>>> | 'all' | 'none';
  const filters = new Map<string, Filter>();
  const forEdge = (edge: string): Filter => {
    let filter = filters.get(edge);
    if (filter === undefined) {
      const atEdge = { ...attributes, edge };
      filter = access.allows(atEdge) ? (access.filter?.(atEdge) ?? 'all') : 'none';
      filters.set(edge, filter);
    }
    return filter;
  };
  // Edges may join while a watch is open: the filter is left out for who may see all, whichever edges there will be.
  if (forEdge(ANY_EDGE) === 'all' && edges.every((edge) => forEdge(edge) === 'all')) return undefined;
  return ({ namespace, name }) => {
    const parts = partsOfFleetName(name);
    if (parts === undefined) return false;
    const filter = forEdge(parts.edge);
    return filter === 'all' || (filter !== 'none' && filter({ namespace, name: parts.name }));
  };
}
