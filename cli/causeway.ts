import { agentCommand } from './agent.ts';
import { applyCommand } from './apply.ts';
import { auditCommand, eventsCommand } from './audit.ts';
import { authCommand } from './auth.ts';
import { caCommand } from './ca.ts';
import type { CommandSpec } from './command-line.ts';
import { curlCommand } from './curl.ts';
import { deleteCommand } from './delete.ts';
import { demoServicesCommand } from './demo/index.ts';
import { devCommand } from './dev/index.ts';
import { dialCommand } from './dial.ts';
import { gatewayCommand } from './gateway.ts';
import { getCommand } from './get.ts';
import { initCommand } from './init.ts';
import { kubeconfigCommand } from './kubeconfig.ts';
import { nodeCommand } from './node.ts';
import { portForwardCommand } from './port-forward.ts';
import { runProgram } from './program.ts';
import { replicaCommand } from './replica.ts';
import { revocationCommand } from './revocation.ts';
import { statusCommand } from './status.ts';
import { tokenCommand } from './token.ts';
import { versionCommand } from './version.ts';
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
    replicaCommand,
    revocationCommand,
    tokenCommand,
    authCommand,
    caCommand,
    getCommand,
    watchCommand,
    applyCommand,
    deleteCommand,
    kubeconfigCommand,
    curlCommand,
    portForwardCommand,
    dialCommand,
    statusCommand,
    eventsCommand,
    auditCommand,
    versionCommand,
    demoServicesCommand,
  ],
};

await runProgram(causeway);
