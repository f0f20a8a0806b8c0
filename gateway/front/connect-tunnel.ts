import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type KindStream, splice, type Traffic, tunnelError } from '../../tunnel/index.ts';
import type { ExchangeOutcome } from './exchange.ts';
import { codedFailure, responseOn, sendFailure } from './failure.ts';

const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n';

/**
 * Answers a CONNECT by a `tcp` stream. Success is told when the agent has connected, so a refusal is still an HTTP answer; from
 * then on client and service share the bytes, half-closes and cuts.
 */
export function connectThrough(
  request: IncomingMessage,
  socket: Duplex,
  stream: KindStream,
  onDone: ((outcome: ExchangeOutcome) => void) | undefined,
): void {
  let traffic: Traffic | undefined;
  const onGone = (): void => {
    stream.destroy(tunnelError('canceled'));
  };
  socket.on('close', onGone);
  stream.on('open', () => {
    if (traffic !== undefined || socket.destroyed) return;
    socket.off('close', onGone);
    socket.write(ESTABLISHED);
    traffic = splice(stream, socket);
  });
  stream.on('error', (cause: unknown) => {
    if (traffic !== undefined || socket.destroyed) return;
    socket.off('close', onGone);
    sendFailure(responseOn(request, socket), codedFailure(cause));
  });
  stream.on('close', () => {
    const error = stream.errored === null ? undefined : codedFailure(stream.errored);
    onDone?.({
      status: traffic === undefined ? (error?.status ?? 0) : 200,
      code: error?.code,
      requestBytes: traffic?.sent ?? 0,
      responseBytes: traffic?.received ?? 0,
    });
  });
}
