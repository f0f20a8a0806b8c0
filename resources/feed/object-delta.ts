import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { feedMalformed } from './feed-error.ts';
import { feedLimits } from './feed-limits.ts';

/**
 * An object as what it differs in from its version before: zstd with that version as its dictionary. A status update of a Pod of
 * 9 KiB comes to some 70 bytes, in 30 to 70 µs; compressed once more with its neighbours, to 30.
 */
export function encodeDelta(base: Uint8Array, object: Uint8Array): Buffer {
  return zstdCompressSync(object, { dictionary: base, params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
}

/** Throws `feed-malformed`: no delta, or of an object that is longer than allowed. */
export function decodeDelta(base: Uint8Array, delta: Uint8Array): Buffer {
  try {
    return zstdDecompressSync(delta, {
      dictionary: base,
      maxOutputLength: feedLimits.maxObjectBytes,
      // The sender names a window, and it is allocated before the first byte.
      params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
    });
  } catch (cause) {
    throw feedMalformed('a delta', cause);
  }
}

/** 8 MiB. */
const MAX_WINDOW_LOG = 23;
