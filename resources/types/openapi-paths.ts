import { apiVersionOf, isBuiltIn, type ResourceType, type Verb } from './resource-type.ts';

/** One operation on one path, as OpenAPI v2 and v3 both have it. */
export interface ApiOperation {
  readonly path: string;
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'patch';
  /** As `x-kubernetes-action` says it. */
  readonly action: 'get' | 'list' | 'post' | 'put' | 'patch' | 'delete' | 'deletecollection';
  readonly type: ResourceType;
  /** Of its parameters in the path. */
  readonly pathParameters: readonly string[];
  readonly queryParameters: readonly QueryParameter[];
}

export interface QueryParameter {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean';
  readonly description: string;
}

const writing: readonly QueryParameter[] = [
  // kubectl looks for these two on PATCH before it offers `--dry-run=server` and leaves validation to the server.
  { name: 'dryRun', type: 'string', description: 'All: check and answer as if it were done, and do nothing.' },
  { name: 'fieldManager', type: 'string', description: 'Name of the client or part of it that makes the change.' },
  {
    name: 'fieldValidation',
    type: 'string',
    description: 'What unknown and doubled fields are: Ignore, Warn or Strict, which refuses them.',
  },
];

const deleting: readonly QueryParameter[] = [
  ...writing.slice(0, 1),
  { name: 'gracePeriodSeconds', type: 'integer', description: 'Seconds until the object is gone; 0: at once.' },
  {
    name: 'propagationPolicy',
    type: 'string',
    description: 'What becomes of objects that belong to this one: Orphan, Background or Foreground.',
  },
];

const selecting: readonly QueryParameter[] = [
  { name: 'labelSelector', type: 'string', description: 'Only objects with these labels.' },
  { name: 'fieldSelector', type: 'string', description: 'Only objects with these fields.' },
  { name: 'limit', type: 'integer', description: 'At most so many objects in one answer.' },
  { name: 'continue', type: 'string', description: 'From an earlier answer: go on behind it.' },
  { name: 'resourceVersion', type: 'string', description: 'State that the answer is to show.' },
  {
    name: 'resourceVersionMatch',
    type: 'string',
    description: 'How resourceVersion is meant: Exact or NotOlderThan.',
  },
  { name: 'timeoutSeconds', type: 'integer', description: 'End after so many seconds.' },
];

const watching: readonly QueryParameter[] = [
  { name: 'watch', type: 'boolean', description: 'Send changes as they happen, one line each.' },
  { name: 'allowWatchBookmarks', type: 'boolean', description: 'Send events that say how far a watch has come.' },
  { name: 'sendInitialEvents', type: 'boolean', description: 'Begin a watch with what there is.' },
];

/** What can be done with the objects of a type, path by path. */
export function operationsOf(type: ResourceType): readonly ApiOperation[] {
  const root = `/${type.group === '' ? 'api' : 'apis'}/${apiVersionOf(type)}`;
  const scope = type.namespaced ? '/namespaces/{namespace}' : '';
  const inScope = type.namespaced ? ['namespace'] : [];
  const all = `${root}${scope}/${type.resource}`;
  const operations: ApiOperation[] = [];
  const add = (
    verb: Verb,
    path: string,
    action: ApiOperation['action'],
    queryParameters: readonly QueryParameter[],
    pathParameters: readonly string[],
  ): void => {
    if (!type.verbs.includes(verb)) return;
    operations.push({ path, method: methods[action], action, type, pathParameters, queryParameters });
  };
  add('list', all, 'list', [...selecting, ...watching], inScope);
  add('create', all, 'post', writing, inScope);
  add('deletecollection', all, 'deletecollection', [...selecting, ...deleting], inScope);
  if (type.namespaced) add('list', `${root}/${type.resource}`, 'list', [...selecting, ...watching], []);
  for (const path of type.hasStatus ? [`${all}/{name}`, `${all}/{name}/status`] : [`${all}/{name}`]) {
    const named = [...inScope, 'name'];
    add('get', path, 'get', [], named);
    add('update', path, 'put', writing, named);
    if (!path.endsWith('/status')) add('delete', path, 'delete', deleting, named);
    add('patch', path, 'patch', [...writing, forceParameter], named);
  }
  return operations;
}

const forceParameter: QueryParameter = {
  name: 'force',
  type: 'boolean',
  description: 'Take over fields that other managers have set.',
};

const methods: Readonly<Record<ApiOperation['action'], ApiOperation['method']>> = {
  get: 'get',
  list: 'get',
  post: 'post',
  put: 'put',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete',
};

/** By these kubectl decides in which form it sends a change. */
export function patchMediaTypes(type: ResourceType): readonly string[] {
  const strategic = isBuiltIn(type) ? ['application/strategic-merge-patch+json'] : [];
  return ['application/json-patch+json', 'application/merge-patch+json', ...strategic];
}

/** What stands at an operation and at a definition so that clients find it by group, version and kind. */
export function kindReference({ group, version, kind }: ResourceType): object {
  return { group, version, kind };
}

/** The key of a type's schema: `io.k8s.api.core.v1.Pod`, `io.kubevirt.v1.VirtualMachine`. */
export function definitionName({ group, version, kind }: ResourceType): string {
  const space = group === '' ? 'io.k8s.api.core' : group.split('.').reverse().join('.');
  return `${space}.${version}.${kind}`;
}

export const metadataDefinition = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
