import type { RoleGrant } from './policy.ts';
import { selectsEdge } from './edge-selection.ts';
import type { Asked, Extent } from './decide.ts';

const reads = new Set(['get', 'list', 'watch']);

/** What an operator may write of the fleet's own; who is shut out he may say, and not take it back. */
const operatorWrites = new Map([
  ['edgenodes', undefined],
  ['jointokens', undefined],
  ['revocations', new Set(['create'])],
  ['emergencydenials', new Set(['create'])],
]);

/** What can be looked at below an object; everything else there opens a connection, or does something. */
const viewedSubresources = new Set(['', 'status', 'scale', 'log']);

/** What the built-in roles allow. A role at certain edges covers these, of the fleet's own resources their `EdgeNode`, and no more. */
export function roleExtent({ role, edges }: RoleGrant, asked: Asked): Extent {
  if (asked.edge !== '') {
    if (edges !== undefined && !selectsEdge(edges, asked.edge, asked.edgeLabels)) return 'none';
    return role !== 'viewer' || isView(asked) ? 'all' : 'none';
  }
  if (role !== 'admin' && !isFleetAllowed(role, asked)) return 'none';
  if (edges === undefined) return 'all';
  if (asked.group !== FLEET_GROUP || asked.resource !== 'edgenodes') return 'none';
  const { labelsOf } = asked;
  if (asked.name !== '') return selectsEdge(edges, asked.name, labelsOf(asked.name)) ? 'all' : 'none';
  return asked.isMany ? ({ name }) => selectsEdge(edges, name, labelsOf(name)) : 'none';
}

export const FLEET_GROUP = 'causeway.io';

/** What others did, and were refused, is an admin's alone to read. */
const adminOnly = new Set(['audit', '*']);

function isFleetAllowed(role: 'operator' | 'viewer', { group, resource, verb }: Asked): boolean {
  if ((group === FLEET_GROUP || group === '*') && adminOnly.has(resource)) return false;
  if (reads.has(verb)) return true;
  if (role === 'viewer' || group !== FLEET_GROUP || !operatorWrites.has(resource)) return false;
  return operatorWrites.get(resource)?.has(verb) ?? true;
}

function isView({ verb, service, kube, group, resource, subresource }: Asked): boolean {
  if (!reads.has(verb) || service === '') return false;
  if (service !== 'kube') return true;
  if (kube !== 'object') return kube === 'document' || kube === 'health';
  const isSecret = resource === '*' || (group === '' && resource === 'secrets') || group === '*';
  return !isSecret && viewedSubresources.has(subresource);
}
