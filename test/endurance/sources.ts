import { type Writable } from 'node:stream';

const BLOCK = Buffer.alloc(64 * 1024, 'causeway ');
const BYTE = Buffer.from('x');
/** As fast as it can, and others of the process have a turn. */
const BYTES_A_TURN = 64;

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

/** Writes for ever, one byte a write, as much as is taken. Over TCP without delay each is a segment of its own. */
export function dribble(to: Writable): void {
  const turn = (): void => {
    for (let bytes = 0; bytes < BYTES_A_TURN; bytes++) {
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
