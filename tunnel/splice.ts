import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { CodedError } from '../base/index.ts';
import { tunnelError } from './tunnel-error.ts';

/**
 * Ties the ends of a stream and a socket together, so that neither outlives the other: a stream that fails cuts the socket
 * (so that its peer sees a cut and not an end), a socket that fails or goes away resets the stream with `failed(cause)`.
 * A clean half-close of either is left to `pipe`.
 */
export function couple(stream: Duplex, socket: Duplex, failed: (cause?: unknown) => CodedError = canceled): void {
  let socketError: unknown;
  // One direction may end long before the other; a TLS server's sockets, and a client's, do not allow for that by themselves.
  socket.allowHalfOpen = true;
  stream.on('error', ignore);
  stream.on('close', () => {
    if (!isDone(stream)) cut(socket);
  });
  socket.on('error', (error) => {
    socketError = error;
  });
  socket.on('close', () => {
    if (!stream.destroyed && !isDone(socket)) stream.destroy(failed(socketError));
  });
}

/** Bytes that have passed so far, counted as they pass. */
export interface Traffic {
  /** From the socket into the stream. */
  sent: number;
  /** From the stream to the socket. */
  received: number;
}

/** Joins a stream and a socket: bytes, half-closes and failures pass both ways, with back-pressure. */
export function splice(stream: Duplex, socket: Duplex, failed?: (cause?: unknown) => CodedError): Traffic {
  const traffic: Traffic = { sent: 0, received: 0 };
  couple(stream, socket, failed);
  socket.on('data', (chunk: Buffer) => {
    traffic.sent += chunk.length;
  });
  const together = new WritesTogether(socket);
  stream.on('data', (chunk: Buffer) => {
    traffic.received += chunk.length;
    together.next();
  });
  socket.pipe(stream);
  stream.pipe(socket);
  return traffic;
}

/** What arrives in one turn of the event loop goes out in two writes at most: the first at once, the rest at the turn's end. */
class WritesTogether {
  readonly #socket: Duplex;
  #turn: 'none' | 'first' | 'corked' = 'none';

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Called before each write. */
  next(): void {
    if (this.#turn === 'first') {
      this.#turn = 'corked';
      this.#socket.cork();
    } else if (this.#turn === 'none') {
      this.#turn = 'first';
      setImmediate(this.#onTurnEnd);
    }
  }

  readonly #onTurnEnd = (): void => {
    if (this.#turn === 'corked') this.#socket.uncork();
    this.#turn = 'none';
  };
}

/** Destroys a socket so that its peer can tell it from an end: TCP by a RST, TLS by the missing close_notify. */
export function cut(socket: Duplex): void {
  if (socket.destroyed) return;
  const isTcp = socket instanceof Socket && socket.remoteAddress !== undefined && !('encrypted' in socket);
  if (isTcp) socket.resetAndDestroy();
  else socket.destroy();
}

/** Both directions came to their own end. */
function isDone(end: Duplex): boolean {
  return end.readableEnded && end.writableFinished;
}

function canceled(cause?: unknown): CodedError {
  return tunnelError('canceled', cause === undefined ? {} : { cause });
}

function ignore(): void {
  // `close` follows and is what counts.
}
