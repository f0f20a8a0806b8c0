import { agentCommand } from './agent.ts';
import { runProgram } from './program.ts';
import { versionCommand } from './version.ts';

/**
 * The command as an edge has it: the agent and nothing else, in one file without Node or npm beside it
 * (`npm run build:agent`). What it takes is what `causeway` takes.
 */
void runProgram({
  name: 'causeway-agent',
  summary: 'the agent of an edge, in one file',
  examples: ['agent run --config agent.yaml', 'version'],
  notes: 'Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 unreachable.',
  commands: [agentCommand, versionCommand],
});
