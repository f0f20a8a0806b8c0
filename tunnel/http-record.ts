import type { Writable } from 'node:stream';
import {
  decodeResponseHead,
  decodeTrailers,
  encodeResponseHead,
  encodeTrailers,
  type HttpResponseHead,
  type RawHeaders,
} from './http-head.ts';
import { tunnelError } from './tunnel-error.ts';

/**
 * The records of an `http` stream (docs/protocol.md, "Kind http"): `type u8 · length u24`, big-endian, then the payload.
 *
 * ```
 * acceptor's direction:  INFO* HEAD DATA* TRAILERS? END FIN      or   INFO* HEAD(101) RAW bytes… FIN
 * opener's direction:    DATA* TRAILERS? END FIN                 when the head says `body`
 *                        RAW bytes… FIN, or only FIN             when it says `upgrade`: RAW once a HEAD(101) has come
 *                        FIN                                     otherwise
 * ```
 *
 * END is explicit: a FIN without it is a body that was cut off.
 */
export const RecordType = { HEAD: 1, INFO: 2, DATA: 3, TRAILERS: 4, END: 5, RAW: 6 } as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

export const RECORD_HEADER_BYTES = 4;
/** HEAD, INFO and TRAILERS are held until they are whole, so they are bounded; a longer one is `record-malformed`. */
export const MAX_HELD_RECORD_BYTES = 64 * 1024;
/** What a u24 can say. DATA of any length is passed on as it comes. */
const MAX_RECORD_BYTES = 0xff_ffff;
/** Payloads up to here are copied beside their header into one write; longer ones go by reference. */
const COPY_BELOW_BYTES = 8 * 1024;
/** Copied records are written at the latest when this many bytes have come together. */
const GATHER_BYTES = 16 * 1024;

/**
 * Writes one direction's records. What is small is gathered and written once, at the end of the current turn or with `end`,
 * so that a small answer is one write; nothing is ever held back longer than that, which event streams live by.
 */
export class RecordWriter {
  readonly #stream: Writable;
  #types: RecordType[] = [];
  #payloads: Uint8Array[] = [];
  #gathered = 0;
  #flushing = false;
  #ended = false;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** Throws `head-too-long`. */
  head(head: HttpResponseHead): void {
    this.#hold(RecordType.HEAD, encodeResponseHead(head));
  }

  /** Throws `head-too-long`. */
  info(head: HttpResponseHead): void {
    this.#hold(RecordType.INFO, encodeResponseHead(head));
  }

  /** Throws `head-too-long`. */
  trailers(trailers: RawHeaders): void {
    this.#hold(RecordType.TRAILERS, encodeTrailers(trailers));
  }

  /** False when the caller should wait for the stream's `drain`. The chunk may not be changed afterwards. */
  data(chunk: Uint8Array): boolean {
    if (chunk.length <= COPY_BELOW_BYTES) {
      if (chunk.length > 0) this.#gather(RecordType.DATA, chunk);
      return !this.#stream.writableNeedDrain;
    }
    let room = true;
    for (let at = 0; at < chunk.length; at += MAX_RECORD_BYTES) {
      const payload = chunk.length <= MAX_RECORD_BYTES ? chunk : chunk.subarray(at, at + MAX_RECORD_BYTES);
      this.#stream.cork();
      this.#stream.write(this.#take(RecordType.DATA, payload.length));
      room = this.#stream.write(payload);
      this.#stream.uncork();
    }
    return room;
  }

  /** Ends the message and this direction of the stream. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.end(this.#take(RecordType.END, 0));
  }

  /** From here on the stream's bytes are the connection's: the caller writes to the stream itself. */
  raw(): void {
    this.#stream.write(this.#take(RecordType.RAW, 0));
  }

