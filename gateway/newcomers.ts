import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/index.ts';
import { connectionBelow } from './peer-address.ts';

export interface NewcomersOptions {
  readonly clock: Clock;
  /** Within this time a connection that says nothing is gone, also where a busy replica is late: it is cut at three quarters. */
  readonly handshakeMs: number;
  /** How many may wait at once. Default 1,024: some 70 MiB when each of them is within its handshake. */
  readonly most?: number;
}

const MOST = 1024;
const CUT_AT = 0.75;

/** Whoever means it has finished a handshake by then, also on a bad line: until then it is not cut in favour of another. */
const GRACE_MS = 2_000;

interface Newcomer {
  readonly socket: Socket;
  readonly since: number;
}

/**
 * The connections of a server whose other end is not known yet: from TCP's accept, through TLS, to whatever says who it is.
 * They have one deadline for all of it, so that nobody stays by giving a byte now and then. When too many wait, the
 * one that has waited longest goes, unless all are within their grace; then the latest goes. So the silent
 * make room, and those who come all at once do not put each other out half way.
 */
export class Newcomers {
  readonly #clock: Clock;
  readonly #withinMs: number;
  readonly #most: number;
  /** In the order in which they came. */
  readonly #waiting = new Map<Socket, Newcomer>();
  #timer: Timer | undefined;
  #cut = 0;

  constructor(server: Server, { clock, handshakeMs, most = MOST }: NewcomersOptions) {
    this.#clock = clock;
    this.#withinMs = handshakeMs * CUT_AT;
    this.#most = most;
    server.on('connection', (socket: Socket) => this.#onConnection(socket));
    server.once('close', () => this.#timer?.cancel());
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How many were cut, for lateness or for want of room. */
  get cut(): number {
    return this.#cut;
  }

  /** It is known who is there: the deadline counts no more. */
  welcome(socket: Socket): void {
    this.#waiting.delete(connectionBelow(socket));
  }

  #onConnection(socket: Socket): void {
    const now = this.#clock.now();
    if (this.#waiting.size >= this.#most) {
      const [oldest] = this.#waiting.values();
      if (oldest === undefined || now - oldest.since < GRACE_MS) {
        this.#cutOff(socket);
        return;
      }
      this.#cutOff(oldest.socket);
    }
    this.#waiting.set(socket, { socket, since: now });
    socket.once('close', () => this.#waiting.delete(socket));
    this.#timer ??= this.#clock.after(this.#withinMs, () => this.#onTimer());
  }

  /** One timer for all: it is set for the one that has waited longest. */
  #onTimer(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const { socket, since } of this.#waiting.values()) {
      const leftMs = since + this.#withinMs - now;
      if (leftMs > 0) {
        this.#timer = this.#clock.after(leftMs, () => this.#onTimer());
        return;
      }
      this.#cutOff(socket);
    }
  }

  #cutOff(socket: Socket): void {
    this.#waiting.delete(socket);
    this.#cut++;
    socket.destroy();
  }
}

/**
 * Takes whoever sends the head of a request for known: what it may ask is the server's own business from there. With
 * `bodiesToo` a request's body counts as well, where nobody is ever known.
 */
export function welcomeAtRequest(
  server: Server,
  { bodiesToo = false, ...options }: NewcomersOptions & { readonly bodiesToo?: boolean },
): Newcomers {
  const newcomers = new Newcomers(server, options);
  for (const event of ['request', 'checkContinue', 'upgrade', 'connect']) {
    // node asks whether somebody listens: a listener of ours must not be the only one.
    if (server.listenerCount(event) === 0) continue;
    server.prependListener(event, (request: IncomingMessage) => {
      const { socket, headers } = request;
      const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
      if (bodiesToo && hasBody) request.once('end', () => newcomers.welcome(socket));
      else newcomers.welcome(socket);
    });
  }
  return newcomers;
}
