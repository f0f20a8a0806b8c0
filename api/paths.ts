import { isDnsLabel } from '../base/index.ts';
import { apiError } from './api-error.ts';

/** A longer request target is refused before it is looked at. */
const maxTargetLength = 16 * 1024;

export const apiVersion = 'causeway.io/v1';
export const healthPath = '/healthz';
export const readyPath = '/readyz';
export const metricsPath = '/metrics';
export const edgeNodesPath = `/apis/${apiVersion}/edgenodes`;

/** A service at an edge, and what is asked of it. */
export interface EdgePath {
  readonly edge: string;
  readonly service: string;
  /** What the service gets: begins with `/`, with the query, as the caller wrote it. */
  readonly rest: string;
}

/**
 * Reads `/edges/{edge}/{service}/...`, a request's target as it stands in the request line; undefined when it is not below
 * `/edges/`. Names are DNS labels as they are: no escapes, so that nobody can read another name than the policy did.
 * Throws `path-invalid` for a name that is none, and for dot segments, escaped ones too: what they lead to depends on who
 * resolves them.
 */
export function parseEdgePath(target: string): EdgePath | undefined {
  const prefix = '/edges/';
  if (!target.startsWith(prefix)) return undefined;
  const path = pathOf(target);
  const [edge = '', service = ''] = path.slice(prefix.length).split('/', 2);
  if (!isDnsLabel(edge)) throw apiError('path-invalid', `${JSON.stringify(edge.slice(0, 64))} is no name of an edge`);
  if (!isDnsLabel(service))
    throw apiError('path-invalid', `${JSON.stringify(service.slice(0, 64))} is no name of a service`);
  const rest = target.slice(prefix.length + edge.length + 1 + service.length);
  return { edge, service, rest: rest.startsWith('/') ? rest : `/${rest}` };
}

/** Builds the path of a service at an edge; `rest` begins with `/`. Throws `path-invalid` for what would not be read back. */
export function edgePath({ edge, service, rest }: EdgePath): string {
  const path = `/edges/${edge}/${service}${rest}`;
  const parsed = rest.startsWith('/') ? parseEdgePath(path) : undefined;
  if (parsed?.edge !== edge || parsed.service !== service)
    throw apiError('path-invalid', JSON.stringify(path.slice(0, 200)));
  return path;
}

/** `EdgeNode` objects: all of them, one, or the status of one. */
export interface EdgeNodesPath {
  readonly name: string | undefined;
  readonly subresource: 'status' | undefined;
}

/** Reads `/apis/causeway.io/v1/edgenodes[/{name}[/status]]`; undefined for other paths. Throws `path-invalid`. */
export function parseEdgeNodesPath(target: string): EdgeNodesPath | undefined {
  if (!target.startsWith(edgeNodesPath)) return undefined;
  const path = pathOf(target);
  if (path === edgeNodesPath || path === `${edgeNodesPath}/`) return { name: undefined, subresource: undefined };
  if (path[edgeNodesPath.length] !== '/') return undefined;
  const [name = '', subresource, ...more] = path.slice(edgeNodesPath.length + 1).split('/');
  if (!isDnsLabel(name)) throw apiError('path-invalid', `${JSON.stringify(name.slice(0, 64))} is no name of an edge`);
  if (more.length > 0 || (subresource !== undefined && subresource !== 'status')) {
    throw apiError('path-invalid', JSON.stringify(path.slice(0, 200)));
  }
  return { name, subresource };
}

/** The path of one `EdgeNode`, or of its status. Throws `path-invalid`. */
export function edgeNodePath(name: string, subresource?: 'status'): string {
  if (!isDnsLabel(name)) throw apiError('path-invalid', `${JSON.stringify(name.slice(0, 64))} is no name of an edge`);
  return `${edgeNodesPath}/${name}${subresource === undefined ? '' : `/${subresource}`}`;
}

/** The path of a target without its query, checked for what can be read in two ways. */
function pathOf(target: string): string {
  if (target.length > maxTargetLength) throw apiError('path-invalid', `longer than ${maxTargetLength} characters`);
  // RFC 9112, 3.2: a target holds no spaces, controls, or a fragment; a backslash is a slash to some.
  if (!/^[\x21-\x7e]*$/.test(target) || /[#\\]/.test(target))
    throw apiError('path-invalid', 'characters that have to be escaped');
  const [path = ''] = target.split('?', 1);
  if (path.split('/').some((segment) => /^(?:\.|%2e){1,2}(?:;.*)?$/i.test(segment)))
    throw apiError('path-invalid', 'dot segments');
  return path;
}
