import { codedError, type CodedError, type CodeDetail, type CodeEntry } from '../base/index.ts';

/** What can go wrong at a replica's listeners. `docs/errors.md` repeats it, and a test keeps the two equal. */
export const gatewayCodes = {
  'unauthenticated': {
    status: 401,
    retryable: false,
    text: 'no valid client certificate',
    fix: 'give a certificate of an operator or a component',
  },
  'not-found': {
    status: 404,
    retryable: false,
    text: 'there is nothing at this path',
    fix: '`/edges/EDGE/SERVICE/...` reaches an edge',
  },
  'not-cached': {
    status: 504,
    retryable: true,
    text: 'this is not in the cache, or not new enough there',
    fix: 'ask without `only-if-cached`, or configure the agent to cache it',
  },
  'edges-missing': {
    status: 503,
    retryable: true,
    text: 'the state of some edges is not known here',
    fix: 'try again when they have been in contact, or take what there is with `allowPartial=true`',
  },
  'port-in-use': {
    status: 500,
    retryable: false,
    text: 'another process listens on the port',
    fix: 'choose another port, or end that process',
  },
} as const satisfies Record<string, CodeEntry>;

export type GatewayCode = keyof typeof gatewayCodes;

export function gatewayError(code: GatewayCode, detail: CodeDetail = {}): CodedError {
  return codedError(code, gatewayCodes[code], detail);
}
