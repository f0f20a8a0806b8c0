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

let renewals = 0;
let serial = agent.keys.leaf.serialNumber;
agent.keys.onChange(() => {
  if (agent.keys.leaf.serialNumber !== serial) renewals += 1;
  serial = agent.keys.leaf.serialNumber;
});

const commands = {
  /** Certificates that took the place of another. */
  renewals: () => renewals,
  roots: () => agent.keys.trust.roots.length,
  settle,
  heap,
  links: () => agent.uplink.links.map(({ target, active, link }) => ({ target, active, stats: link.stats })),
};

export type AgentRole = typeof commands;

serveRole({}, commands);
