import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '../base/index.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { outputOption, show, table } from './output.ts';
import { beside } from './run-role.ts';

export const agentStatusCommand: CommandSpec = {
  name: 'status',
  summary: 'show how the agent of this machine stands',
  options: [
    { flags: '-c, --config FILE', help: "the agent's YAML file, for its `data`" },
    { flags: '--data DIR', help: 'its data folder, where no file is given' },
    { flags: '--wait SECONDS', help: 'wait up to this long until the edge is online', default: '0' },
    outputOption,
  ],
  notes: 'The agent is asked itself. The exit code is 5 when it does not run, or has no link.',
  examples: ['agent status --config agent.yaml', 'agent status --data /var/lib/causeway-agent/data --wait 60'],
  run: status,
};

const LOOK_EVERY_MS = 250;

async function status(input: CommandInput): Promise<void> {
  const { askAgent } = await import('../edge-agent/index.ts');
  const folder = await dataFolder(input);
  const deadline = performance.now() + (input.integer('wait', 0, 3600) ?? 0) * 1000;
  let report = await askAgent(folder);
  while (report?.online !== true && performance.now() < deadline) {
    await delay(LOOK_EVERY_MS);
    report = await askAgent(folder);
  }
  if (report === undefined) throw cliError('agent-not-running', folder);
  const { edge, online, links, problem } = report;
  show(input, {
    value: report,
    names: [edge],
    text: () => {
      const rows = links.map((link) => [
        link.target,
        link.active ? 'active' : 'ready',
        `${Math.round(link.seconds)} s`,
      ]);
      return `${edge} is ${online ? 'online' : 'not online'}\n${online ? table(['LINK', 'STATE', 'FOR'], rows) : ''}`;
    },
  });
  if (online) return;
  const { target, message, fix } = problem ?? {};
  const said = message === undefined ? 'it is still dialing' : `${target}: ${message}`;
  throw cliError('agent-not-online', fix === undefined ? said : `${said} (${fix})`);
}

async function dataFolder(input: CommandInput): Promise<string> {
  const given = input.text('data');
  if (given !== undefined) return given;
  const file = input.text('config');
  if (file === undefined) throw cliError('usage', 'give --config FILE or --data DIR');
  const { agentConfigSchema } = await import('../edge-agent/index.ts');
  const { data } = await loadConfig(agentConfigSchema, {
    file,
    env: process.env,
    envPrefix: 'CAUSEWAY_AGENT',
    flags: {},
  });
  if (data === undefined) throw cliError('usage', `${file} has no \`data\`: the agent cannot be asked`);
  return beside(file, data);
}
