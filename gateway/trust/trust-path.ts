import type { ServerResponse } from 'node:http';
import { trustPath } from '../../api/index.ts';
import type { TrustBundle } from '../../certs/index.ts';

/** `GET /v1/trust` for who has a connection to the API: the roots of the fleet, which are no secret, with their signatures. */
export function answerTrust(response: ServerResponse, path: string, { text }: TrustBundle): boolean {
  if (path !== trustPath) return false;
  response.writeHead(200, { 'Content-Type': 'application/x-pem-file', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
  return true;
}
