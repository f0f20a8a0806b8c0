/** Bytes of a piece: worth a write, and quickly filled. */
const pieceBytes = 256 * 1024;
/** The first piece is small, so that it is there at once. */
const firstPieceBytes = 16 * 1024;
/** Slabs of memory that are kept for the next answer, at most. */
const maxKeptSlabs = 32;

/** A part of what is put together. */
export interface Piece {
  readonly bytes: Buffer;
  /** To be called when the bytes have been used, or never: then nobody else gets their memory. */
  readonly free: () => void;
}

/**
 * Puts parts together to pieces. A piece ends when it is full, or when `isOver` says so after a part: what makes parts may
 * take time. The memory is used again, since fresh memory for each piece would cost more than what is copied into it.
 */
export function* piecesOf(parts: Iterable<Buffer>, isOver: () => boolean): Generator<Piece> {
  let slab = takeSlab();
  let used = 0;
  let end = firstPieceBytes;
  for (const part of parts) {
    for (let from = 0; from < part.length;) {
      const copied = part.copy(slab, used, from, Math.min(part.length, from + end - used));
      from += copied;
      used += copied;
      if (used < end) continue;
      yield pieceOf(slab, used);
      slab = takeSlab();
      used = 0;
      end = pieceBytes;
    }
    if (used === 0 || !isOver()) continue;
    yield pieceOf(slab, used);
    slab = takeSlab();
    used = 0;
  }
  if (used > 0) yield pieceOf(slab, used);
  else giveSlab(slab);
}

const keptSlabs: Buffer[] = [];

function takeSlab(): Buffer {
  return keptSlabs.pop() ?? Buffer.allocUnsafeSlow(pieceBytes);
}

function giveSlab(slab: Buffer): void {
  if (keptSlabs.length < maxKeptSlabs) keptSlabs.push(slab);
}

function pieceOf(slab: Buffer, used: number): Piece {
  let isFree = false;
  return {
    bytes: slab.subarray(0, used),
    free: () => {
      if (!isFree) giveSlab(slab);
      isFree = true;
    },
  };
}
