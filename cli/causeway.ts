import { checkRuntime, CodedError } from '../base/index.ts';
import { agentCommand } from './agent.ts';
import { applyCommand } from './apply.ts';
import { runCommandLine, type CommandSpec } from './command-line.ts';
import { curlCommand } from './curl.ts';
import { deleteCommand } from './delete.ts';
import { demoServicesCommand } from './demo/index.ts';
import { devCommand } from './dev/index.ts';
import { dialCommand } from './dial.ts';
import { exitCodeOf } from './exit-code.ts';
import { gatewayCommand } from './gateway.ts';
import { getCommand } from './get.ts';
import { initCommand } from './init.ts';
import { kubeconfigCommand } from './kubeconfig.ts';
import { nodeCommand } from './node.ts';
import { portForwardCommand } from './port-forward.ts';
import { statusCommand } from './status.ts';
import { flushOutput, print, quietOutput } from './terminal.ts';
import { readVersion } from './version.ts';
import { watchCommand } from './watch.ts';

const causeway: CommandSpec = {
  name: 'causeway',
  summary: 'reaches edge sites behind NAT, through gateways in several data centers',
  examples: ['dev', 'node ls', 'curl edge-1/hello/time', 'port-forward edge-1 8080:hello'],
  notes: 'Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 unreachable.',
  commands: [
    devCommand,
    initCommand,
    gatewayCommand,
    agentCommand,
    nodeCommand,
    getCommand,
    watchCommand,
    applyCommand,
    deleteCommand,
    kubeconfigCommand,
    curlCommand,
    portForwardCommand,
    dialCommand,
    statusCommand,
    { name: 'version', summary: 'print the version', run: async () => print(`${readVersion()}\n`) },
    demoServicesCommand,
  ],
};

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

quietOutput();
let exitCode: number;
try {
  const warning = checkRuntime();
  if (warning !== undefined) process.stderr.write(`causeway: ${warning}\n`);
  exitCode = await runCommandLine(causeway, readVersion(), process.argv.slice(2));
} catch (error) {
  report(error);
  exitCode = exitCodeOf(error);
}
await flushOutput();
process.exit(exitCode);
