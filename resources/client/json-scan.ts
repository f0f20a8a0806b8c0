/** Where a scan of nested JSON stands; it can be interrupted at any byte. */
export interface ScanState {
  /** Brackets of both kinds that are open. */
  depth: number;
  inString: boolean;
  isEscaped: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Finds the end of an array or object: the place behind its last bracket, or the end of the bytes when it is not among
 * them; then `state.depth` is not 0. Brackets of different kinds are not told apart: who parses the value finds that.
 */
export function scanNested(state: ScanState, bytes: Uint8Array, from: number): number {
  let { depth, inString } = state;
  let at = from;
  if (state.isEscaped && at < bytes.length) {
    state.isEscaped = false;
    at++;
  }
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === QUOTE) inString = false;
      else if (byte === BACKSLASH && ++at === bytes.length) state.isEscaped = true;
    } else if (byte === QUOTE) inString = true;
    else if (isOpening(byte)) depth++;
    else if (isClosing(byte) && --depth === 0) {
      at++;
      break;
    }
  }
  state.depth = depth;
  state.inString = inString;
  return Math.min(at, bytes.length);
}

export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

export function isOpening(byte: number | undefined): boolean {
  return byte === 0x7b || byte === 0x5b;
}

export function isClosing(byte: number | undefined): boolean {
  return byte === 0x7d || byte === 0x5d;
}
