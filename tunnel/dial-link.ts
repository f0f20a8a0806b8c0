import type { ConnectionOptions } from 'node:tls';
import { dialSocket } from './dial-socket.ts';
import { defaultLimits } from './limits.ts';
import type { Wire } from './wire.ts';
import { dialWsWire } from './ws-wire.ts';

/**
 * Opens the wire of a link to `target`, `host:port`: TCP, through an HTTP proxy where one is given, TLS with these options,
 * WebSocket. Errors: `link-refused`, or the code that the other side gives for its refusal.
 */
export async function dialLink(target: string, tls: ConnectionOptions, proxy?: string): Promise<Wire> {
  const colon = target.lastIndexOf(':');
  const socket = await dialSocket({
    host: target.slice(0, colon).replaceAll(/^\[|\]$/gu, ''),
    port: Number(target.slice(colon + 1)),
    tls,
    timeoutMs: defaultLimits.handshakeMs,
    ...(proxy === undefined ? {} : { proxy }),
  });
  return dialWsWire({ socket, host: target });
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
