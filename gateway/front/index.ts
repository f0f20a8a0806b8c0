export type { ExchangeOutcome } from './exchange.ts';
export { createFront, type Front, type FrontOptions } from './front.ts';
export { frontCodes, frontError, type FrontCode } from './front-error.ts';
export { codedFailure, sendFailure } from './failure.ts';
export { EDGE_DOMAIN, routeOf, routeOfAuthority, type Route, type ServiceRoute } from './route.ts';
