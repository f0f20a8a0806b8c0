export type { CacheObservation, EdgeObservation } from './edge-status.ts';
export { EdgeStatusWriter } from './edge-status-writer.ts';
export { FleetApi } from './fleet-api.ts';
export { ReplicaObject } from './replica-object.ts';
