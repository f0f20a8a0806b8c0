import { Flag, FrameType, type DataFrame } from './frame.ts';

const BLOCK_BYTES = 16_352;

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
  readonly #entries: Entry[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  push(frame: DataFrame): void {
    this.#bytes += frame.payload.length;
    if (this.#entries.length === 0 || frame.payload.length * 2 >= frame.payload.buffer.byteLength) {
      this.#entries.push({ frame });
    } else {
      this.#merge(frame);
    }
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
    if (merged === undefined || merged.block.length - merged.filled < payload.length) {
      merged = { offset, block: Buffer.allocUnsafeSlow(BLOCK_BYTES), filled: 0, blocked: false };
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
