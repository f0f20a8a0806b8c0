export { startEdgeApi, type EdgeApi, type EdgeApiOptions } from './edge-api.ts';
export { startEmbedded } from './embedded-service.ts';
