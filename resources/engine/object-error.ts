import { apiCodes } from '../../api/index.ts';
import { CodedError, type CodeEntry, type ErrorCause } from '../../base/index.ts';
import { resourceCodes, type ResourceCode } from '../resource-error.ts';
import { qualifiedName, type ResourceType } from '../types/resource-type.ts';

type Named = Pick<ResourceType, 'group' | 'resource'>;

/** `pods "x" not found`: messages about one object begin as those of Kubernetes do, since people know them by sight. */
export function objectNotFound(type: Named, name: string): CodedError {
  return withMessage('object-not-found', `${subject(type, name)} not found`);
}

export function objectExists(type: Named, name: string): CodedError {
  return withMessage('object-exists', `${subject(type, name)} already exists`);
}

/** `Operation cannot be fulfilled on pods "x": ...`. */
export function objectConflict(type: Named, name: string, why: string): CodedError {
  return withMessage('object-conflict', `Operation cannot be fulfilled on ${subject(type, name)}: ${why}`);
}

/** `Pod "x" is invalid: spec.y: Required value`; every place is among the causes. */
export function objectInvalid(
  { kind, group }: Pick<ResourceType, 'kind' | 'group'>,
  name: string,
  causes: readonly ErrorCause[],
): CodedError {
  const places = causes.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  const text = places.length === 1 ? places[0] : `[${places.join(', ')}]`;
  const named = `${kind}${group === '' ? '' : `.${group}`} ${JSON.stringify(name)}`;
  return entryError('object-invalid', apiCodes['object-invalid'], `${named} is invalid: ${text}`, causes);
}

/** The body, or what it says of itself, does not fit the request. `field`: which part of it. */
export function objectMalformed(field: string, message: string, cause?: unknown): CodedError {
  const causes = field === '' ? [] : [{ field, reason: 'FieldValueInvalid', message }];
  const text = field === '' ? message : `${field}: ${message}`;
  return entryError('object-malformed', resourceCodes['object-malformed'], text, causes, cause);
}

/** A strict write names fields that the schema does not know; `messages`: `unknown field "spec.x"`. */
export function unknownFields({ kind }: Pick<ResourceType, 'kind'>, messages: readonly string[]): CodedError {
  const causes = messages.map((message) => ({
    field: /"(.*)"/s.exec(message)?.[1] ?? '',
    reason: 'FieldValueInvalid',
    message,
  }));
  const text = `strict decoding error: ${messages.join(', ')}`;
  return entryError('object-malformed', resourceCodes['object-malformed'], `${kind} is not taken: ${text}`, causes);
}

function subject(type: Named, name: string): string {
  return `${qualifiedName(type)} ${JSON.stringify(name)}`;
}

function withMessage(code: ResourceCode, message: string): CodedError {
  return entryError(code, resourceCodes[code], message);
}

function entryError(
  code: string,
  { status, retryable, fix }: CodeEntry,
  message: string,
  causes: readonly ErrorCause[] = [],
  cause?: unknown,
): CodedError {
  return new CodedError(code, message, {
    status,
    retryable,
    fix,
    causes,
    ...(cause === undefined ? {} : { cause }),
  });
}
