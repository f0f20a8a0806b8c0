import { parseExpiredRenewRequest } from '../../api/index.ts';
import type { PublicPath } from '../enrolment/index.ts';
import type { Renewal } from './renewal.ts';

/** What an edge is told that has proved its old key, so that it can do something about it; others hear of a refusal only. */
const told = ['edge-denied', 'revoked', 'key-pinned', 'issuer-missing', 'issuer-outdated'];

/** `POST /v1/renew` of the public listener: for edges whose certificate has expired. */
export function renewalPath(renewal: Pick<Renewal, 'afterExpiry'>): PublicPath {
  return {
    method: 'POST',
    told,
    answer: (body, remote, socket) => renewal.afterExpiry(parseExpiredRenewRequest(body), { socket, remote }),
  };
}
