import { codedError, type CodedError, type CodeDetail, type CodeEntry } from '../../base/index.ts';

const askForAnother = 'ask an operator for a new token: `causeway token create`';

/**
 * Why an edge is not enrolled. Whoever has not shown the secret of a token hears the first three only; the log and the audit have the
 * others.
 */
export const enrolmentCodes = {
  'refused': {
    status: 403,
    retryable: false,
    text: 'refused',
    fix: 'copy the whole token once more, or ask an operator for a new one; the audit log of the gateway has the reason',
  },
  'too-many-attempts': {
    status: 429,
    retryable: true,
    text: 'too many attempts',
    fix: 'wait as long as the answer says, then try again',
  },
  'enrolment-unavailable': {
    status: 503,
    retryable: true,
    text: 'no edge can be enrolled here at the moment',
    fix: 'try again, or at another replica; one without `issuer` in its configuration enrols nobody',
  },
  'token-unknown': {
    status: 403,
    retryable: false,
    text: 'there is no such token, or its secret is another one',
    fix: 'if this happens often, somebody guesses: look at the addresses',
  },
  'token-expired': { status: 403, retryable: false, text: 'the token has expired', fix: askForAnother },
  'token-used': { status: 403, retryable: false, text: 'the token has been used', fix: askForAnother },
  'token-foreign': { status: 403, retryable: false, text: 'the token is for another edge', fix: askForAnother },
  'edge-name-missing': {
    status: 403,
    retryable: false,
    text: 'the edge has to say its name, a DNS label',
    fix: 'give `--edge NAME` at the edge: the token is for labels and not for one edge',
  },
  'edge-exists': {
    status: 403,
    retryable: false,
    text: 'there is an edge of this name already',
    fix: 'take another name, or make a token for this edge: `causeway token create --edge EDGE`',
  },
  'edge-not-allowed': {
    status: 403,
    retryable: false,
    text: 'the edge is not on the whitelist any more',
    fix: '`causeway node allow EDGE` puts it back, if it should be',
  },
  'edge-key-pinned': {
    status: 403,
    retryable: false,
    text: 'the edge may have the key only that its `spec.keyPin` names',
    fix: 'take `spec.keyPin` off its EdgeNode if the edge was set up anew',
  },
} as const satisfies Record<string, CodeEntry>;

/** What is told to whoever has shown the secret of a token. */
export const provenCodes: readonly EnrolmentCode[] = [
  'token-expired',
  'token-used',
  'token-foreign',
  'edge-name-missing',
  'edge-exists',
  'edge-not-allowed',
  'edge-key-pinned',
];

export type EnrolmentCode = keyof typeof enrolmentCodes;

export function enrolmentError(code: EnrolmentCode, detail: CodeDetail = {}): CodedError {
  return codedError(code, enrolmentCodes[code], detail);
}
