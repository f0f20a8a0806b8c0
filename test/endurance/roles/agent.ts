import { createLog } from '../../../base/index.ts';
import { agentConfigSchema, startAgent } from '../../../edge-agent/index.ts';
import { heap, roleOptions, serveRole, settle } from '../role.ts';

const config = agentConfigSchema.parse(roleOptions());
const agent = await startAgent({
  config,
  log: createLog({ name: 'agent', level: config.log }),
  version: 'test',
  env: {},
});

const commands = {
  settle,
  heap,
  links: () => agent.uplink.links.map(({ target, active, link }) => ({ target, active, stats: link.stats })),
};

export type AgentRole = typeof commands;

serveRole({}, commands);
