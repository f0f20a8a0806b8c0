import { feedMalformed } from './feed-error.ts';
import { feedLimits } from './feed-limits.ts';

/** How a batch of records travels. */
export type FeedFrame =
  | { readonly type: 'plain'; readonly batch: Buffer }
  /** The next piece of the compression context that is open, and how long it is decompressed. */
  | { readonly type: 'packed'; readonly bytes: Buffer; readonly batchBytes: number }
  /** The compression context is closed; the next piece begins another. */
  | { readonly type: 'close' };

const Type = { PLAIN: 1, PACKED: 2, CLOSE: 3 } as const;
const HEADER_BYTES = 9;

/** `type u8 · batchBytes u32 · length u32`, big-endian, then the bytes. */
export function encodeFeedFrame(frame: FeedFrame): readonly Buffer[] {
  switch (frame.type) {
    case 'plain':
      return [header(Type.PLAIN, frame.batch.length, frame.batch.length), frame.batch];
    case 'packed':
      return [header(Type.PACKED, frame.batchBytes, frame.bytes.length), frame.bytes];
    case 'close':
      return [header(Type.CLOSE, 0, 0)];
  }
}

/** Puts frames together from the pieces in which a stream brings them; holds at most one. */
export class FeedFrameReader {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  /** What the next frame, or its header, needs. */
  #needed = HEADER_BYTES;

  /** Throws `feed-malformed`, before anything too long is kept. */
  *push(piece: Buffer): Generator<FeedFrame, void, undefined> {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    while (this.#bytes >= this.#needed) {
      let bytes = this.#joined();
      const length = frameLength(bytes);
      this.#needed = HEADER_BYTES + length;
      if (this.#bytes < this.#needed) continue;
      this.#pieces.length = 0;
      this.#bytes -= this.#needed;
      const frame = decode(bytes.subarray(0, this.#needed));
      bytes = bytes.subarray(this.#needed);
      if (bytes.length > 0) this.#pieces.push(bytes);
      this.#needed = HEADER_BYTES;
      yield frame;
    }
  }

  #joined(): Buffer {
    const [first] = this.#pieces;
    if (this.#pieces.length === 1 && first !== undefined) return first;
    const joined = Buffer.concat(this.#pieces);
    this.#pieces.splice(0, this.#pieces.length, joined);
    return joined;
  }
}

function frameLength(bytes: Buffer): number {
  const batchBytes = bytes.readUInt32BE(1);
  const length = bytes.readUInt32BE(5);
  if (batchBytes > feedLimits.maxBatchBytes) throw feedMalformed(`a batch of ${batchBytes} bytes`);
  // What cannot be compressed grows by a few bytes.
  if (length > feedLimits.maxBatchBytes + 64 * 1024) throw feedMalformed(`a frame of ${length} bytes`);
  return length;
}

function decode(frame: Buffer): FeedFrame {
  const batchBytes = frame.readUInt32BE(1);
  const bytes = frame.subarray(HEADER_BYTES);
  switch (frame.readUInt8(0)) {
    case Type.PLAIN:
      if (bytes.length !== batchBytes) throw feedMalformed('a plain frame with two lengths');
      return { type: 'plain', batch: bytes };
    case Type.PACKED:
      return { type: 'packed', bytes, batchBytes };
    case Type.CLOSE:
      return { type: 'close' };
    default:
      throw feedMalformed('a frame of unknown type');
  }
}

function header(type: number, batchBytes: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES);
  bytes.writeUInt8(type);
  bytes.writeUInt32BE(batchBytes, 1);
  bytes.writeUInt32BE(length, 5);
  return bytes;
}
