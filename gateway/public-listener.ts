import { createServer, type Server } from 'node:https';
import { apiServerTls, type TlsCredentials } from '../certs/index.ts';
import type { OwnPaths } from './api-listener.ts';
import { sendFailure } from './front/index.ts';
import { gatewayError } from './gateway-error.ts';

const MAX_HEADER_BYTES = 4 * 1024;
const REQUEST_MS = 10_000;

/** The listener for whoever has no certificate: health only, until enrolment comes. Its limits are tiny. */
export function createPublicListener({
  credentials,
  openPaths,
}: {
  readonly credentials: TlsCredentials;
  readonly openPaths: OwnPaths;
}): Server {
  const server = createServer({
    ...apiServerTls(credentials),
    requestCert: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: REQUEST_MS,
  });
  server.maxConnections = 1000;
  server.on('request', (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (!openPaths(request, response, path)) sendFailure(response, gatewayError('not-found'));
  });
  return server;
}
