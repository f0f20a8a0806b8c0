import { createHash, randomBytes, type Hash } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';

/** A pause in what arrived, wall-clock milliseconds. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** One end's view of a transfer. */
export interface TransferResult {
  readonly id: number;
  readonly sentSha: string;
  readonly receivedSha: string;
  readonly receivedBytes: number;
  readonly error: string | undefined;
  /** Pauses of 50 ms and more. */
  readonly gaps: readonly Gap[];
}

export const TRANSFER_HEAD_BYTES = 12;
const NOTICED_GAP_MS = 50;
const NOISE = randomBytes(256 * 1024);

/** What a transfer begins with: its number, and how long each direction is. */
export function transferHead(id: number, bytes: number): Buffer {
  const head = Buffer.alloc(TRANSFER_HEAD_BYTES);
  head.writeUInt32BE(id, 0);
  head.writeDoubleBE(bytes, 4);
  return head;
}

/** Counts what a transfer has received, while it runs. */
export interface Progress {
  bytes: number;
}

/** Sends `bytes` of noise and takes whatever comes, both at once, and sums both up. Never throws. */
export async function transfer(
  duplex: Duplex,
  id: number,
  bytes: number,
  first: Buffer,
  progress: Progress,
): Promise<TransferResult> {
  const received = createHash('sha256');
  const sent = createHash('sha256');
  const gaps: Gap[] = [];
  let receivedBytes = 0;
  let last = Date.now();
  const take = (chunk: Buffer): void => {
    const now = Date.now();
    if (now - last >= NOTICED_GAP_MS) gaps.push({ from: last, to: now });
    last = now;
    received.update(chunk);
    receivedBytes += chunk.length;
    progress.bytes += chunk.length;
  };
  const error = await new Promise<string | undefined>((resolve) => {
    let open = 2;
    const done = (): void => {
      if (--open === 0) resolve(undefined);
    };
    duplex.once('error', (cause: Error) => resolve(String(cause)));
    duplex.once('close', () => resolve('closed before its end'));
    duplex.once('end', done);
    if (first.length > 0) take(first);
    duplex.on('data', take);
    duplex.resume();
    send(duplex, id, bytes, sent).then(done, (cause: unknown) => resolve(String(cause)));
  });
  return { id, sentSha: sent.digest('hex'), receivedSha: received.digest('hex'), receivedBytes, error, gaps };
}

/** Chunks of all sizes, no two alike: a byte at the wrong place changes the sum. */
async function send(duplex: Duplex, id: number, bytes: number, sum: Hash): Promise<void> {
  let state = (id * 2_654_435_761) >>> 0;
  for (let at = 0; at < bytes;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const length = Math.min(bytes - at, 1 + (state % 65_536));
    const from = state % (NOISE.length - 65_536);
    const chunk = Buffer.from(NOISE.subarray(from, from + length));
    if (length >= 8) chunk.writeDoubleBE(at, 0);
    sum.update(chunk);
    at += length;
    if (!duplex.write(chunk)) await once(duplex, 'drain');
  }
  duplex.end();
}
