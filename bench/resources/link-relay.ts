import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A wire that can be cut, and that counts what passes: TLS, WebSocket and everything. */
export class LinkRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #up = 0;

  /** Before a link listener of loopback. */
  static async open(port: number): Promise<LinkRelay> {
    const relay = new LinkRelay(port);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  private constructor(port: number) {
    this.#server = createServer({ noDelay: true }, (near) => {
      if (this.#isCut) {
        near.destroy();
        return;
      }
      const far = connect({ host: '127.0.0.1', port, noDelay: true });
      near.on('data', (bytes: Buffer) => {
        this.#up += bytes.length;
      });
      for (const [from, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(other);
        from.on('error', () => other.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          other.destroy();
        });
      }
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes from agents to the replica. */
  get bytesUp(): number {
    return this.#up;
  }

  /** All links break, and none comes up until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}
