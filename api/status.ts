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
  /** The resource, `edgenodes`. */
  readonly kind?: string;
  readonly retryAfterSeconds?: number;
  /** First the code of the error, which is what to decide by; then, with the reason `fix`, what can be done. */
  readonly causes: readonly StatusCause[];
}

export interface StatusCause {
  readonly reason: string;
  readonly message: string;
}

/** What the error is about. */
export interface StatusSubject {
  readonly name?: string;
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
const reasonsByCode: Readonly<Record<string, string>> = { 'already-exists': 'AlreadyExists' };

/**
 * The body for any thrown value. A CodedError is meant for the caller; of anything else only that it happened is told,
 * since its text may hold what is not the caller's. The HTTP status to answer with is the body's `code`.
 */
export function statusOf(error: unknown, subject: StatusSubject = {}): Status {
  if (!(error instanceof CodedError)) return statusOf(new CodedError('internal', 'an internal error'), subject);
  const retryAfterSeconds =
    error.retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(error.retryAfterMs / 1000));
  const causes: StatusCause[] = [{ reason: error.code, message: error.message }];
  if (error.fix !== undefined) causes.push({ reason: 'fix', message: error.fix });
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason: (Object.hasOwn(reasonsByCode, error.code) ? reasonsByCode[error.code] : reasons[error.status]) ?? '',
    details: { ...subject, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }), causes },
    code: error.status,
  };
}

/** The error that a body stands for, at the side that gets it; undefined when the body is no failure of this form. */
export function errorOfStatus(body: unknown): CodedError | undefined {
  if (!isRecord(body) || body['kind'] !== 'Status' || body['status'] !== 'Failure') return undefined;
  const details = isRecord(body['details']) ? body['details'] : {};
  const causes: unknown[] = Array.isArray(details['causes']) ? details['causes'] : [];
  const [first, ...more] = causes.filter(isCause);
  const status = typeof body['code'] === 'number' ? body['code'] : 500;
  const retryAfter = details['retryAfterSeconds'];
  const fix = more.find((cause) => cause.reason === 'fix')?.message;
  return new CodedError(
    first?.reason ?? 'internal',
    typeof body['message'] === 'string' ? body['message'] : 'no message',
    {
      status,
      // Kubernetes' own rule: it says when to come back only where nothing was done.
      retryable: typeof retryAfter === 'number',
      ...(typeof retryAfter === 'number' ? { retryAfterMs: retryAfter * 1000 } : {}),
      ...(fix === undefined ? {} : { fix }),
    },
  );
}

function isCause(value: unknown): value is StatusCause {
  return isRecord(value) && typeof value['reason'] === 'string' && typeof value['message'] === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
