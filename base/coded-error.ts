/** What is wrong at one place of what was given. */
export interface ErrorCause {
  /** The place: `spec.containers[0].name`, the name of a parameter; empty: the whole. */
  readonly field: string;
  /** A word to decide by: `FieldValueInvalid`. */
  readonly reason: string;
  readonly message: string;
}

/** What every failure in Causeway carries besides its text: decide by these, never by the message. */
export interface CodedErrorOptions {
  /** Safe to try the same thing again, with nothing done twice. Default false. */
  readonly retryable?: boolean;
  /** The HTTP status that this failure becomes at an HTTP border. Default 500. */
  readonly status?: number;
  /** When to try again, milliseconds from now; becomes `Retry-After`. */
  readonly retryAfterMs?: number;
  /** What an operator can do about it, one sentence. */
  readonly fix?: string;
  /** Every place that is wrong, where it is known. Default none. */
  readonly causes?: readonly ErrorCause[];
  readonly cause?: unknown;
}

/**
 * The one error class. `code` comes from a closed table of the folder that throws it (`tunnel/tunnel-error.ts`,
 * `gateway/...`), kept equal to `docs/errors.md` by a test. Foreign errors are wrapped once, at the border.
 */
export class CodedError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly fix: string | undefined;
  readonly causes: readonly ErrorCause[];

  constructor(code: string, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CodedError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.status = options.status ?? 500;
    this.retryAfterMs = options.retryAfterMs;
    this.fix = options.fix;
    this.causes = options.causes ?? [];
  }
}

/** The code of any thrown value: a CodedError's or a system error's own, else `internal`. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return 'internal';
}

/** The text of any thrown value, with the texts of its causes behind it. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message === '' ? codeOf(error) : error.message;
  return error.cause === undefined ? text : `${text}: ${messageOf(error.cause)}`;
}