  #hold(type: RecordType, payload: Buffer): void {
    if (payload.length > MAX_HELD_RECORD_BYTES) {
      throw tunnelError('head-too-long', { detail: `${payload.length} bytes, at most ${MAX_HELD_RECORD_BYTES}` });
    }
    this.#gather(type, payload);
  }

  #gather(type: RecordType, payload: Uint8Array): void {
    this.#types.push(type);
    this.#payloads.push(payload);
    this.#gathered += RECORD_HEADER_BYTES + payload.length;
    if (this.#gathered >= GATHER_BYTES) {
      this.#flush();
    } else if (!this.#flushing) {
      this.#flushing = true;
      process.nextTick(flushWriter, this);
    }
  }

  /** Called by the turn's end. */
  flush(): void {
    this.#flushing = false;
    this.#flush();
  }

  #flush(): void {
    if (this.#gathered > 0 && !this.#ended) this.#stream.write(this.#gatheredBytes(0));
  }

  /** The gathered records and the header of one more, whose payload the caller writes. */
  #take(type: RecordType, length: number): Buffer {
    const bytes = this.#gatheredBytes(RECORD_HEADER_BYTES);
    bytes.writeUInt32BE(type * 0x100_0000 + length, bytes.length - RECORD_HEADER_BYTES);
    return bytes;
  }

  #gatheredBytes(spare: number): Buffer {
    const bytes = Buffer.allocUnsafe(this.#gathered + spare);
    let at = 0;
    for (const [index, payload] of this.#payloads.entries()) {
      bytes.writeUInt32BE((this.#types[index] ?? RecordType.DATA) * 0x100_0000 + payload.length, at);
      bytes.set(payload, at + RECORD_HEADER_BYTES);
      at += RECORD_HEADER_BYTES + payload.length;
    }
    if (this.#gathered > 0) {
      this.#types = [];
      this.#payloads = [];
      this.#gathered = 0;
    }
    return bytes;
  }
}

function flushWriter(writer: RecordWriter): void {
  writer.flush();
}

/** Who takes one direction's records. A method that cannot be called in that direction may throw. */
export interface RecordSink {
  /** A 1xx answer other than 101. */
  onInfo(head: HttpResponseHead): void;
  onHead(head: HttpResponseHead): void;
  /** Part of the body: a slice of what was pushed, or short ones joined. */
  onData(chunk: Buffer): void;
  onTrailers(trailers: RawHeaders): void;
  onEnd(): void;
  /** The connection has switched; `rest` came behind the marker and may be empty. The reader is not needed any more. */
  onRaw(rest: Buffer): void;
}

/** What may come next. */
type Expecting = 'head' | 'body' | 'switch' | 'end' | 'nothing';

/** Pieces of body below this are joined: a source that writes byte by byte would cost its reader a write a byte. */
const SHORT_BYTES = 1024;
/** From here up an unknown type is skipped, below it is an error, as for frames. */
const FIRST_SKIPPABLE_TYPE = 0x80;
const BETWEEN_RECORDS = -1;

/**
 * Reads one direction's records as bytes come in. It stops only for lack of bytes, checks a length before it holds
 * anything, and throws `record-malformed` for whatever is not in the drawing above.
 */
export class RecordReader {
  readonly #sink: RecordSink;
  #expecting: Expecting;
  #stopped = false;
  /** A header that came in pieces: its bytes so far, as a number. */
  #header = 0;
  #headerBytes = 0;
  #type = 0;
  /** Payload bytes of the record that are still to come. */
  #missing = BETWEEN_RECORDS;
  #held: Buffer[] = [];
  /** Short pieces of body that came in one chunk: the sink gets them in one piece. */
  #short: Buffer[] = [];

  /** `head` for the acceptor's direction; `body`, `switch` or `nothing` for the opener's, as its head says. */
  constructor(expecting: 'head' | 'body' | 'switch' | 'nothing', sink: RecordSink) {
    this.#expecting = expecting;
    this.#sink = sink;
  }

  /** Takes nothing more, in silence: for a sink that has seen enough. */
  stop(): void {
    this.#stopped = true;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#missing === BETWEEN_RECORDS) at = this.#readHeader(chunk, at);
      if (this.#missing === BETWEEN_RECORDS) break;
      if (this.#type === RecordType.RAW) {
        this.#passShort();
        this.#stopped = true;
        this.#sink.onRaw(chunk.subarray(at));
        return;
      }
      const until = Math.min(chunk.length, at + this.#missing);
      const part = at === 0 && until === chunk.length ? chunk : chunk.subarray(at, until);
      this.#missing -= part.length;
      at = until;
      this.#take(part);
    }
    this.#passShort();
  }

  /** To be called at FIN; throws `record-malformed` when the message is cut off. */
  finish(): void {
    if (!this.#stopped && (this.#expecting !== 'nothing' || this.#headerBytes > 0)) throw malformed('cut off');
  }

  #readHeader(chunk: Buffer, from: number): number {
    if (this.#headerBytes === 0 && chunk.length - from >= RECORD_HEADER_BYTES) {
      this.#begin(chunk.readUInt32BE(from));
      return from + RECORD_HEADER_BYTES;
    }
    let at = from;
    while (at < chunk.length && this.#headerBytes < RECORD_HEADER_BYTES) {
      this.#header = this.#header * 0x100 + chunk.readUInt8(at);
      this.#headerBytes += 1;
      at += 1;
    }
    if (this.#headerBytes === RECORD_HEADER_BYTES) {
      const header = this.#header;
      this.#header = 0;
      this.#headerBytes = 0;
      this.#begin(header);
    }
    return at;
  }

  #begin(header: number): void {
    const type = header >>> 24;
    const length = header & MAX_RECORD_BYTES;
    if (type < FIRST_SKIPPABLE_TYPE) {
      if (!isExpected(type, this.#expecting)) throw malformed(`record ${type} where ${this.#expecting} is expected`);
      if (length > maxRecordBytes(type)) throw malformed(`record ${type} of ${length} bytes`);
    }
    this.#type = type;
    this.#missing = length;
  }

  #take(part: Buffer): void {
    const whole = this.#missing === 0;
    if (whole) this.#missing = BETWEEN_RECORDS;
    if (this.#type === RecordType.DATA) {
      if (part.length >= SHORT_BYTES) {
        this.#passShort();
        this.#sink.onData(part);
      } else if (part.length > 0) {
        this.#short.push(part);
      }
      return;
    }
    this.#passShort();
    if (this.#type === RecordType.END) {
      this.#expecting = 'nothing';
      this.#sink.onEnd();
    } else if (this.#type < FIRST_SKIPPABLE_TYPE) {
      if (whole && this.#held.length === 0) return this.#takeHeld(part);
      this.#held.push(part);
      if (!whole) return;
      const payload = Buffer.concat(this.#held);
      this.#held = [];
      this.#takeHeld(payload);
    }
  }

  #passShort(): void {
    const [first] = this.#short;
    if (first === undefined || this.#stopped) return;
    const joined = this.#short.length === 1 ? first : Buffer.concat(this.#short);
    this.#short = [];
    this.#sink.onData(joined);
  }

  #takeHeld(payload: Buffer): void {
    if (this.#type === RecordType.TRAILERS) {
      this.#expecting = 'end';
      this.#sink.onTrailers(decodeTrailers(payload));
      return;
    }
    const head = decodeResponseHead(payload);
    const informational = head.status < 200 && head.status !== 101;
    if (informational !== (this.#type === RecordType.INFO))
      throw malformed(`status ${head.status} in record ${this.#type}`);
    if (informational) {
      this.#sink.onInfo(head);
    } else {
      this.#expecting = head.status === 101 ? 'switch' : 'body';
      this.#sink.onHead(head);
    }
  }
}

function isExpected(type: number, expecting: Expecting): boolean {
  switch (expecting) {
    case 'head':
      return type === RecordType.HEAD || type === RecordType.INFO;
    case 'body':
      return type === RecordType.DATA || type === RecordType.TRAILERS || type === RecordType.END;
    case 'end':
      return type === RecordType.END;
    case 'switch':
      return type === RecordType.RAW;
    case 'nothing':
      return false;
  }
}

function maxRecordBytes(type: number): number {
  if (type === RecordType.DATA) return MAX_RECORD_BYTES;
  return type === RecordType.END || type === RecordType.RAW ? 0 : MAX_HELD_RECORD_BYTES;
}

function malformed(detail: string): Error {
  return tunnelError('record-malformed', { detail });
}
