import { checkRuntime, CodedError } from '../base/index.ts';
import { runCommandLine, type CommandSpec } from './command-line.ts';
import { exitCodeOf } from './exit-code.ts';
import { flushOutput, quietOutput } from './terminal.ts';
import { readVersion } from './version.ts';

/** Runs this process's command line by its commands, and ends the process with the exit code when all output has left. */
export async function runProgram(root: CommandSpec): Promise<never> {
  quietOutput();
  let exitCode: number;
  try {
    const warning = checkRuntime();
    if (warning !== undefined) process.stderr.write(`causeway: ${warning}\n`);
    exitCode = await runCommandLine(root, readVersion(), process.argv.slice(2));
  } catch (error) {
    report(error);
    exitCode = exitCodeOf(error);
  }
  await flushOutput();
  process.exit(exitCode);
}

/** Tells an error so that a person knows what to do: what happened, and how to fix it. */
function report(error: unknown): void {
  process.stderr.write(`causeway: ${textOf(error)}\n`);
  if (error instanceof CodedError && error.fix !== undefined) process.stderr.write(`fix: ${error.fix}\n`);
  if (process.env['CAUSEWAY_DEBUG'] !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
}

/** The error's text, and those of its causes that it does not tell already. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : textOf(error.cause);
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}
