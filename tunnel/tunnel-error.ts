import { codedError, CodedError, type CodeDetail, type CodeEntry } from '../base/index.ts';

/** The closed table of what can go wrong in the tunnel. `docs/errors.md` repeats it, and a test keeps the two equal. */
export const tunnelCodes = {
  // A stream was not opened: nothing was executed.
  'not-opened': {
    status: 503,
    retryable: true,
    text: 'the edge has no link at the moment; nothing was executed',
    fix: 'try again; `causeway node show` tells since when the edge is away',
  },
  'not-here': { status: 503, retryable: true, text: 'this replica does not hold the edge', fix: 'try again' },
  'edge-unknown': { status: 404, retryable: false, text: 'no such edge', fix: '`causeway node ls` lists the edges' },
  'edge-denied': {
    status: 403,
    retryable: false,
    text: 'the edge is not on the whitelist',
    fix: '`causeway node allow EDGE` puts it there',
  },
  'edge-cut': {
    status: 502,
    retryable: false,
    text: 'the edge was cut off while this ran; nobody can know what it did of it',
    fix: '`causeway node show EDGE` says whether it is on the whitelist',
  },
  'revoked': {
    status: 403,
    retryable: false,
    text: 'the identity, its key or its certificate is revoked',
    fix: 'an operator sees it in `causeway revocation ls`; `causeway revocation rm` lifts it',
  },
  'denied': { status: 403, retryable: false, text: 'not allowed', fix: 'ask an operator for access' },
  'service-unknown': {
    status: 404,
    retryable: false,
    text: "the edge's agent declares no such service",
    fix: '`causeway node show EDGE` lists its services',
  },
  'address-denied': {
    status: 403,
    retryable: false,
    text: "the agent's configuration does not allow that address",
    fix: "add it to `addresses` in the agent's configuration",
  },
  'overloaded': {
    status: 503,
    retryable: true,
    text: 'a limit is reached; nothing was executed',
    fix: 'try again later',
  },
  'other-instance': {
    status: 503,
    retryable: true,
    text: 'the stream is meant for another instance of the endpoint',
    fix: 'try again',
  },
  'kind-unknown': {
    status: 501,
    retryable: false,
    text: 'the endpoint does not serve this kind of stream',
    fix: 'upgrade the older side',
  },
  'head-mismatch': {
    status: 409,
    retryable: false,
    text: 'a stream of this id exists with another head',
    fix: 'use a new stream id',
  },
  // The service behind the agent.
  'upstream-refused': {
    status: 502,
    retryable: true,
    text: 'the service refused the connection; nothing was executed',
    fix: 'look whether the service runs at the edge',
  },
  'upstream-timeout': {
    status: 504,
    retryable: false,
    text: 'the service did not answer in time',
    fix: 'look at the service at the edge',
  },
  'upstream-failed': {
    status: 502,
    retryable: false,
    text: 'the service failed before its answer was complete',
    fix: "look at the service's log at the edge",
  },
  'upstream-tls': {
    status: 502,
    retryable: false,
    text: "the service's certificate was not accepted; nothing was executed",
    fix: "set the service's `ca` in the agent's configuration",
  },
  // A stream ended before its end.
  'outcome-unknown': {
    status: 502,
    retryable: false,
    text: 'the edge may or may not have executed this; nobody can know',
    fix: 'check, then repeat it if it is safe to',
  },
  'stream-lost': {
    status: 502,
    retryable: false,
    text: 'no path to the other end came back in time',
    fix: 'look at the links: `causeway node show EDGE`',
  },
  'gone': {
    status: 502,
    retryable: false,
    text: 'the other end does not know the stream any more',
    fix: 'open a new one',
  },
  'canceled': { status: 499, retryable: false, text: 'the other end gave up', fix: 'nothing to do' },
  'endpoint-closed': { status: 502, retryable: false, text: 'the other end shut down', fix: 'open a new stream' },
  'flow-violation': {
    status: 502,
    retryable: false,
    text: 'the other end sent more than its credit',
    fix: 'report it: this is a fault in the other end',
  },
  'offset-gap': {
    status: 502,
    retryable: false,
    text: 'bytes of the stream are missing',
    fix: 'report it: this is a fault on the way',
  },
  'record-malformed': {
    status: 502,
    retryable: false,
    text: "the stream's content breaks its kind's format",
    fix: 'report it: this is a fault in the other end',
  },
  // A channel ended and its stream did not.
  'link-lost': {
    status: 503,
    retryable: true,
    text: "the path's other link is gone",
    fix: 'nothing to do: the stream resumes',
  },
  'moved': {
    status: 503,
    retryable: true,
    text: 'the edge moved to another link',
    fix: 'nothing to do: the stream resumes',
  },
  'superseded': { status: 503, retryable: true, text: 'a newer attempt took the stream over', fix: 'nothing to do' },
  'over-budget': {
    status: 503,
    retryable: true,
    text: 'the switch needed the memory',
    fix: 'nothing to do: the stream resumes',
  },
  'finished': { status: 200, retryable: false, text: 'the stream is complete', fix: 'nothing to do' },
  // A link.
  'frame-too-long': {
    status: 400,
    retryable: false,
    text: 'a frame is longer than allowed',
    fix: 'report it: this is a fault in the peer',
  },
  'head-too-long': {
    status: 431,
    retryable: false,
    text: 'a head is longer than allowed',
    fix: 'send fewer or shorter headers',
  },
  'frame-unknown': {
    status: 400,
    retryable: false,
    text: 'a frame of an unknown type that may not be skipped',
    fix: 'upgrade the older side',
  },
  'frame-malformed': {
    status: 400,
    retryable: false,
    text: 'a frame that breaks its format',
    fix: 'report it: this is a fault in the peer',
  },
  'frame-unexpected': {
    status: 400,
    retryable: false,
    text: 'a frame that is not allowed in this state',
    fix: 'report it: this is a fault in the peer',
  },
  'text-message': {
    status: 400,
    retryable: false,
    text: 'a text message on a binary protocol',
    fix: 'connect with an agent or the SDK',
  },
  'handshake-timeout': {
    status: 408,
    retryable: true,
    text: 'no HELLO or WELCOME in time',
    fix: 'look at the network between the two',
  },
  'hello-malformed': {
    status: 400,
    retryable: false,
    text: 'the HELLO is not what the protocol says',
    fix: 'upgrade the older side',
  },
  'version-unsupported': {
    status: 426,
    retryable: false,
    text: 'no protocol version in common',
    fix: 'upgrade the older side',
  },
  'open-flood': { status: 429, retryable: true, text: 'streams were opened faster than allowed', fix: 'slow down' },
  'control-flood': {
    status: 429,
    retryable: true,
    text: 'the peer asks for more answers than it reads',
    fix: 'report it: this is a fault in the peer',
  },
  'link-silent': {
    status: 504,
    retryable: true,
    text: 'the peer answered no probe',
    fix: 'look at the network between the two',
  },
  'link-closed': {
    status: 503,
    retryable: true,
    text: 'the link was closed',
    fix: 'nothing to do: it is opened again',
  },
  'link-refused': {
    status: 503,
    retryable: true,
    text: 'the link could not be opened',
    fix: "look at the peer's address, certificate and log",
  },
  'instance-superseded': {
    status: 409,
    retryable: false,
    text: 'a newer instance holds this identity',
    fix: 'stop one of the two agents that share an identity',
  },
  'draining': {
    status: 503,
    retryable: true,
    text: 'the replica is shutting down',
    fix: 'nothing to do: another link is opened',
  },
} as const satisfies Record<string, CodeEntry>;

export type TunnelCode = keyof typeof tunnelCodes;

export function isTunnelCode(code: string): code is TunnelCode {
  return Object.hasOwn(tunnelCodes, code);
}

/** An error of the tunnel's table. */
export function tunnelError(code: TunnelCode, detail: CodeDetail = {}): CodedError {
  return codedError(code, tunnelCodes[code], detail);
}

/** Makes an error of the table of one that came over the wire: the code decides, the text is the peer's. */
export function tunnelErrorFromWire(code: string, message: string, retryAfterMs?: number): CodedError {
  const known: TunnelCode = isTunnelCode(code) ? code : 'canceled';
  const entry = tunnelCodes[known];
  return new CodedError(known, message === '' ? entry.text : message, {
    status: entry.status,
    retryable: entry.retryable,
    fix: entry.fix,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
