import { CodedError, codeOf } from '../base/index.ts';

/** What the command's exit code says; scripts decide by it. */
export const exitCodes = { done: 0, failed: 1, usage: 2, notFound: 3, notAllowed: 4, unreachable: 5 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Codes that say more than their HTTP status does. */
const byCode: Readonly<Record<string, ExitCode>> = {
  // The command line, and the configuration that it names.
  'usage': exitCodes.usage,
  'not-in-this-version': exitCodes.usage,
  'client-config-missing': exitCodes.usage,
  'config-missing': exitCodes.usage,
  'config-invalid': exitCodes.usage,
  'key-store-missing': exitCodes.usage,
  'key-store-invalid': exitCodes.usage,
  'key-password': exitCodes.usage,
  'service-invalid': exitCodes.usage,
  'address-invalid': exitCodes.usage,
  'file-failed': exitCodes.usage,
  'token-malformed': exitCodes.usage,
  // There is a way to the edge, or to its service, at other times.
  'link-refused': exitCodes.unreachable,
  'link-lost': exitCodes.unreachable,
  'link-closed': exitCodes.unreachable,
  'link-silent': exitCodes.unreachable,
  'handshake-timeout': exitCodes.unreachable,
  'stream-lost': exitCodes.unreachable,
  'upstream-refused': exitCodes.unreachable,
  'upstream-timeout': exitCodes.unreachable,
  'upstream-tls': exitCodes.unreachable,
  // Nobody can know what the edge did: that is a failure, whatever its status.
  'outcome-unknown': exitCodes.failed,
  'store-outcome-unknown': exitCodes.failed,
  'overloaded': exitCodes.failed,
  'ECONNREFUSED': exitCodes.unreachable,
  'ECONNRESET': exitCodes.unreachable,
  'ETIMEDOUT': exitCodes.unreachable,
  'EHOSTUNREACH': exitCodes.unreachable,
  'ENOTFOUND': exitCodes.unreachable,
};

/** The exit code of any thrown value. */
export function exitCodeOf(error: unknown): ExitCode {
  const code = codeOf(error);
  if (Object.hasOwn(byCode, code)) return byCode[code] ?? exitCodes.failed;
  return error instanceof CodedError ? exitCodeOfStatus(error.status) : exitCodes.failed;
}

/** The exit code of an HTTP status. */
export function exitCodeOfStatus(status: number): ExitCode {
  if (status < 400) return exitCodes.done;
  if (status === 404 || status === 410) return exitCodes.notFound;
  if (status === 401 || status === 403) return exitCodes.notAllowed;
  if (status === 503 || status === 504) return exitCodes.unreachable;
  return exitCodes.failed;
}
