import { codedError, type CodedError, type CodeDetail, type CodeEntry } from '../base/index.ts';

/** What can go wrong at a replica's listeners. `docs/errors.md` repeats it, and a test keeps the two equal. */
export const gatewayCodes = {
  'unauthenticated': {
    status: 401,
    retryable: false,
    text: 'no valid client certificate',
    fix: 'give a certificate of an operator or a component',
  },
  'not-found': {
    status: 404,
    retryable: false,
    text: 'there is nothing at this path',
    fix: '`/edges/EDGE/SERVICE/...` reaches an edge',
  },
  'not-cached': {
    status: 504,
    retryable: true,
    text: 'this is not in the cache, or not new enough there',
    fix: 'ask without `only-if-cached`, or configure the agent to cache it',
  },
  'edges-missing': {
    status: 503,
    retryable: true,
    text: 'the state of some edges is not known here',
    fix: 'try again when they have been in contact, or take what there is with `allowPartial=true`',
  },
  'issuer-missing': {
    status: 503,
    retryable: true,
    text: 'this replica issues no certificates',
    fix: "give it the edges' issuing key: `issuer.cert` and `issuer.key` of its configuration",
  },
  'proxy-header': {
    status: 400,
    retryable: false,
    text: 'the connection does not begin with a PROXY protocol header',
    fix: 'let the load balancer send one (version 1 or 2), or set `proxyProtocol: off`',
  },
  'issuer-outdated': {
    status: 503,
    retryable: true,
    text: 'this replica has not got the issuing key that the fleet has moved to yet',
    fix: 'ask another replica, or wait; the operator puts the new key where `issuer.cert` and `issuer.key` say',
  },
  'key-pinned': {
    status: 403,
    retryable: false,
    text: "the edge's key is pinned: it gets no certificate for another one",
    fix: 'renew with the same key, or change `spec.keyPin` of the EdgeNode',
  },
  'renewal-refused': {
    status: 403,
    retryable: false,
    text: 'the certificate cannot be renewed',
    fix: 'enrol the edge again; the audit log of the replica has the reason',
  },
  'emergency-file-invalid': {
    status: 500,
    retryable: false,
    text: 'the file of emergency denials cannot be read, so nobody knows whom it keeps out',
    fix: 'repair it; or remove it, and deny the edges again that have to stay out',
  },
  'port-in-use': {
    status: 500,
    retryable: false,
    text: 'another process listens on the port',
    fix: 'choose another port, or end that process',
  },
} as const satisfies Record<string, CodeEntry>;

export type GatewayCode = keyof typeof gatewayCodes;

export function gatewayError(code: GatewayCode, detail: CodeDetail = {}): CodedError {
  return codedError(code, gatewayCodes[code], detail);
}
