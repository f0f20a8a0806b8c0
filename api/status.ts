import { CodedError } from '../base/index.ts';

/** Kubernetes' error body (meta/v1 Status), so that its clients understand every error of ours. */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Readonly<Record<string, never>>;
  readonly status: 'Failure';
  readonly message: string;
  readonly reason: string;
  readonly details: StatusDetails;
  /** The HTTP status. */
  readonly code: number;
}

export interface StatusDetails {
  /** The object's name, when the error is about one. */
  readonly name?: string;
  readonly group?: string;
  /** The resource, `edgenodes`; with the reason `Invalid` the kind, `EdgeNode`, as kubectl shows it. */
  readonly kind?: string;
  readonly uid?: string;
  readonly retryAfterSeconds?: number;
  /**
   * The places that are wrong, each with its field. Without such: first the code of the error, which is what to decide by; then,
   * with the reason `fix`, what can be done.
   */
  readonly causes: readonly StatusCause[];
}

export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field?: string;
}

/** What the error is about. */
export interface StatusSubject {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
}

/** Reasons as apimachinery's `meta/v1/types.go` names them. */
const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** Codes whose reason is not that of their HTTP status. */
const reasonsByCode: Readonly<Record<string, string>> = { 'object-exists': 'AlreadyExists' };

/** Causes that Kubernetes' clients look for, besides the code. */
const causesByCode: Readonly<Record<string, StatusCause>> = {
  'version-too-new': { reason: 'ResourceVersionTooLarge', message: 'Too large resource version' },
};

/** What a failure of a server that has no codes of ours means: a Kubernetes API's own. */
const codesByReason: Readonly<Record<string, string>> = {
  NotFound: 'object-not-found',
  AlreadyExists: 'object-exists',
  Conflict: 'object-conflict',
  Invalid: 'object-invalid',
  Expired: 'version-expired',
  Gone: 'version-expired',
  Forbidden: 'access-denied',
  BadRequest: 'request-invalid',
};

/**
 * The body for any thrown value. A CodedError is meant for the caller; of anything else only that it happened is told,
 * since its text may hold what is not the caller's. The HTTP status to answer with is the body's `code`.
 */
export function statusOf(error: unknown, subject: StatusSubject = {}): Status {
  if (!(error instanceof CodedError)) return statusOf(new CodedError('internal', 'an internal error'), subject);
  const retryAfterSeconds =
    error.retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(error.retryAfterMs / 1000));
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason: own(reasonsByCode, error.code) ?? reasons[error.status] ?? '',
    details: {
      ...subject,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      causes: causesOf(error),
    },
    code: error.status,
  };
}

/**
 * The error that a body stands for, at the side that gets it; undefined when the body is no failure of this form. Failures of
 * a Kubernetes API get the code of ours that means the same.
 */
export function errorOfStatus(body: unknown): CodedError | undefined {
  if (!isRecord(body) || body['kind'] !== 'Status' || body['status'] !== 'Failure') return undefined;
  const details = isRecord(body['details']) ? body['details'] : {};
  const all: unknown[] = Array.isArray(details['causes']) ? details['causes'] : [];
  const causes = all.filter(isCause);
  const reason = typeof body['reason'] === 'string' ? body['reason'] : '';
  const status = typeof body['code'] === 'number' ? body['code'] : 500;
  const retryAfter = details['retryAfterSeconds'];
  const fix = causes.find((cause) => cause.reason === 'fix')?.message;
  const code = causes.find((cause) => isCode(cause.reason))?.reason ?? own(codesByReason, reason) ?? 'internal';
  const places = causes.flatMap(({ field, reason: why, message }) =>
    field === undefined || field === '' ? [] : [{ field, reason: why, message }],
  );
  return new CodedError(code, typeof body['message'] === 'string' ? body['message'] : 'no message', {
    status,
    // Kubernetes' own rule: it says when to come back only where nothing was done.
    retryable: typeof retryAfter === 'number',
    causes: places,
    ...(typeof retryAfter === 'number' ? { retryAfterMs: retryAfter * 1000 } : {}),
    ...(fix === undefined ? {} : { fix }),
  });
}

/** kubectl shows every cause of an invalid object, so that there are none but the fields then. */
function causesOf(error: CodedError): readonly StatusCause[] {
  const places = error.causes.map(({ field, reason, message }) => ({ reason, message, field }));
  if (places.length > 0 && error.status === 422) return places;
  const known = own(causesByCode, error.code);
  return [
    { reason: error.code, message: error.message },
    ...(error.fix === undefined ? [] : [{ reason: 'fix', message: error.fix }]),
    ...(known === undefined ? [] : [known]),
    ...places,
  ];
}

/** Codes are written with dashes, Kubernetes' reasons in camel case. */
function isCode(reason: string): boolean {
  return reason !== 'fix' && /^[a-z][a-z0-9-]*$/.test(reason);
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function isCause(value: unknown): value is StatusCause {
  return (
    isRecord(value) &&
    typeof value['reason'] === 'string' &&
    typeof value['message'] === 'string' &&
    (value['field'] === undefined || typeof value['field'] === 'string')
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
