import { connect, isIP } from 'node:net';
import { type KindStream, splice, tunnelError } from '../../tunnel/index.ts';
import type { HostPort, ResolvedAddress } from './address-list.ts';
import { readAhead } from './service-config.ts';
import { connectFailure, exchangeFailure } from './service-error.ts';

export interface TcpTarget extends HostPort {
  /** Exactly these are dialed, in this order and a little apart; without them the host is looked up. */
  readonly addresses?: readonly ResolvedAddress[];
}

/**
 * Serves a stream of kind `tcp`. The connection comes first: `accept` tells the opener that it stands, a refusal that it
 * never did. Then bytes, half-closes and cuts pass both ways.
 */
export function serveTcp(stream: KindStream, { host, port, addresses }: TcpTarget, connectTimeoutMs: number): void {
  const [only] = addresses ?? [];
  const socket = connect({
    ...readAhead,
    // An address that was given as one may have been written in another way than it was checked.
    host: only !== undefined && isIP(host) !== 0 ? only.address : host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    ...(addresses === undefined ? {} : { lookup: lookupIn(addresses) }),
  });
  const timer = setTimeout(
    () => socket.destroy(tunnelError('upstream-timeout', { detail: `${host}:${port}` })),
    connectTimeoutMs,
  );
  const onError = (error: Error): void => {
    clearTimeout(timer);
    if (!stream.destroyed) stream.refuse(connectFailure(error));
  };
  const onOpenerGone = (): void => {
    clearTimeout(timer);
    socket.destroy();
  };
  stream.on('error', ignore);
  stream.on('close', onOpenerGone);
  socket.on('error', onError);
  socket.once('connect', () => {
    clearTimeout(timer);
    stream.off('close', onOpenerGone);
    socket.off('error', onError);
    stream.accept();
    splice(stream, socket, exchangeFailure);
  });
}

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | { address: string; family: number }[],
  family?: number,
) => void;

/** For `net.connect`: answers with addresses that have been checked, so that nothing else can be dialed. */
function lookupIn(addresses: readonly ResolvedAddress[]) {
  return (_host: string, options: { all?: boolean | undefined }, done: LookupCallback): void => {
    const [first] = addresses;
    if (options.all === true || first === undefined)
      done(
        null,
        addresses.map(({ address, family }) => ({ address, family })),
      );
    else done(null, first.address, first.family);
  };
}

function ignore(): void {
  // `close` follows and is what counts.
}
