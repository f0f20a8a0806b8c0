import { codedError, type CodedError, type CodeDetail, type CodeEntry } from '../../base/index.ts';

/** What can keep an edge from being enrolled, as the edge sees it. `docs/errors.md` repeats it. */
export const enrolCodes = {
  'enrol-refused': {
    status: 403,
    retryable: false,
    text: 'the gateway refuses',
    fix: 'ask an operator for a new token: `causeway token create`; `causeway audit` shows operators the reason',
  },
  'enrol-busy': {
    status: 503,
    retryable: true,
    text: 'the gateway enrols nobody at the moment',
    fix: 'try again in a minute; the same token can be used',
  },
  'gateway-unreachable': {
    status: 503,
    retryable: true,
    text: 'the gateway cannot be reached',
    fix: 'check host and port (the public listener, not the API), and that firewalls let this machine connect to it; HTTPS_PROXY is used where it is set',
  },
  'gateway-foreign': {
    status: 502,
    retryable: false,
    text: 'whoever answers is not the gateway that the token is from; nothing was sent',
    fix: 'check the address; if it is right, somebody stands between: report it, and ask for a new token',
  },
  'clock-wrong': {
    status: 500,
    retryable: false,
    text: 'the clock of this machine and the certificate of the gateway do not go together; nothing was sent',
    fix: 'set the clock (`timedatectl set-ntp true`) and try again; if it is right, the gateway has to renew its certificate',
  },
  'enrolled-otherwise': {
    status: 409,
    retryable: false,
    text: 'there are keys already, and they are not those that were asked for',
    fix: 'choose another folder, or remove this one to enrol the machine anew',
  },
  'answer-unusable': {
    status: 502,
    retryable: false,
    text: 'the gateway’s answer cannot be used; nothing was written',
    fix: 'upgrade the older side: this agent, or the gateway',
  },
} as const satisfies Record<string, CodeEntry>;

export type EnrolCode = keyof typeof enrolCodes;

export function enrolError(code: EnrolCode, detail: CodeDetail = {}): CodedError {
  return codedError(code, enrolCodes[code], detail);
}
