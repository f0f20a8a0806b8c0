import { loadConfig } from '../base/index.ts';
import { agentEnrolCommand } from './agent-enrol.ts';
import { agentStatusCommand } from './agent-status.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { beside, roleLog, roleOptions, settingsOf, tellParent, untilEnd } from './run-role.ts';
import { readVersion } from './version.ts';

export const agentCommand: CommandSpec = {
  name: 'agent',
  summary: 'run the agent of an edge',
  commands: [
    {
      name: 'run',
      summary: 'run the agent until SIGTERM, which drains it',
      options: roleOptions,
      notes:
        'Each key can also be set by the environment: CAUSEWAY_AGENT_GATEWAYS is gateways. The log is on stdout, one JSON object a line.',
      examples: ['agent run --config agent.yaml', 'agent run --config agent.yaml --set log=debug'],
      run,
    },
    agentEnrolCommand,
    agentStatusCommand,
  ],
};

async function run(input: CommandInput): Promise<void> {
  const { agentConfigSchema, startAgent, withServicePaths } = await import('../edge-agent/index.ts');
  const file = input.text('config');
  const read = async () => {
    const warn = (message: string): void => void process.stderr.write(`causeway: ${message}\n`);
    const config = await loadConfig(agentConfigSchema, {
      file,
      env: process.env,
      envPrefix: 'CAUSEWAY_AGENT',
      flags: settingsOf(input),
      warn,
    });
    const data = config.data === undefined ? {} : { data: beside(file, config.data) };
    const services = config.services.map((service) => withServicePaths(service, (path) => beside(file, path)));
    const { keyPassword } = config;
    const password = keyPassword === undefined ? {} : { keyPassword: beside(file, keyPassword) };
    return { ...config, keys: beside(file, config.keys), services, ...data, ...password };
  };
  const config = await read();
  const log = roleLog('agent', config.log);
  const agent = await startAgent({ config, log, version: readVersion() });
  tellParent({ event: 'started' });
  await untilEnd({
    name: 'the agent',
    log,
    reread: read,
    reload: () => agent.reload(),
    close: (reason) => agent.close(reason),
  });
}
