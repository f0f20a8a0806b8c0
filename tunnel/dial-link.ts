import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { dialSocket, type DialSocketOptions } from './dial-socket.ts';
import { defaultLimits } from './limits.ts';
import type { Wire } from './wire.ts';
import { dialWsWire } from './ws-wire.ts';

/**
 * Opens the wire of a link to `target`, `host:port`: TCP, through an HTTP proxy where one is given, TLS with these options,
 * WebSocket. `verify` looks at who answered before anything is sent. Errors: `link-refused`, or the code that the other side gives for its refusal.
 */
export async function dialLink(
  target: string,
  tls: ConnectionOptions,
  proxy?: string,
  verify?: DialSocketOptions['verify'],
): Promise<Wire> {
  return dialWsWire({ socket: await dialTarget(target, tls, proxy, verify), host: target });
}

/** The connection to `target`, `host:port`, that a link or a request goes over. Errors: `link-refused`. */
export async function dialTarget(
  target: string,
  tls: ConnectionOptions,
  proxy?: string,
  verify?: DialSocketOptions['verify'],
): Promise<Socket> {
  const colon = target.lastIndexOf(':');
  return await dialSocket({
    host: target.slice(0, colon).replaceAll(/^\[|\]$/gu, ''),
    port: Number(target.slice(colon + 1)),
    tls,
    timeoutMs: defaultLimits.handshakeMs,
    ...(proxy === undefined ? {} : { proxy }),
    ...(verify === undefined ? {} : { verify }),
  });
}

/** The proxy that the environment names for a target, as curl reads it: `HTTPS_PROXY`, unless `NO_PROXY` covers the host. */
export function proxyFromEnvironment(target: string, env: NodeJS.ProcessEnv): string | undefined {
  const proxy = env['HTTPS_PROXY'] ?? env['https_proxy'];
  if (proxy === undefined || proxy === '') return undefined;
  const host = target.slice(0, target.lastIndexOf(':')).toLowerCase();
  const exempt = (env['NO_PROXY'] ?? env['no_proxy'] ?? '')
    .split(',')
    .map((entry) => entry.trim().toLowerCase().replace(/^\./u, ''));
  const covered = exempt.some(
    (entry) => entry === '*' || (entry !== '' && (host === entry || host.endsWith(`.${entry}`))),
  );
  return covered ? undefined : proxy;
}
