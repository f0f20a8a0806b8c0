import { codedError, type CodeDetail, type CodedError, type CodeEntry } from '../base/index.ts';

/** What can go wrong in the command itself. `docs/errors.md` repeats it, and a test keeps the two equal. */
export const cliCodes = {
  'usage': {
    status: 400,
    retryable: false,
    text: 'the command line is not right',
    fix: 'add `--help` to see what the command takes',
  },
  'not-in-this-version': {
    status: 501,
    retryable: false,
    text: 'this version does not have that yet',
    fix: 'leave the option out, or take a newer version',
  },
  'client-config-missing': {
    status: 400,
    retryable: false,
    text: 'no client.yaml was found',
    fix: 'give `--config client.yaml`, set CAUSEWAY_CONFIG, or start `causeway dev` in this folder',
  },
  'replicas-missing': {
    status: 503,
    retryable: true,
    text: 'some replicas do not have the emergency denial',
    fix: 'try again; a replica that is down asks the whitelist when it starts, so deny the edge there too',
  },
  'rotation-not-ready': {
    status: 409,
    retryable: true,
    text: 'the fleet is not ready for the next step',
    fix: 'wait for them, with `--wait SECONDS`, or see to them; `--force` goes on without them',
  },
  'not-allowed': {
    status: 403,
    retryable: false,
    text: 'no policy allows that',
    fix: 'ask an operator for an AccessPolicy that does; `causeway auth can-i --list` shows what is allowed',
  },
  'file-exists': {
    status: 409,
    retryable: false,
    text: 'the file is there already, and is never overwritten',
    fix: 'choose another folder',
  },
  'file-failed': {
    status: 400,
    retryable: false,
    text: 'the file cannot be used',
    fix: 'check the path and its permissions',
  },
  'address-in-use': {
    status: 500,
    retryable: false,
    text: 'another process listens on the port',
    fix: 'choose another port, or end that process',
  },
  'already-running': {
    status: 409,
    retryable: false,
    text: '`causeway dev` already runs in this folder',
    fix: 'end it, or choose another folder with `--dir`',
  },
  'process-failed': {
    status: 500,
    retryable: false,
    text: 'a process that was started ended at once',
    fix: 'read its log, named in the message',
  },
  'program-missing': {
    status: 500,
    retryable: false,
    text: 'a program that this needs is not installed',
    fix: 'install the package that the message names',
  },
  'start-timeout': {
    status: 504,
    retryable: true,
    text: 'the fleet did not come up in time',
    fix: 'read the logs in the folder',
  },
  'connection-limit': {
    status: 429,
    retryable: true,
    text: 'too many local connections wait for the edge',
    fix: 'try again when the edge is back',
  },
  'manifest-invalid': {
    status: 422,
    retryable: false,
    text: 'the files cannot be applied as they are',
    fix: 'correct what is named; nothing was written',
  },
  'name-taken': {
    status: 409,
    retryable: false,
    text: 'the kubeconfig has something else of this name',
    fix: 'give `--prefix causeway-`, or write a file of its own with `--out`',
  },
  'agent-not-running': {
    status: 503,
    retryable: true,
    text: 'no agent runs with this data folder',
    fix: 'start it, or look into its log: `journalctl -u causeway-agent`',
  },
  'agent-not-online': {
    status: 503,
    retryable: true,
    text: 'the agent runs and has no link',
    fix: 'do what the message says of its last try; `causeway node ls` at the center shows whether the edge is allowed',
  },
  'http-status': {
    status: 502,
    retryable: false,
    text: 'the service answered with a failure',
    fix: 'look at its answer: run without `-f`',
  },
} as const satisfies Record<string, CodeEntry>;

export type CliCode = keyof typeof cliCodes;

/** An error of the table of `cli/`. */
export function cliError(code: CliCode, detail?: string, cause?: unknown): CodedError {
  const known: CodeDetail = { ...(detail === undefined ? {} : { detail }), ...(cause === undefined ? {} : { cause }) };
  return codedError(code, cliCodes[code], known);
}
