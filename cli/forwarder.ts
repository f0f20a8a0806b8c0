import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { CodedError, codeOf, messageOf } from '../base/index.ts';
import type { Edge } from '../sdk/index.ts';
import { splice } from '../sdk/index.ts';
import { cliError } from './cli-error.ts';
import type { ForwardSpec } from './forward-spec.ts';

/** What happens to the connections of a forward; `--json` prints these. */
export type ForwardEvent =
  | { readonly event: 'listening'; readonly address: string; readonly port: number; readonly to: string }
  | { readonly event: 'waiting' | 'opened'; readonly port: number; readonly to: string; readonly connection: number }
  | {
      readonly event: 'closed';
      readonly port: number;
      readonly to: string;
      readonly connection: number;
      readonly sent: number;
      readonly received: number;
      /** Why, when it did not come to its own end. */
      readonly code?: string;
      readonly message?: string;
    };

export interface ForwarderOptions {
  readonly edge: Edge;
  readonly spec: ForwardSpec;
  readonly address: string;
  readonly onEvent: (event: ForwardEvent) => void;
  /** Local connections of all forwards that wait for the edge; shared, so that it bounds them together. */
  readonly waiting: Set<object>;
}

/** More local connections than this do not wait for the edge: they are cut at once. */
const MAX_WAITING = 256;
/** A local connection waits this long for the edge. Not a byte of it has been sent, so trying again does no harm. */
const OPEN_WITHIN_MS = 60_000;
const RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
/** Failures of the way to the edge; those of the service behind it are told at once. */
const PASSING = new Set([
  'not-opened',
  'not-here',
  'overloaded',
  'other-instance',
  'outcome-unknown',
  'stream-lost',
  'gone',
  'endpoint-closed',
  'draining',
  'link-lost',
]);
/** An opened stream that waits this long for its answer is worth a word. */
const SLOW_MS = 500;

/** A local port that leads to an edge; it outlives links, replicas, and the edge's own absences. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;
  #port = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    // Nothing is read from a local connection before the edge has taken it, so nothing is lost by trying again.
    this.#server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      (socket) => void this.#serve(socket),
    );
  }

  /** Local connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Begins to listen; the event `listening` tells the port. Throws `address-in-use`. */
  async listen(): Promise<void> {
    const { address, spec } = this.#options;
    try {
      this.#server.listen({ host: address, port: spec.localPort });
      await once(this.#server, 'listening');
    } catch (cause) {
      if (codeOf(cause) === 'EADDRINUSE') throw cliError('address-in-use', `${address}:${spec.localPort}`);
      throw cliError('usage', `cannot listen on ${address}:${spec.localPort}: ${messageOf(cause)}`);
    }
    const bound = this.#server.address();
    this.#port = typeof bound === 'object' && bound !== null ? bound.port : spec.localPort;
    this.#options.onEvent({ event: 'listening', address, port: this.#port, to: spec.to });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(socket: Socket): Promise<void> {
    const connection = ++this.#connections;
    this.#sockets.add(socket);
    const { onEvent, spec } = this.#options;
    const about = { port: this.#port, to: spec.to, connection };
    const gone = new AbortController();
    socket.once('close', () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    socket.on('error', () => undefined);
    try {
      const stream = await this.#open(gone.signal, () => onEvent({ event: 'waiting', ...about }));
      onEvent({ event: 'opened', ...about });
      let failure: Error | undefined;
      stream.once('error', (error: Error) => {
        failure = error;
      });
      const traffic = splice(stream, socket);
      stream.once('close', () => onEvent({ event: 'closed', ...about, ...traffic, ...failureOf(failure) }));
    } catch (error) {
      socket.resetAndDestroy();
      onEvent({ event: 'closed', ...about, sent: 0, received: 0, ...failureOf(error) });
    }
  }

  /** Dials until the edge takes the connection, for as long as that may still come about. */
  async #open(gone: AbortSignal, onWaiting: () => void): Promise<ReturnType<Edge['dial']>> {
    const { edge, spec, waiting } = this.#options;
    if (waiting.size >= MAX_WAITING) throw cliError('connection-limit', `${MAX_WAITING}`);
    const place = {};
    waiting.add(place);
    const slow = setTimeout(onWaiting, SLOW_MS);
    const deadline = performance.now() + OPEN_WITHIN_MS;
    try {
      for (;;) {
        const stream = edge.dial(spec.to);
        try {
          await once(stream, 'open', { signal: gone });
          return stream;
        } catch (error) {
          stream.on('error', () => undefined);
          stream.destroy();
          if (!PASSING.has(codeOf(error)) || gone.aborted || performance.now() > deadline) throw error;
          const asked = error instanceof CodedError ? (error.retryAfterMs ?? 0) : 0;
          await new Promise((resolve) => setTimeout(resolve, Math.max(RETRY_MS, Math.min(asked, MAX_RETRY_MS))));
        }
      }
    } finally {
      clearTimeout(slow);
      waiting.delete(place);
    }
  }
}

function failureOf(error: unknown): { code?: string; message?: string } {
  return error === undefined ? {} : { code: codeOf(error), message: messageOf(error) };
}
