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
  'method-unknown': {
    status: 405,
    retryable: false,
    text: 'this path does not take that method',
    fix: 'see the API in docs/operations.md',
  },
  'body-too-long': {
    status: 413,
    retryable: false,
    text: 'the body is longer than allowed',
    fix: 'send a shorter one',
  },
  'body-malformed': {
    status: 400,
    retryable: false,
    text: 'the body is not what this path takes',
    fix: 'correct what the message names',
  },
  'conflict': {
    status: 409,
    retryable: true,
    text: 'the object has changed meanwhile',
    fix: 'read it again, and repeat the change',
  },
  'already-exists': {
    status: 409,
    retryable: false,
    text: 'an object of this name exists',
    fix: 'change that one, or choose another name',
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
