import { isUtf8 } from 'node:buffer';
import { resourceError } from '../resource-error.ts';
import { isClosing, isOpening, isSpace, scanNested, type ScanState } from './json-scan.ts';

export interface ListSplitterOptions {
  /** Default 4 MiB: more than twice what etcd takes. */
  readonly maxItemBytes?: number;
  /** What stands around the items. Default 1 MiB. */
  readonly maxEnvelopeBytes?: number;
  /**
   * Gets the bytes of each item, as they came, in memory of their own. They are an object by their brackets, and not
   * parsed.
   */
  readonly onItem: (item: Buffer) => void;
}

/** An item that has begun. */
interface PendingItem {
  readonly state: ScanState;
  readonly pieces: Uint8Array[];
  bytes: number;
}

/** Inside `items` and not inside an item: what may come next. */
type Between = 'item-or-end' | 'item' | 'comma-or-end';

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const KEY = '"items"';
const MAX_KEY_BYTES = 64;

/**
 * Cuts the items out of a list's JSON as the bytes come, in chunks of any size. What stands around them is put aside
 * and parsed in the end: if that succeeds and every item is valid JSON, then so is the whole, and it means the same.
 * Throws `answer-malformed`, `answer-too-large`.
 */
export class ListSplitter {
  readonly #maxItemBytes: number;
  readonly #maxEnvelopeBytes: number;
  readonly #onItem: (item: Buffer) => void;
  /** The text around the items. */
  readonly #envelope: Buffer[] = [];
  #envelopeBytes = 0;
  /** Brackets that are open in the envelope. */
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  /** The next string is a key of the list itself. */
  #expectsKey = false;
  /** The raw key that is being read, or was read last. */
  #key = '';
  #readsKey = false;
  /** Behind `"items":`. */
  #expectsItems = false;
  #seen = false;
  #between: Between | undefined;
  #item: PendingItem | undefined;

  constructor({ maxItemBytes = 4 * 1024 * 1024, maxEnvelopeBytes = 1024 * 1024, onItem }: ListSplitterOptions) {
    this.#maxItemBytes = maxItemBytes;
    this.#maxEnvelopeBytes = maxEnvelopeBytes;
    this.#onItem = onItem;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#item !== undefined) at = this.#scanItem(this.#item, chunk, at);
      else if (this.#between !== undefined) at = this.#scanBetween(this.#between, chunk, at);
      else at = this.#scanEnvelope(chunk, at);
    }
  }

  /** The list without its items. */
  end(): Readonly<Record<string, unknown>> {
    if (this.#item !== undefined || this.#between !== undefined) throw malformed('the list is cut off');
    const list = parseJson(Buffer.concat(this.#envelope));
    if (typeof list !== 'object' || list === null || Array.isArray(list)) throw malformed('no object');
    return list as Readonly<Record<string, unknown>>;
  }

  #scanItem(item: PendingItem, chunk: Uint8Array, from: number): number {
    const end = scanNested(item.state, chunk, from);
    item.bytes += end - from;
    if (item.bytes > this.#maxItemBytes)
      throw resourceError('answer-too-large', { detail: `an object of more than ${this.#maxItemBytes} bytes` });
    item.pieces.push(chunk.subarray(from, end));
    if (item.state.depth > 0) {
      // The chunk may be used again by who gave it.
      item.pieces[item.pieces.length - 1] = Buffer.from(chunk.subarray(from, end));
      return end;
    }
    this.#item = undefined;
    this.#between = 'comma-or-end';
    this.#onItem(Buffer.concat(item.pieces));
    return end;
  }

  #scanBetween(between: Between, chunk: Uint8Array, from: number): number {
    const byte = chunk[from];
    if (isSpace(byte)) return from + 1;
    if (between === 'comma-or-end' && byte === COMMA) this.#between = 'item';
    else if (between !== 'item' && byte === CLOSE_ARRAY) {
      this.#between = undefined;
      this.#keep(chunk.subarray(from, from + 1));
      this.#depth--;
    } else if (between !== 'comma-or-end' && byte === OPEN_OBJECT) {
      this.#item = { state: { depth: 0, inString: false, isEscaped: false }, pieces: [], bytes: 0 };
      return from;
    } else throw malformed('what stands in `items` is no list of objects');
    return from + 1;
  }

  #scanEnvelope(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && this.#between === undefined) this.#step(chunk[at++] ?? 0);
    this.#keep(chunk.subarray(from, at));
    return at;
  }

  /** One byte of the envelope. */
  #step(byte: number): void {
    if (this.#inString) {
      if (this.#readsKey && this.#key.length < MAX_KEY_BYTES) this.#key += String.fromCharCode(byte);
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === 0x5c) this.#isEscaped = true;
      else if (byte === QUOTE) this.#inString = this.#readsKey = false;
      return;
    }
    if (isSpace(byte)) return;
    if (this.#expectsItems) {
      this.#expectsItems = false;
      if (this.#seen) throw malformed('`items` stands there twice');
      this.#seen = true;
      if (byte === OPEN_ARRAY) {
        this.#depth++;
        this.#between = 'item-or-end';
        return;
      }
    }
    if (byte === QUOTE) {
      this.#inString = true;
      this.#readsKey = this.#expectsKey;
      if (this.#readsKey) this.#key = '"';
      this.#expectsKey = false;
    } else if (isOpening(byte)) {
      this.#depth++;
      if (this.#depth === 1) this.#expectsKey = byte === OPEN_OBJECT;
    } else if (isClosing(byte)) this.#depth--;
    else if (byte === COMMA && this.#depth === 1) this.#expectsKey = true;
    else if (byte === COLON && this.#depth === 1) this.#expectsItems = isItemsKey(this.#key);
  }

  #keep(bytes: Uint8Array): void {
    this.#envelopeBytes += bytes.length;
    if (this.#envelopeBytes > this.#maxEnvelopeBytes)
      throw resourceError('answer-too-large', { detail: `more than ${this.#maxEnvelopeBytes} bytes around the items` });
    this.#envelope.push(Buffer.from(bytes));
  }
}

/** Parses bytes that must be JSON in UTF-8. Throws `answer-malformed`. */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw malformed('no UTF-8');
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw resourceError('answer-malformed', { detail: 'no JSON', cause });
  }
}

/** A key may be written with escapes, and is the same key then. */
function isItemsKey(raw: string): boolean {
  if (raw === KEY) return true;
  if (!raw.includes('\\') || !raw.endsWith('"')) return false;
  try {
    return JSON.parse(raw) === 'items';
  } catch {
    return false;
  }
}

function malformed(detail: string): Error {
  return resourceError('answer-malformed', { detail });
}
