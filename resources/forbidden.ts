import { CodedError } from '../base/index.ts';
import type { AccessAttributes } from './access.ts';
import { resourceCodes } from './resource-error.ts';

/**
 * `access-denied` in the words of Kubernetes, which people and scripts know by sight: `pods "web" is forbidden: User
 * "operator/alice" cannot get resource "pods" in API group "" in the namespace "shop"`, with the edge behind it. `hint`: how it may be
 * asked instead.
 */
export function forbidden(principal: string, attributes: AccessAttributes, hint = ''): CodedError {
  const { status, retryable, fix } = resourceCodes['access-denied'];
  const at = attributes.edge === '' ? '' : ` at the edge ${quoted(attributes.edge)}`;
  const message = `${subjectOf(attributes)}forbidden: User ${quoted(principal)} cannot ${actionOf(attributes)}${at}${hint}`;
  return new CodedError('access-denied', message, { status, retryable, fix });
}

function subjectOf({ group, resource, name }: AccessAttributes): string {
  if (resource === '') return '';
  return `${resource}${group === '' ? '' : `.${group}`}${name === '' ? '' : ` ${quoted(name)}`} is `;
}

function actionOf({
  verb,
  group,
  resource,
  subresource,
  namespace,
  service = '',
  path = '',
}: AccessAttributes): string {
  if (resource !== '') {
    const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${quoted(namespace)}`;
    const what = subresource === '' ? resource : `${resource}/${subresource}`;
    return `${verb} resource ${quoted(what)} in API group ${quoted(group)} ${where}`;
  }
  if (verb === 'connect')
    return service === '' ? `connect to ${quoted(path)}` : `connect to the service ${quoted(service)}`;
  return `${verb} path ${quoted(path)}${service === '' ? '' : ` of the service ${quoted(service)}`}`;
}

/** Much of it comes from the request. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 253));
}
