import { codedError, type CodeDetail, type CodedError, type CodeEntry } from '../base/index.ts';

/** The closed table of what the resource engine refuses. `docs/errors.md` repeats it. */
export const resourceCodes = {
  'version-expired': {
    status: 410,
    retryable: false,
    text: 'what changed since this resourceVersion is not kept any more',
    fix: 'list again, and watch from the version of that list',
  },
  'version-too-new': {
    status: 504,
    retryable: true,
    text: 'this resourceVersion has not been reached yet',
    fix: 'try again, or ask without a resourceVersion',
  },
  'object-not-found': {
    status: 404,
    retryable: false,
    text: 'there is no such object',
    fix: 'list what there is; names are case-sensitive',
  },
  'object-exists': {
    status: 409,
    retryable: false,
    text: 'an object of this name is already there',
    fix: 'update it, or choose another name',
  },
  'object-conflict': {
    status: 409,
    retryable: false,
    text: 'the object has changed since it was read',
    fix: 'read it again and apply the change to what it is now',
  },
  'object-unreadable': {
    status: 502,
    retryable: false,
    text: 'what should be an object cannot be taken in',
    fix: 'see what the source of these objects sends; the object is left out until it changes',
  },
  'selector-invalid': {
    status: 400,
    retryable: false,
    text: 'the selector is not valid',
    fix: 'see `kubectl get --help`: `-l key=value,other!=value`, `--field-selector metadata.name=x`',
  },
  'access-denied': {
    status: 403,
    retryable: false,
    text: 'this is not allowed',
    fix: 'ask an operator for access',
  },
  'request-invalid': {
    status: 400,
    retryable: false,
    text: 'the request is not valid',
    fix: 'correct the parameter that the message names',
  },
  'parameters-conflict': {
    status: 422,
    retryable: false,
    text: 'these parameters do not go together',
    fix: 'leave out the parameter that the message names',
  },
  'object-malformed': {
    status: 400,
    retryable: false,
    text: 'the body is not what this path takes',
    fix: 'send one object as JSON or YAML, with the kind and the names of its path',
  },
  'object-too-large': {
    status: 413,
    retryable: false,
    text: 'the body is too large',
    fix: 'send a smaller object',
  },
  'patch-inapplicable': {
    status: 422,
    retryable: false,
    text: 'the patch cannot be applied to the object',
    fix: 'read the object again and make the patch for what it is now',
  },
  'media-type-unsupported': {
    status: 415,
    retryable: false,
    text: 'bodies of this media type are not taken here',
    fix: 'use JSON or YAML; patches are JSON patches or merge patches',
  },
  'media-type-unacceptable': {
    status: 406,
    retryable: false,
    text: 'the answer cannot be given in the media type asked for',
    fix: 'accept application/json',
  },
  'verb-unsupported': {
    status: 405,
    retryable: false,
    text: 'this resource does not take that verb',
    fix: '`kubectl api-resources -o wide` lists the verbs of each resource',
  },
  'resource-unknown': {
    status: 404,
    retryable: false,
    text: 'there is no such resource',
    fix: '`kubectl api-resources` lists what there is',
  },
  'answer-malformed': {
    status: 502,
    retryable: false,
    text: 'the API answered with something that cannot be read',
    fix: 'look at what answers there: another program, another version, or something in between',
  },
  'answer-too-large': {
    status: 502,
    retryable: false,
    text: 'the API answered with more than is read at once',
    fix: 'ask for less: a namespace, a selector, or pages by `limit`',
  },
  'answer-missing': {
    status: 503,
    retryable: true,
    text: 'the API did not answer, or its answer was cut off',
    fix: 'look whether it runs, and at the way to it',
  },
  'definition-invalid': {
    status: 422,
    retryable: false,
    text: 'the definition of a resource type is not valid',
    fix: 'correct the CustomResourceDefinition at the place that is named',
  },
  'feed-malformed': {
    status: 502,
    retryable: false,
    text: 'the other end of a feed sent something that breaks its format',
    fix: 'upgrade the older side; if both are of one version, report it',
  },
  'reader-too-slow': {
    status: 500,
    retryable: true,
    text: 'what changes is read more slowly than it changes',
    fix: 'read faster, or less: a namespace, a selector; then begin again',
  },
} as const satisfies Record<string, CodeEntry>;

export type ResourceCode = keyof typeof resourceCodes;

/** An error of the table of `resources/`. */
export function resourceError(code: ResourceCode, detail?: CodeDetail): CodedError {
  return codedError(code, resourceCodes[code], detail);
}
