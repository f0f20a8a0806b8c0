import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { type Direction, WeakConnection } from './weak-connection.ts';
import { plainShape, type Shape, Wire } from './wire.ts';

export { type Direction, WeakConnection } from './weak-connection.ts';
export { type Shape } from './wire.ts';

export interface WeakLinkOptions extends Partial<Shape> {
  readonly target: { readonly host?: string; readonly port: number };
  /** Where to listen. Default: a free port. */
  readonly port?: number;
  /** What one direction does differently. */
  readonly toTarget?: Partial<Shape>;
  readonly toClient?: Partial<Shape>;
  /** For jitter; 0 ≤ x < 1. */
  readonly random?: () => number;
}

/**
 * A TCP proxy on loopback that behaves like a bad network: latency, jitter, a thin rate with a short queue, resets,
 * black holes. It stands in for `tc netem`, which not every kernel has.
 *
 * What it cannot hide: the sender's own kernel buffer, about 2.5 MB on loopback and not Node's to set. A sender that
 * does not bound what it has in flight sees its writes accepted early, as over a real path with a deep buffer.
 */
export class WeakLink {
  readonly #target: { host: string; port: number };
  readonly #wires: Readonly<Record<Direction, Wire>>;
  readonly #connections = new Set<WeakConnection>();
  /** Accepted, and the target has not answered yet. */
  readonly #dialing = new Set<Socket>();
  #server: Server | undefined;
  #dark = false;
  #port = 0;

  static async start(options: WeakLinkOptions): Promise<WeakLink> {
    const link = new WeakLink(options);
    await link.#listen(options.port ?? 0);
    return link;
  }

  private constructor({ target, port: _, toTarget, toClient, random = Math.random, ...shape }: WeakLinkOptions) {
    this.#target = { host: target.host ?? '127.0.0.1', port: target.port };
    this.#wires = {
      toTarget: new Wire({ ...plainShape, ...shape, ...toTarget }, random),
      toClient: new Wire({ ...plainShape, ...shape, ...toClient }, random),
    };
  }

  get host(): string {
    return '127.0.0.1';
  }

  get port(): number {
    return this.#port;
  }

  /** Open connections, oldest first. */
  get connections(): readonly WeakConnection[] {
    return [...this.#connections];
  }

  /** Changes how the link behaves from now on, in both directions or in one. */
  shape(shape: Partial<Shape>, directions: readonly Direction[] = ['toTarget', 'toClient']): void {
    for (const direction of directions) {
      const wire = this.#wires[direction];
      wire.shape = { ...wire.shape, ...shape };
    }
  }

  /** RST on every connection; new ones are welcome. */
  cutAll(): void {
    for (const connection of this.connections) connection.cut();
    for (const socket of this.#dialing) socket.resetAndDestroy();
  }

  /** RST on one connection, the oldest if none is named. */
  cutOne(connection: WeakConnection | undefined = this.connections[0]): void {
    connection?.cut();
  }

  /** FIN on every connection. */
  closeAll(): void {
    for (const connection of this.connections) connection.close();
  }

  /** Nothing passes and nobody is told: on one connection, or on all there are and all to come until `restore`. */
  blackHole(connection?: WeakConnection): void {
    if (connection === undefined) this.#dark = true;
    for (const each of connection === undefined ? this.connections : [connection]) each.blackHole();
  }

  /** Nothing passes in one direction, on one connection or on all there are. */
  halfOpen(direction: Direction, connection?: WeakConnection): void {
    for (const each of connection === undefined ? this.connections : [connection]) each.halfOpen(direction);
  }

  restore(connection?: WeakConnection): void {
    if (connection === undefined) this.#dark = false;
    for (const each of connection === undefined ? this.connections : [connection]) each.restore();
  }

  /** New connections are refused from here on; open ones stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Takes new connections again, on the same port. */
  async admit(): Promise<void> {
    if (this.#server === undefined) await this.#listen(this.#port);
  }

  /** Cuts everything and stops listening. */
  async close(): Promise<void> {
    this.refuse();
    const connections = this.connections;
    this.cutAll();
    await Promise.all(connections.map((connection) => connection.closed));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => this.#onConnection(client));
    this.#server = server;
    server.listen({ host: this.host, port });
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  #onConnection(client: Socket): void {
    const target = connect({ ...this.#target, allowHalfOpen: true });
    this.#dialing.add(client);
    const fail = (): void => {
      this.#dialing.delete(client);
      target.destroy();
      client.resetAndDestroy();
    };
    client.once('error', fail);
    target.once('error', fail);
    client.once('close', fail);
    target.once('connect', () => {
      for (const socket of [client, target]) socket.off('error', fail);
      client.off('close', fail);
      this.#dialing.delete(client);
      const connection = new WeakConnection(client, target, this.#wires);
      this.#connections.add(connection);
      void connection.closed.then(() => this.#connections.delete(connection));
      if (this.#dark) connection.blackHole();
      else connection.restore();
    });
  }
}
