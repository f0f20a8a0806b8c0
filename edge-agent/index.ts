export { agentConfigSchema, type AgentConfig } from './agent-config.ts';
export { startAgent, type Agent, type AgentOptions } from './agent.ts';
