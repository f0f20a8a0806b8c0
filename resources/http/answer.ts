import { STATUS_CODES, type ServerResponse } from 'node:http';
import { statusOf, type StatusSubject } from '../../api/index.ts';
import { CodedError } from '../../base/index.ts';

/** Lines of an answer's head besides its own. A list of values is several lines. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

/** Every answer may be of the caller's eyes only, and is old at once unless it says otherwise. */
const cacheControl = 'no-cache, private';
/** Where a 503 does not say when to come back. */
const defaultRetryMs = 1000;

/** Begins an answer; `length`: of its body in bytes, where that is known. */
export function beginAnswer(
  response: ServerResponse,
  status: number,
  contentType: string,
  headers: AnswerHeaders = {},
  length?: number,
): void {
  const lines: string[] = ['Content-Type', contentType];
  if (length !== undefined) lines.push('Content-Length', String(length));
  if (!hasName(headers, 'cache-control')) lines.push('Cache-Control', cacheControl);
  for (const [name, value] of Object.entries(headers)) {
    for (const line of typeof value === 'string' ? [value] : value) lines.push(name, line);
  }
  // HTTP/2 has no reason phrase. Elsewhere one that another answer had set may still stand in the response.
  if ('stream' in response) response.writeHead(status, lines);
  else response.writeHead(status, STATUS_CODES[status] ?? '', lines);
}

/** A whole answer. */
export function sendAnswer(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: Buffer,
  headers?: AnswerHeaders,
): void {
  beginAnswer(response, status, contentType, headers, body.length);
  response.end(body);
}

/**
 * Answers with an error as a Kubernetes `Status`, with `Causeway-Code` and, where it helps, `Retry-After`. Cuts the connection
 * when an answer has begun.
 */
export function sendError(
  response: ServerResponse,
  error: unknown,
  subject: StatusSubject = {},
  headers: AnswerHeaders = {},
): void {
  if (response.headersSent) {
    abortAnswer(response);
    return;
  }
  const status = statusOf(error, subject);
  const coded = error instanceof CodedError ? error : undefined;
  const retryAfterMs = coded?.retryAfterMs ?? (status.code === 503 ? defaultRetryMs : undefined);
  sendAnswer(response, status.code, 'application/json', Buffer.from(JSON.stringify(status)), {
    ...headers,
    'Causeway-Code': coded?.code ?? 'internal',
    ...(retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
  });
}

/** Cuts an answer short, so that the client sees that it is not whole. */
export function abortAnswer(response: ServerResponse): void {
  if ('stream' in response) {
    const INTERNAL_ERROR = 2;
    // HTTP/2: without a code the stream would look ended.
    (response.stream as { close(code: number): void }).close(INTERNAL_ERROR);
  } else {
    response.destroy();
  }
}

/** RFC 7234's `Warning` with Kubernetes' code; kubectl prints them. */
export function warningHeaders(warnings: readonly string[]): AnswerHeaders {
  if (warnings.length === 0) return {};
  return { Warning: warnings.slice(0, maxWarnings).map((text) => `299 - "${quotable(text)}"`) };
}

/** More would not fit into a head that clients read. */
const maxWarnings = 20;
const maxWarningLength = 256;

function quotable(text: string): string {
  const ascii = text.slice(0, maxWarningLength).replaceAll(/[^\x20-\x7e]/g, '?');
  return ascii.replaceAll(/["\\]/g, String.raw`\$&`);
}

function hasName(headers: AnswerHeaders, name: string): boolean {
  return Object.keys(headers).some((key) => key.toLowerCase() === name);
}
