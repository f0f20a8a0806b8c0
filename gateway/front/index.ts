export type { ExchangeOutcome } from './exchange.ts';
export { createFront, type Front, type FrontOptions } from './front.ts';
export { frontCodes } from './front-error.ts';
export { codedFailure, sendFailure } from './failure.ts';
export { routeOf, routeOfAuthority, type Route, type ServiceRoute } from './route.ts';
