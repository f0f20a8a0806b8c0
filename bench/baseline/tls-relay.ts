import { once } from 'node:events';
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { serveAsChild, startChild, type Child } from './child.ts';
import { type BenchCredentials, clientOptions, type PemCredentials, serverOptions } from './credentials.ts';

/** One process of the relay: takes connections on one side and pipes each to a new one on the other. */
interface HopOptions {
  /** Listens with mTLS by these, else without TLS. */
  readonly server?: PemCredentials;
  /** Dials with mTLS by these, else without TLS. */
  readonly client?: PemCredentials;
  readonly port: number;
}

export interface TlsRelay {
  /** Dial it with the client's credentials. */
  readonly port: number;
  readonly hops: readonly Child<{ readonly port: number }>[];
  stop(): Promise<void>;
}

/**
 * The least that the tunnel's hops can cost: client –mTLS→ relay A –mTLS→ relay B –TCP→ service, two processes of plain
 * Node that do nothing but pipe.
 */
export async function startTlsRelay(port: number, { client, relay }: BenchCredentials): Promise<TlsRelay> {
  const b = await startHop({ server: relay, port });
  const a = await startHop({ server: relay, client, port: b.ready.port });
  return { port: a.ready.port, hops: [a, b], stop: async () => void (await Promise.all([a.stop(), b.stop()])) };
}

function startHop(options: HopOptions): Promise<Child<{ readonly port: number }>> {
  return startChild(import.meta.filename, options);
}

async function serve({ server, client, port }: HopOptions): Promise<{ port: number }> {
  // One context for all connections: making it anew reads the certificates anew.
  const dialOptions = client === undefined ? undefined : clientOptions(client);
  const relay = (near: Socket): void => {
    const to = { host: '127.0.0.1', port, allowHalfOpen: true };
    const far = dialOptions === undefined ? connectTcp(to) : connectTls({ ...dialOptions, ...to });
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      from.pipe(other);
      from.on('error', () => other.destroy());
      from.on('close', () => other.destroySoon());
    }
  };
  const listener =
    server === undefined
      ? createTcpServer({ allowHalfOpen: true }, relay)
      : createTlsServer({ ...serverOptions(server), allowHalfOpen: true }, relay);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return { port: (listener.address() as AddressInfo).port };
}

if (import.meta.main) serveAsChild(serve);
