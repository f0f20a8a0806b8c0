import { randomFillSync } from 'node:crypto';

const ID_BYTES = 16;
const pool = Buffer.alloc(256 * ID_BYTES);
let next = pool.length;

/** 128 random bits as 32 hex digits. Random bytes are fetched for many ids at once: one at a time costs as much as the rest of an OPEN. */
export function randomId(): string {
  if (next === pool.length) {
    randomFillSync(pool);
    next = 0;
  }
  const id = pool.toString('hex', next, next + ID_BYTES);
  // Nobody finds a used id in memory by way of this pool.
  pool.fill(0, next, next + ID_BYTES);
  next += ID_BYTES;
  return id;
}
