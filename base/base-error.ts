import { codedError, type CodeDetail, type CodeEntry } from './code-table.ts';
import type { CodedError } from './coded-error.ts';

/** The closed table of what can go wrong in what every program needs. `docs/errors.md` repeats it. */
export const baseCodes = {
  'config-invalid': {
    status: 400,
    retryable: false,
    text: 'the configuration is not valid',
    fix: 'correct the places named in the message',
  },
  'config-missing': {
    status: 400,
    retryable: false,
    text: 'the configuration file cannot be read',
    fix: 'check the path given with `--config`',
  },
  'shutdown-timeout': {
    status: 500,
    retryable: false,
    text: 'a step of the shutdown did not end in time',
    fix: 'report it with the log: the process ended without that step',
  },
  'runtime-too-old': {
    status: 500,
    retryable: false,
    text: 'this version of Node is too old',
    fix: 'run Node 24, the pinned one is `node_modules/.bin/node`',
  },
} as const satisfies Record<string, CodeEntry>;

export type BaseCode = keyof typeof baseCodes;

/** An error of the table of `base/`. */
export function baseError(code: BaseCode, detail?: CodeDetail): CodedError {
  return codedError(code, baseCodes[code], detail);
}
