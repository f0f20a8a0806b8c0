import { type Socket } from 'node:net';
import { Lane, type LaneMode } from './lane.ts';
import { type Wire } from './wire.ts';

export type Direction = 'toTarget' | 'toClient';

/** One connection through a WeakLink. */
export class WeakConnection {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #lanes: Readonly<Record<Direction, Lane>>;
  readonly #closed = Promise.withResolvers<void>();
  /** The side whose reset arrived while nothing passed. */
  #resetHeld = false;
  #isClosed = false;

  constructor(client: Socket, target: Socket, wires: Readonly<Record<Direction, Wire>>) {
    this.#client = client;
    this.#target = target;
    this.#lanes = {
      toTarget: new Lane(client, target, wires.toTarget),
      toClient: new Lane(target, client, wires.toClient),
    };
    for (const socket of [client, target]) {
      socket.setNoDelay(true);
      // The error itself says nothing that `close` does not.
      socket.on('error', () => undefined);
      socket.on('close', (hadError) => this.#onClose(hadError));
    }
  }

  /** Settles when both sockets are gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Bytes delivered so far. */
  bytes(direction: Direction): number {
    return this.#lanes[direction].bytes;
  }

  /** RST to both sides. */
  cut(): void {
    this.#client.resetAndDestroy();
    this.#target.resetAndDestroy();
  }

  /** FIN to both sides; what is under way is dropped. */
  close(): void {
    for (const socket of [this.#client, this.#target]) {
      socket.destroySoon();
    }
  }

  /** Nothing passes any more, either way, and nobody is told. Nothing is lost: `restore` lets it go on, as TCP would. */
  blackHole(): void {
    this.#setMode('hold', ['toTarget', 'toClient']);
  }

  /** Nothing passes in one direction. */
  halfOpen(direction: Direction): void {
    this.#setMode('hold', [direction]);
  }

  /** Reads and throws away, as a broken middlebox does: the senders believe that all is well. Cannot be restored. */
  swallow(directions: readonly Direction[] = ['toTarget', 'toClient']): void {
    this.#setMode('swallow', directions);
  }

  /** Ends `blackHole` and `halfOpen`. A connection that swallowed bytes is cut: its stream has a hole. */
  restore(): void {
    const swallowed = Object.values(this.#lanes).some((lane) => lane.mode === 'swallow');
    if (swallowed || this.#resetHeld) this.cut();
    else this.#setMode('pass', ['toTarget', 'toClient']);
  }

  #setMode(mode: LaneMode, directions: readonly Direction[]): void {
    for (const direction of directions) this.#lanes[direction].mode = mode;
  }

  #onClose(hadError: boolean): void {
    const open = [this.#client, this.#target].filter((socket) => !socket.destroyed);
    if (open.length === 0) {
      for (const lane of Object.values(this.#lanes)) lane.stop();
      this.#isClosed = true;
      this.#closed.resolve();
      return;
    }
    if (!hadError) return;
    const holds = Object.values(this.#lanes).some((lane) => lane.mode !== 'pass');
    if (holds) this.#resetHeld = true;
    else for (const socket of open) socket.resetAndDestroy();
  }
}
