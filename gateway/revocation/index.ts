export type { EdgeBan } from './edge-ban.ts';
export { EmergencyDenials, type EmergencyDenial } from './emergency-denials.ts';
export { EmergencyApi } from './emergency-api.ts';
export { registerRevocationMetrics } from './revocation-metrics.ts';
export { Revocations, type KeyFacts } from './revocations.ts';
