import type { ServerResponse } from 'node:http';
import { codeOf } from '../../base/index.ts';
import { sendError, type ResourcePath } from '../../resources/index.ts';
import type { AnswerHeaders } from './cache-headers.ts';

/** That an object is not there is an answer of the cache too, and says how old it is. Throws every other error. */
export function answerAbsence(
  response: ServerResponse,
  error: unknown,
  { group, resource, name }: ResourcePath,
  headers: AnswerHeaders,
): void {
  if (codeOf(error) !== 'object-not-found' || response.headersSent) throw error;
  const { ETag: _tag, ...rest } = headers;
  sendError(response, error, { name, kind: resource, ...(group === '' ? {} : { group }) }, rest);
}
