import { test } from 'tap';
import { cliCodes, cliError } from '../../cli/cli-error.ts';
import { exitCodeOf, exitCodeOfStatus, exitCodes } from '../../cli/exit-code.ts';
import { baseError, CodedError } from '../../base/index.ts';
import { tunnelError, type TunnelCode } from '../../tunnel/index.ts';

test('an error of the tunnel becomes the exit code that scripts decide by', (t) => {
  const expected: Partial<Record<TunnelCode, number>> = {
    'edge-unknown': exitCodes.notFound,
    'service-unknown': exitCodes.notFound,
    'edge-denied': exitCodes.notAllowed,
    'denied': exitCodes.notAllowed,
    'address-denied': exitCodes.notAllowed,
    'not-opened': exitCodes.unreachable,
    'link-refused': exitCodes.unreachable,
    'stream-lost': exitCodes.unreachable,
    'upstream-refused': exitCodes.unreachable,
    'upstream-timeout': exitCodes.unreachable,
    'outcome-unknown': exitCodes.failed,
    'canceled': exitCodes.failed,
    'endpoint-closed': exitCodes.failed,
    'flow-violation': exitCodes.failed,
  };
  for (const [code, exit] of Object.entries(expected)) t.equal(exitCodeOf(tunnelError(code as TunnelCode)), exit, code);
  t.end();
});

test('what is wrong with the command line or the configuration is a usage error', (t) => {
  t.equal(exitCodeOf(cliError('usage')), exitCodes.usage);
  t.equal(exitCodeOf(cliError('client-config-missing')), exitCodes.usage);
  t.equal(exitCodeOf(cliError('not-in-this-version')), exitCodes.usage);
  t.equal(exitCodeOf(baseError('config-invalid')), exitCodes.usage);
  t.equal(exitCodeOf(baseError('config-missing')), exitCodes.usage);
  t.end();
});

test('what keeps the command from its work is a failure', (t) => {
  for (const code of ['address-in-use', 'already-running', 'process-failed', 'file-exists'] as const) {
    t.equal(exitCodeOf(cliError(code)), exitCodes.failed, code);
  }
  t.equal(exitCodeOf(new Error('anything')), exitCodes.failed);
  t.equal(exitCodeOf('thrown text'), exitCodes.failed);
  t.equal(exitCodeOf(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })), exitCodes.unreachable);
  t.end();
});

test('a code that is not known goes by its HTTP status', (t) => {
  t.equal(exitCodeOf(new CodedError('newer', 'text', { status: 404 })), exitCodes.notFound);
  const statuses = { 200: 0, 302: 0, 400: 1, 401: 4, 403: 4, 404: 3, 409: 1, 500: 1, 502: 1, 503: 5, 504: 5 };
  for (const [status, exit] of Object.entries(statuses)) t.equal(exitCodeOfStatus(Number(status)), exit, status);
  t.end();
});

test('every error of the command says what to do about it', (t) => {
  for (const [code, { text, fix }] of Object.entries(cliCodes)) t.ok(text.length > 0 && fix.length > 0, code);
  t.end();
});
