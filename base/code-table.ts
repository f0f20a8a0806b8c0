import { CodedError, type ErrorCause } from './coded-error.ts';

/** One row of a folder's closed table of error codes. */
export interface CodeEntry {
  /** HTTP status at an HTTP border. */
  readonly status: number;
  /** The same may be tried again and nothing is done twice. */
  readonly retryable: boolean;
  readonly text: string;
  /** What an operator can do about it, one sentence. */
  readonly fix: string;
}

/** What is known about one failure beyond its row of the table. */
export interface CodeDetail {
  /** Names and values; stands behind the row's text. */
  readonly detail?: string;
  readonly retryAfterMs?: number;
  /** Every place that is wrong. */
  readonly causes?: readonly ErrorCause[];
  readonly cause?: unknown;
}

/** Makes the error of one row, so that every folder's table reads the same way. */
export function codedError(
  code: string,
  entry: CodeEntry,
  { detail, retryAfterMs, causes, cause }: CodeDetail = {},
): CodedError {
  return new CodedError(code, detail === undefined || detail === '' ? entry.text : `${entry.text}: ${detail}`, {
    status: entry.status,
    retryable: entry.retryable,
    fix: entry.fix,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(causes === undefined ? {} : { causes }),
    ...(cause === undefined ? {} : { cause }),
  });
}
