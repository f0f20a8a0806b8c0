import { once } from 'node:events';
import { createServer } from 'node:https';
import { constants } from 'node:crypto';
import { connect, type Server } from 'node:tls';
import type { Test } from 'tap';
import { CodedError, codeOf, createLog, messageOf, systemClock, type Log } from '../../base/index.ts';
import { clientTls, linkServerTls, type IdentityKind, type TlsCredentials } from '../../certs/index.ts';
import { LinkListener } from '../../gateway/link-listener.ts';
import { defaultLimits, dialLink, LINK_PATH, Ticker } from '../../tunnel/index.ts';
import type { TestFleet } from '../support/certificates.ts';
import { Cluster } from '../support/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Chain } from './chain.ts';
import type { Door } from './chain-row.ts';

/** Where chains are offered. */
export interface ChainDoor {
  readonly door: Door;
  /** Of whom it expects. */
  readonly kind: IdentityKind;
  /** One handshake and what follows it: `accepted`, or the code of the refusal, and OpenSSL's reason where that refuses. */
  readonly offer: (chain: Chain) => Promise<string>;
}

export interface ChainDoors {
  readonly fleet: TestFleet;
  readonly doors: readonly ChainDoor[];
}

/** A running replica's link and API listeners, a link listener for replicas, and an agent's way to a replica. */
export async function openDoors(t: Test): Promise<ChainDoors> {
  const refusals: string[] = [];
  const log = refusalLog(refusals);
  const cluster = await Cluster.start(t, { edges: 0, log });
  await cluster.allow('edge-1');
  const fleet = cluster.certificates;
  const peerPort = await peerListener(t, await fleet.credentials('replica/site-a/r0'), log);
  const edge = await fleet.credentials('edge/edge-1');
  const upgrade = [
    `GET ${LINK_PATH} HTTP/1.1`,
    'Host: replica',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: causeway.link.v1',
  ];
  const version = ['GET /version HTTP/1.1', 'Host: replica', 'Connection: close'];
  const offerTo = (port: number, head: readonly string[]) => (chain: Chain) =>
    offer({ port, head, chain, trust: fleet.trust.pem, refusals });
  return {
    fleet,
    doors: [
      { door: 'links', kind: 'edge', offer: offerTo(cluster.ports.link, upgrade) },
      { door: 'api', kind: 'operator', offer: offerTo(cluster.ports.api, version) },
      { door: 'peers', kind: 'replica', offer: offerTo(peerPort, upgrade) },
      { door: 'dialer', kind: 'replica', offer: (chain) => serve(chain, edge) },
    ],
  };
}

/** A listener keeps its reasons to itself: they are in its log. */
function refusalLog(refusals: string[]): Log {
  const write = (line: string): void => {
    const { event, error } = JSON.parse(line) as { event: string; error?: { code: string; message: string } };
    if (error !== undefined && /refused|handshake-failed/u.test(event))
      refusals.push(verdictOf(error.code, error.message));
  };
  return createLog({ name: 'replica', level: 'debug', destination: { write } });
}

async function peerListener(t: Test, credentials: TlsCredentials, log: Log): Promise<number> {
  const never = (): never => {
    throw new CodedError('link-refused', 'nobody gets that far');
  };
  const listener = new LinkListener({
    credentials,
    kinds: ['replica'],
    door: { admit: () => undefined, greet: never, expel: never },
    clock: systemClock,
    ticker: new Ticker(systemClock),
    limits: defaultLimits,
    log,
  });
  t.teardown(async () => {
    listener.server.close();
    listener.server.closeAllConnections();
    for (const link of listener.links.keys()) link.close(new CodedError('draining', 'the test is over'));
  });
  return await listen(listener.server);
}

interface Offer {
  readonly port: number;
  /** What is asked for when the handshake is done. */
  readonly head: readonly string[];
  readonly chain: Chain;
  readonly trust: string;
  readonly refusals: string[];
}

async function offer({ port, head, chain, trust, refusals }: Offer): Promise<string> {
  refusals.length = 0;
  const socket = connect({ host: '127.0.0.1', port, ca: trust, ...shown(chain), ALPNProtocols: ['http/1.1'] });
  let answer = '';
  let isGone = false;
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.on('close', () => (isGone = true));
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  const status = await waitFor('an answer, or a refusal', () => {
    const found = /^HTTP\/1\.1 (\d+)/u.exec(answer)?.[1];
    return found ?? (isGone ? 'cut' : undefined);
  });
  const isApi = status === '401' && answer.includes('Causeway-Code: unauthenticated');
  socket.destroy();
  // Whoever is known may still not be allowed to have this.
  if (status === '101' || status === '200' || status === '403') return 'accepted';
  // The API lets those in who show none; they are nobody.
  if (isApi && refusals.length === 0) return 'cert-missing';
  return await waitFor(`the reason of ${status}`, () => refusals[0], { deadlineMs: 2_000 });
}

/** The agent's side: the chain is a server's. */
async function serve(chain: Chain, dialer: TlsCredentials): Promise<string> {
  const server = createServer({ ...linkServerTls({ ...dialer, chainPem: '', keyPem: '' }), ...shown(chain) });
  server.on('tlsClientError', () => undefined);
  // The dialer has looked by then.
  server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 503 Seen\r\nConnection: close\r\n\r\n'));
  const port = await listen(server);
  try {
    await dialLink(`127.0.0.1:${port}`, clientTls(dialer));
    return 'no refusal';
  } catch (error) {
    if (messageOf(error).includes('HTTP 503')) return 'accepted';
    const cause = error instanceof Error ? error.cause : undefined;
    return verdictOf(codeOf(cause), messageOf(cause));
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** Those who attack choose what they offer: what OpenSSL would not do by itself it is told to do. */
function shown({ certificates, keyPem }: Chain) {
  return {
    ...(certificates.length === 0 ? {} : { cert: certificates.join(''), key: keyPem }),
    ciphers: 'DEFAULT:@SECLEVEL=0',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** OpenSSL's own codes are words in capitals; at the dialer they come bare. */
function verdictOf(code: string, message: string): string {
  if (/^(?:ERR_|E[A-Z]+$)/u.test(code)) return `tls-failed ${code}`;
  if (code === 'CERT_HAS_EXPIRED') return `cert-expired ${code}`;
  if (code === 'CERT_NOT_YET_VALID') return `cert-not-yet-valid ${code}`;
  if (/^[A-Z_]+$/u.test(code)) return `cert-untrusted ${code}`;
  const reason = /[A-Z][A-Z_]{7,}/u.exec(message)?.[0];
  return reason === undefined ? code : `${code} ${reason}`;
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
