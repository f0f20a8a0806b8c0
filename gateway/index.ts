export { gatewayConfigSchema, type GatewayConfig } from './gateway-config.ts';
export { startReplica, type Replica, type ReplicaOptions } from './replica.ts';
