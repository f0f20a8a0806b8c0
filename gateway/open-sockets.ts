import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Clock } from '../base/index.ts';

/** A server's connections, all of them: `node:http` loses sight of those that were upgraded. */
export class OpenSockets {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Takes no new connection and lets what is under way end within the time; the rest is cut. */
  async drain(clock: Clock, withinMs: number): Promise<void> {
    const timer = clock.after(withinMs, () => this.#cut());
    const closed = this.#closed();
    this.#server.closeIdleConnections();
    await closed;
    timer.cancel();
  }

  /** Closes at once. */
  async close(): Promise<void> {
    const closed = this.#closed();
    this.#cut();
    await closed;
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #closed(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}
