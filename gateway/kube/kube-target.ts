import { BoundedMap } from '../../base/index.ts';
import {
  isWatch,
  parseRequestPath,
  type AccessAttributes,
  type RequestPath,
  type ResourcePath,
} from '../../resources/index.ts';
import { routeOf, type ServiceRoute } from '../front/index.ts';

/** What the target of a request for the Kubernetes API of an edge says. Shared by all who ask for the same: not to be changed. */
export interface KubeTarget {
  readonly edge: string;
  /** As the edge's API gets it. */
  readonly target: string;
  /** Undefined when it is none of a Kubernetes API. */
  readonly path: RequestPath | undefined;
  readonly query: URLSearchParams;
  /** What is asked for, where it names a resource. */
  readonly asked: AccessAttributes | undefined;
  /** One object, in whatever state there is. */
  readonly isPlainGet: boolean;
}

/** Targets that are kept, and the longest of them: clients ask for the same again and again. */
const MAX_KEPT = 4096;
const MAX_KEPT_LENGTH = 512;

/** Reads targets, each once. */
export class KubeTargets {
  readonly #known = new BoundedMap<string, KubeTarget>(MAX_KEPT);

  /** Undefined when it is for something else, or cannot be read. */
  read(target: string): KubeTarget | undefined {
    const known = this.#known.get(target);
    if (known !== undefined) return known;
    const route = kubeRouteOf(target);
    if (route === undefined) return undefined;
    const read = kubeTargetOf(route);
    if (target.length <= MAX_KEPT_LENGTH) this.#known.set(target, read);
    return read;
  }
}

function kubeRouteOf(target: string): ServiceRoute | undefined {
  try {
    const route = routeOf(target);
    return route?.service === 'kube' ? route : undefined;
  } catch {
    // The front finds the same, and says so.
    return undefined;
  }
}

function kubeTargetOf({ edge, path: target }: ServiceRoute): KubeTarget {
  const at = target.indexOf('?');
  const path = pathOf(at === -1 ? target : target.slice(0, at));
  const query = new URLSearchParams(at === -1 ? '' : target.slice(at + 1));
  const watched = isWatchQuery(query);
  const asked = path?.kind === 'resource' ? attributesOf(edge, path, watched) : undefined;
  const isPlainGet = asked?.verb === 'get' && asked.subresource === '' && query.toString() === 'resourceVersion=0';
  return { edge, target, path, query, asked, isPlainGet };
}

/** What cannot be read here may still mean something to the edge. */
function pathOf(path: string): RequestPath | undefined {
  try {
    return parseRequestPath(path);
  } catch {
    return undefined;
  }
}

/** A flag that cannot be read is found again, and refused, by whoever answers. */
function isWatchQuery(query: URLSearchParams): boolean {
  try {
    return isWatch(query);
  } catch {
    return false;
  }
}

/** What is asked for, for the policy. */
export function attributesOf(edge: string, path: ResourcePath, watch: boolean): AccessAttributes {
  const { group, resource, subresource, namespace, name } = path;
  const verb = watch ? 'watch' : name === '' ? 'list' : 'get';
  return { edge, verb, group, resource, subresource, namespace, name };
}
