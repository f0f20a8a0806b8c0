export { CodedError } from '../base/index.ts';
export { Api, type ApiAnswer } from './api-client.ts';
export { loadClientConfig, type ClientConfig } from './client-config.ts';
export { Edge, type DialOptions } from './edge.ts';
export type { FetchOptions } from './edge-fetch.ts';
export { connect, Fleet, type ConnectOptions } from './fleet.ts';
export { splice, type Stream } from '../tunnel/index.ts';
