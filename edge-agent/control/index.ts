export { EdgeCredentials, type EdgeCredentialsOptions } from './edge-credentials.ts';
export { askPublicListener, hostOf } from './public-listener-client.ts';
