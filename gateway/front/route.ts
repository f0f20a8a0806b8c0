import { apiError, parseEdgePath } from '../../api/index.ts';
import { isDnsLabel, isDnsName } from '../../base/index.ts';
import { isPlainPath } from '../../tunnel/index.ts';
import { frontError } from './front-error.ts';

/** Where a request goes: a service of an edge, or an address as the edge's agent sees it. */
export type Route =
  | {
      readonly to: 'service';
      readonly edge: string;
      readonly service: string;
      /** With the query; starts with a slash. */
      readonly path: string;
      /** What stood before the path in the URL; empty when the service has a name of its own. */
      readonly prefix: string;
      /** The authority of an absolute form, which is what counts then, and not `Host`. */
      readonly authority?: string;
    }
  | { readonly to: 'address'; readonly edge: string; readonly address: string };
export type ServiceRoute = Extract<Route, { readonly to: 'service' }>;

/** What names of edges end in, for clients that use the gateway as an HTTP proxy. */
export const EDGE_DOMAIN = '.edge.causeway';

const EDGES = '/edges/';

/**
 * The one reading of a request's target; everyone who decides by path takes it from here. Undefined when the request is
 * not for an edge. The path behind the service stays byte for byte, so what is ambiguous is refused instead of repaired.
 *
 * - origin form `/edges/{edge}/{service}/...`
 * - absolute form `http://{service}.{edge}.edge.causeway/...`
 *
 * Throws `name-invalid`, `path-invalid`, `address-needs-connect`.
 */
export function routeOf(requestTarget: string): ServiceRoute | undefined {
  if (requestTarget.startsWith('/')) return routeOfPath(requestTarget);
  const absolute = /^https?:\/\/([^/?#@]+)(.*)$/is.exec(requestTarget);
  if (absolute === null) return undefined;
  const [, authority = '', rest = ''] = absolute;
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  const route = routeOfAuthority(authority);
  if (route === undefined) return routeOfPath(path);
  if (route.to === 'address') throw frontError('address-needs-connect', { detail: authority });
  return { ...route, path: checkedPath(path), authority };
}

/**
 * Reads `host:port` of a CONNECT, or the authority of an absolute form. Undefined when it names no edge.
 *
 * The label before `.edge.causeway` is the edge. What stands before that is a service when it is a single label and the port
 * is absent, 80 or 443, the ports that clients fill in by themselves; anything else is an address, that host and that port.
 * So `hello.edge-1.edge.causeway` is a service, and `hello.edge-1.edge.causeway:8080` and `10.0.0.7.edge-1.edge.causeway:443` are
 * addresses. Throws `name-invalid`.
 */
export function routeOfAuthority(authority: string): Route | undefined {
  const colon = authority.lastIndexOf(':');
  const port = colon === -1 ? '' : authority.slice(colon + 1);
  const name = (colon === -1 ? authority : authority.slice(0, colon)).toLowerCase().replace(/\.$/, '');
  if (!name.endsWith(EDGE_DOMAIN)) return undefined;
  const labels = name.slice(0, -EDGE_DOMAIN.length);
  const dot = labels.lastIndexOf('.');
  const edge = labels.slice(dot + 1);
  const host = dot === -1 ? '' : labels.slice(0, dot);
  if (!isDnsLabel(edge) || !isDnsName(host) || !isPort(port)) throw frontError('name-invalid', { detail: authority });
  const isService = isDnsLabel(host) && (port === '' || port === '80' || port === '443');
  if (isService) return { to: 'service', edge, service: host, path: '/', prefix: '' };
  return { to: 'address', edge, address: `${host}:${port === '' ? '80' : port}` };
}

function routeOfPath(target: string): ServiceRoute | undefined {
  if (!target.startsWith(EDGES)) return undefined;
  const [edge = '', service = ''] = target.slice(EDGES.length).split(/[/?]/, 2);
  if (!isDnsLabel(edge)) throw frontError('name-invalid', { detail: `edge ${JSON.stringify(edge.slice(0, 64))}` });
  if (!isDnsLabel(service))
    throw frontError('name-invalid', { detail: `service ${JSON.stringify(service.slice(0, 64))}` });
  const rest = parseEdgePath(target)?.rest ?? '/';
  return { to: 'service', edge, service, path: checkedPath(rest), prefix: `${EDGES}${edge}/${service}` };
}

function checkedPath(target: string): string {
  if (!isPlainPath(target))
    throw apiError('path-invalid', 'dot segments, broken escapes, or characters that have to be escaped');
  return target;
}

function isPort(text: string): boolean {
  return text === '' || (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535);
}
