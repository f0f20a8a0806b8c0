import { type Writable } from 'node:stream';

const BLOCK = Buffer.alloc(64 * 1024, 'causeway ');
const BYTE = Buffer.from('x');

/** Writes for ever, as much as is taken. */
export function pour(to: Writable): void {
  const turn = (): void => {
    while (!to.destroyed && to.write(BLOCK)) {
      // Until it is full.
    }
  };
  to.on('drain', turn);
  turn();
}

/**
 * Writes for ever, one byte a write, as much as is taken. Over TCP without delay each is a segment of its own; what TLS would
 * put together is not, with one write a turn.
 */
export function dribble(to: Writable, writesATurn = 64): void {
  const turn = (): void => {
    for (let bytes = 0; bytes < writesATurn; bytes++) {
      if (to.destroyed) return;
      if (!to.write(BYTE)) {
        to.once('drain', turn);
        return;
      }
    }
    setImmediate(turn);
  };
  turn();
}
