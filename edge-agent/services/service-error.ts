import { codedError, messageOf, type CodeDetail, CodedError, type CodeEntry } from '../../base/index.ts';
import { tunnelError } from '../../tunnel/index.ts';

/** The closed table of what can be wrong in the declaration of services. `docs/errors.md` repeats it, and a test keeps the two equal. */
export const serviceCodes = {
  'service-invalid': {
    status: 400,
    retryable: false,
    text: 'a declared service is not valid',
    fix: 'correct it in `services` of the agent’s configuration',
  },
  'credentials-invalid': {
    status: 400,
    retryable: false,
    text: "a service's credentials cannot be used",
    fix: 'correct the file; it is read again when it changes',
  },
  'address-invalid': {
    status: 400,
    retryable: false,
    text: 'an allowed address is not valid',
    fix: 'write `ADDRESS:PORT`, `RANGE/BITS:PORT` or `NAME:PORT` in `addresses`',
  },
} as const satisfies Record<string, CodeEntry>;

export type ServiceCode = keyof typeof serviceCodes;

export function serviceError(code: ServiceCode, detail?: CodeDetail): CodedError {
  return codedError(code, serviceCodes[code], detail);
}

const timeouts = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** What kept a connection from coming about: nothing was executed. */
export function connectFailure(cause: unknown): CodedError {
  if (cause instanceof CodedError) return cause;
  const code = systemCode(cause);
  const detail = messageOf(cause);
  if (timeouts.has(code)) return tunnelError('upstream-timeout', { detail, cause });
  // undici refuses names, values and methods that are none before it connects.
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED')
    return tunnelError('record-malformed', { detail, cause });
  const isTls =
    /^(?:ERR_TLS|ERR_SSL|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA|ERROR_IN_CERT|EPROTO)/.test(
      code,
    );
  return tunnelError(isTls ? 'upstream-tls' : 'upstream-refused', { detail, cause });
}

/** What broke a connection on which something was sent: it may have been executed. */
export function exchangeFailure(cause: unknown): CodedError {
  if (cause instanceof CodedError) return cause;
  return tunnelError(timeouts.has(systemCode(cause)) ? 'upstream-timeout' : 'upstream-failed', {
    detail: messageOf(cause),
    cause,
  });
}

/** Whether the peer closed the connection, by an end or by a reset. */
export function isConnectionLoss(cause: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(systemCode(cause));
}

function systemCode(cause: unknown): string {
  if (cause instanceof AggregateError) return systemCode(cause.errors[0]);
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}
