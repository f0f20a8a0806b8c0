import { codedError, type CodeDetail, type CodedError, type CodeEntry } from '../../base/index.ts';

/** The closed table of what the front itself refuses. `docs/errors.md` repeats it, and a test keeps the two equal. */
export const frontCodes = {
  'name-invalid': {
    status: 404,
    retryable: false,
    text: 'this cannot be the name of an edge or a service',
    fix: 'names are lower-case letters, digits and dashes',
  },
  'authority-unknown': {
    status: 404,
    retryable: false,
    text: 'this proxy reaches edges only',
    fix: 'use SERVICE.EDGE.edge.causeway, or HOST.EDGE.edge.causeway:PORT with CONNECT',
  },
  'address-needs-connect': {
    status: 400,
    retryable: false,
    text: 'an address at an edge is reached by CONNECT only',
    fix: 'use CONNECT (`curl --proxytunnel`), or a declared service',
  },
  'upgrade-with-body': {
    status: 400,
    retryable: false,
    text: 'an upgrade cannot carry a body',
    fix: 'leave out `Upgrade` or the body',
  },
} as const satisfies Record<string, CodeEntry>;

export type FrontCode = keyof typeof frontCodes;

/** An error of the front's table. */
export function frontError(code: FrontCode, detail?: CodeDetail): CodedError {
  return codedError(code, frontCodes[code], detail);
}
