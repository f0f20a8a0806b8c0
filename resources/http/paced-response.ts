import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../base/index.ts';
import { abortAnswer } from './answer.ts';

/** A client that takes nothing for so long is given up: what waits for it is held in memory. */
const drainDeadlineMs = 60_000;

/** So much may wait for the socket, in bytes, so that the socket never waits for the next piece. */
const maxWaitingBytes = 512 * 1024;

/** An answer that is written in pieces, no faster than its client reads. */
export class PacedResponse {
  readonly #response: ServerResponse;
  readonly #clock: Clock;

  constructor(response: ServerResponse, clock: Clock) {
    this.#response = response;
    this.#clock = clock;
  }

  /** The client has gone, or was given up. */
  get isGone(): boolean {
    return this.#response.destroyed || this.#response.closed;
  }

  /**
   * Writes a piece, which must stay as it is until `onWritten`; resolves when there is room for the next one, with false when there
   * never will be.
   */
  async write(chunk: Buffer, onWritten?: () => void): Promise<boolean> {
    if (this.isGone) return false;
    const hasRoom = this.#response.write(chunk, onWritten);
    return hasRoom || this.#response.writableLength < maxWaitingBytes || (await this.drained());
  }

  /** Resolves when what was written is on its way, with false when the client is gone. */
  async drained(): Promise<boolean> {
    const response = this.#response;
    if (this.isGone) return false;
    if (!response.writableNeedDrain) return true;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.on('drain', done);
      response.on('close', done);
      timer = this.#clock.after(drainDeadlineMs, () => abortAnswer(response));
    });
    timer?.cancel();
    return !this.isGone;
  }

  end(): void {
    if (!this.isGone) this.#response.end();
  }
}
