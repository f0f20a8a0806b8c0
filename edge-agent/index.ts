export { agentConfigSchema, withServicePaths, type AgentConfig } from './agent-config.ts';
export { enrol, type Enrolled, type EnrolOptions } from './enrolment/index.ts';
export { startAgent, type Agent, type AgentOptions } from './agent.ts';
export { askAgent, type AgentReport } from './status-socket.ts';
