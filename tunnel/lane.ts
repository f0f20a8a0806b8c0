import { Flag, FrameType, type DataFrame } from './frame.ts';

/** A frame that is less than half of its memory is passed by reference only where that memory is no larger. */
const PINNED_BYTES = 32 * 1024;
const FIRST_BLOCK_BYTES = 1024;

interface Merged {
  readonly offset: number;
  readonly block: Buffer;
  filled: number;
  blocked: boolean;
}

type Entry = { readonly frame: DataFrame } | { readonly merged: Merged };

/**
 * DATA on its way through a switch, one direction of one channel. A frame that goes on at once is passed as it came; small
 * ones that have to wait are merged, since each would otherwise hold the whole message that it came in.
 */
export class Lane {
  readonly #maxDataBytes: number;
  readonly #entries: Entry[] = [];
  #bytes = 0;

  constructor(maxDataBytes: number) {
    this.#maxDataBytes = maxDataBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(frame: DataFrame): void {
    const { length, buffer } = frame.payload;
    this.#bytes += length;
    const fills = length * 2 >= buffer.byteLength;
    if (fills || (this.#entries.length === 0 && buffer.byteLength <= PINNED_BYTES)) this.#entries.push({ frame });
    else this.#merge(frame);
  }

  shift(channel: number): DataFrame | undefined {
    const entry = this.#entries.shift();
    if (entry === undefined) return undefined;
    const frame = 'frame' in entry ? { ...entry.frame, channel } : unmerge(entry.merged, channel);
    this.#bytes -= frame.payload.length;
    return frame;
  }

  clear(): void {
    this.#entries.length = 0;
    this.#bytes = 0;
  }

  #merge({ offset, payload, blocked }: DataFrame): void {
    const last = this.#entries.at(-1);
    let merged = last !== undefined && 'merged' in last ? last.merged : undefined;
    const room =
      merged !== undefined && merged.offset + merged.filled === offset ? merged.block.length - merged.filled : 0;
    if (merged === undefined || room < payload.length) {
      // The first block is small: most channels have one small frame to wait.
      const size = Math.max(
        payload.length,
        merged === undefined ? Math.min(FIRST_BLOCK_BYTES, this.#maxDataBytes) : this.#maxDataBytes,
      );
      merged = { offset, block: Buffer.allocUnsafeSlow(size), filled: 0, blocked: false };
      this.#entries.push({ merged });
    }
    merged.filled += payload.copy(merged.block, merged.filled);
    merged.blocked = blocked;
  }
}

/** The same frame without the BLOCKED flag: what stopped the sender was this switch, not the receiver. */
export function unblocked(frame: DataFrame): DataFrame {
  frame.raw?.writeUInt8(frame.raw.readUInt8(1) & ~Flag.BLOCKED, 1);
  return { ...frame, blocked: false };
}

function unmerge({ offset, block, filled, blocked }: Merged, channel: number): DataFrame {
  return { type: FrameType.DATA, channel, offset, blocked, payload: block.subarray(0, filled) };
}
