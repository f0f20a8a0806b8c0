/** What is wrong with one field of an object, as one of the causes of a Kubernetes `Status`. */
export interface FieldError {
  /** `spec.capacity.cores`, `spec.containers[0].name`, `metadata.labels[a.b/c]`. */
  readonly field: string;
  readonly reason: FieldErrorReason;
  /** Begins as Kubernetes' messages do: `Required value`, `Invalid value: "x": ...`; without the field. */
  readonly message: string;
}

/** As apimachinery's `util/validation/field` names them. */
export type FieldErrorReason =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueTypeInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany';

/** A value is repeated in a message up to so many characters. */
const maxShownCharacters = 120;

/** `fieldRequired('spec.group')`: it is missing or empty. */
export function fieldRequired(field: string, why = ''): FieldError {
  return { field, reason: 'FieldValueRequired', message: `Required value${why === '' ? '' : `: ${why}`}` };
}

export function fieldInvalid(field: string, value: unknown, why: string): FieldError {
  return { field, reason: 'FieldValueInvalid', message: `Invalid value: ${shown(value)}: ${why}` };
}

/** The value is of another JSON type; `expected`: `integer`, `object`. */
export function fieldOfOtherType(field: string, value: unknown, expected: string): FieldError {
  return {
    field,
    reason: 'FieldValueTypeInvalid',
    message: `Invalid value: ${shown(value)}: must be of type ${expected}, not ${typeName(value)}`,
  };
}

export function fieldNotSupported(field: string, value: unknown, supported: readonly unknown[]): FieldError {
  const list = supported.map(shown).join(', ');
  return {
    field,
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${shown(value)}: supported values: ${list}`,
  };
}

export function fieldDuplicate(field: string, value: unknown): FieldError {
  return { field, reason: 'FieldValueDuplicate', message: `Duplicate value: ${shown(value)}` };
}

export function fieldForbidden(field: string, why: string): FieldError {
  return { field, reason: 'FieldValueForbidden', message: `Forbidden: ${why}` };
}

export function fieldTooLong(field: string, maxLength: number): FieldError {
  return { field, reason: 'FieldValueTooLong', message: `Too long: may not be more than ${maxLength} characters` };
}

export function fieldTooMany(field: string, count: number, maximum: number): FieldError {
  return { field, reason: 'FieldValueTooMany', message: `Too many: ${count}: must have at most ${maximum} items` };
}

/** The path of what stands under `key` of `field`. */
export function fieldUnder(field: string, key: string | number): string {
  if (typeof key === 'number') return `${field}[${key}]`;
  if (!/^[\w$-]+$/.test(key)) return `${field}[${key.slice(0, maxShownCharacters)}]`;
  return field === '' ? key : `${field}.${key}`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return '[...]';
  if (typeof value === 'object' && value !== null) return '{...}';
  const text = JSON.stringify(value) ?? 'null';
  return text.length <= maxShownCharacters ? text : `${text.slice(0, maxShownCharacters)}...`;
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}
