export type { CacheObservation, EdgeObservation } from './edge-status.ts';
export { EdgeStatusWriter } from './edge-status-writer.ts';
export { FleetApi } from './fleet-api.ts';
export { trustBundleName } from './trust-bundle-type.ts';
export { ReplicaObjects, type ReplicaFacts } from './replica-object.ts';
export { memberOf } from './fleet-type.ts';
export { tokenExpiry } from './join-token-type.ts';
