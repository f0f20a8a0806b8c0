import { codedError, type CodedError, type CodeEntry } from '../base/index.ts';

/** The closed table of what can be wrong with a request itself. `docs/errors.md` repeats it. */
export const apiCodes = {
  'path-invalid': {
    status: 400,
    retryable: false,
    text: 'the path of the request is not valid',
    fix: 'use `/edges/EDGE/SERVICE/...`, with names in lower case and no dot segments',
  },
  'object-invalid': {
    status: 422,
    retryable: false,
    text: 'the object is not valid',
    fix: 'correct what the message names',
  },
} as const satisfies Record<string, CodeEntry>;

export type ApiCode = keyof typeof apiCodes;

/** An error of the table of `api/`. */
export function apiError(code: ApiCode, detail: string): CodedError {
  return codedError(code, apiCodes[code], { detail });
}
