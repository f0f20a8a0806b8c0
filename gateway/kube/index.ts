export { EdgeKube, type EdgeView } from './edge-kube.ts';
export type { FleetEdge } from './fleet-coverage.ts';
export { FleetCursor } from './fleet-cursor.ts';
export { FleetKube } from './fleet-kube.ts';
export { FleetViews } from './fleet-views.ts';
export { registerReadCounts } from './read-counts.ts';
export type { ReadDefault } from './read-mode.ts';
