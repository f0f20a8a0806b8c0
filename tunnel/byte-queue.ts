const BLOCK_BYTES = 16 * 1024;
/** Below this a buffer's own bookkeeping, some 300 bytes, outweighs a copy. */
const REFERENCE_BYTES = 2 * 1024;

interface Chunk {
  /** Offset of the chunk's first byte. */
  readonly offset: number;
  /** The bytes; a block that is being filled is a view that grows. */
  bytes: Buffer;
  /** The block's memory while it may still take small writes, else undefined. */
  block: Buffer | undefined;
}

/**
 * The bytes of a stream between two offsets, kept to be sent, sent again, or read.
 *
 * A buffer that fills at least half of its memory is kept by reference; a smaller one, and a tiny one in any case, is copied
 * into a block, since a one-byte slice of a 16 KiB message would otherwise hold all 16 KiB. What is retained is thereby at most about twice
 * the bytes between `start` and `end`, plus one block.
 */
export class ByteQueue {
  #chunks: Chunk[] = [];
  /** Chunks before this index are released; the array is cut when half of it is. */
  #first = 0;
  /** Where the last slice ended: the next one starts there nearly always. */
  #cursor = 0;
  #start: number;
  #end: number;

  constructor(offset = 0) {
    this.#start = offset;
    this.#end = offset;
  }

  /** Offset of the first byte that is kept. */
  get start(): number {
    return this.#start;
  }

  /** Offset behind the last byte. */
  get end(): number {
    return this.#end;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (bytes.length >= REFERENCE_BYTES && bytes.length * 2 >= bytes.buffer.byteLength) {
      this.#chunks.push({ offset: this.#end, bytes, block: undefined });
    } else {
      this.#pushCopy(bytes);
    }
    this.#end += bytes.length;
  }

  /**
   * Up to `maxBytes` from `offset`, which lies between `start` and `end`. By reference where one chunk has enough or is
   * the last; otherwise short pieces are joined, so that a frame is as full as it can be.
   */
  slice(offset: number, maxBytes: number): Buffer {
    const length = Math.min(maxBytes, this.#end - offset);
    const index = this.#find(offset);
    const chunk = this.#chunks[index];
    if (chunk === undefined || length <= 0) return Buffer.alloc(0);
    const from = offset - chunk.offset;
    if (chunk.bytes.length - from >= length) return chunk.bytes.subarray(from, from + length);
    return this.#join(index, from, length);
  }

  /** Forgets what lies before `offset`. */
  release(offset: number): void {
    if (offset <= this.#start) return;
    this.#start = Math.min(offset, this.#end);
    for (;;) {
      const chunk = this.#chunks[this.#first];
      if (chunk === undefined || chunk.offset + chunk.bytes.length > this.#start) break;
      // The entry stays in the array for a while, but not its memory.
      chunk.bytes = RELEASED;
      chunk.block = undefined;
      this.#first++;
    }
    if (this.#start === this.#end) {
      this.#chunks.length = 0;
      this.#first = 0;
      this.#cursor = 0;
    } else if (this.#first > 32 && this.#first * 2 > this.#chunks.length) {
      this.#chunks.splice(0, this.#first);
      this.#cursor = Math.max(0, this.#cursor - this.#first);
      this.#first = 0;
    }
  }

  /** Takes up to `maxBytes` from the start and forgets them. */
  shift(maxBytes: number): Buffer {
    const bytes = this.slice(this.#start, maxBytes);
    this.release(this.#start + bytes.length);
    return bytes;
  }

  clear(): void {
    this.release(this.#end);
  }

  #pushCopy(bytes: Buffer): void {
    let rest = bytes;
    let offset = this.#end;
    const last = this.#chunks.at(-1);
    if (last?.block !== undefined && this.#chunks.length > this.#first) {
      const room = Math.min(rest.length, last.block.length - last.bytes.length);
      rest.copy(last.block, last.bytes.length, 0, room);
      last.bytes = last.block.subarray(0, last.bytes.length + room);
      rest = rest.subarray(room);
      offset += room;
    }
    while (rest.length > 0) {
      // The first block is just as long as it needs to be: most streams see one small write.
      const size = last?.block === undefined ? Math.min(BLOCK_BYTES, Math.max(512, rest.length)) : BLOCK_BYTES;
      const block = Buffer.allocUnsafeSlow(size);
      const taken = Math.min(rest.length, block.length);
      rest.copy(block, 0, 0, taken);
      this.#chunks.push({ offset, bytes: block.subarray(0, taken), block });
      rest = rest.subarray(taken);
      offset += taken;
    }
  }

  #join(index: number, from: number, length: number): Buffer {
    const joined = Buffer.allocUnsafe(length);
    let filled = 0;
    let start = from;
    for (let at = index; filled < length; at++) {
      const chunk = this.#chunks[at];
      if (chunk === undefined) break;
      filled += chunk.bytes.copy(joined, filled, start, Math.min(chunk.bytes.length, start + length - filled));
      start = 0;
      this.#cursor = at;
    }
    return joined;
  }

  #find(offset: number): number {
    let index = Math.max(this.#cursor, this.#first);
    const at = this.#chunks[index];
    if (at === undefined || at.offset > offset) index = this.#first;
    for (; ; index++) {
      const chunk = this.#chunks[index];
      if (chunk === undefined || chunk.offset + chunk.bytes.length > offset) break;
    }
    this.#cursor = index;
    return index;
  }
}

const RELEASED = Buffer.alloc(0);
