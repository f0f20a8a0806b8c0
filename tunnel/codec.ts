import {
  DATA_HEADER_BYTES,
  FIRST_SKIPPABLE_TYPE,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  StreamClass,
  type BodyFrame,
  type DataFrame,
  type Frame,
  type OpenFrame,
  type StreamTarget,
} from './frame.ts';
import type { TunnelLimits } from './limits.ts';
import { tunnelError } from './tunnel-error.ts';

// docs/protocol.md, section 3. Integers are big-endian; an offset is a u64 below 2^53.

const OFFSET_BYTES = 8;
const CREDIT_BYTES = 2 * OFFSET_BYTES;
/** id 16 · attempt u32 · class u8 · reserved 3 · received u64 · limit u64 · target length u16 */
const OPEN_FIXED_BYTES = 42;
/** The fields of a target in their order, and the characters that each may have. */
const TARGET_FIELDS = [
  ['edge', 253],
  ['service', 63],
  ['kind', 32],
  ['verb', 64],
  ['path', 32_768],
  ['principal', 512],
] as const;
const MAX_TARGET_BYTES = 0xffff;
export const MAX_INSTANCE_LENGTH = 64;
const HIGH = 2 ** 32;
const MAX_HIGH = 2 ** 21;
const NOTHING = Buffer.alloc(0);

/** The bytes of a frame; one that exceeds a frame's size is laid out as fragments with the MORE flag. */
export function encodeFrame(frame: Frame, maxFrameBytes: number): Buffer {
  switch (frame.type) {
    case FrameType.DATA: {
      const buffer = Buffer.allocUnsafe(DATA_HEADER_BYTES + frame.payload.length);
      writeDataHeader(buffer, 0, frame);
      frame.payload.copy(buffer, DATA_HEADER_BYTES);
      return buffer;
    }
    case FrameType.FIN: {
      const buffer = withHeader(frame.type, 0, OFFSET_BYTES, frame.channel);
      writeOffset(buffer, FRAME_HEADER_BYTES, frame.offset);
      return buffer;
    }
    case FrameType.ACCEPT:
    case FrameType.RESUMED:
    case FrameType.CREDIT: {
      const buffer = withHeader(frame.type, 0, CREDIT_BYTES, frame.channel);
      writeOffset(buffer, FRAME_HEADER_BYTES, frame.received);
      writeOffset(buffer, FRAME_HEADER_BYTES + OFFSET_BYTES, frame.limit);
      return buffer;
    }
    case FrameType.PING:
    case FrameType.PONG: {
      const buffer = withHeader(frame.type, 0, OFFSET_BYTES, 0);
      writeOffset(buffer, FRAME_HEADER_BYTES, frame.nonce);
      return buffer;
    }
    case FrameType.LINK_ACK: {
      const buffer = withHeader(frame.type, 0, OFFSET_BYTES, 0);
      writeOffset(buffer, FRAME_HEADER_BYTES, frame.bytes);
      return buffer;
    }
    case FrameType.OPEN:
    case FrameType.RESUME:
      return fragmented(frame.type, frame.channel, openBody(frame), maxFrameBytes);
    case FrameType.REFUSE:
      return fragmented(
        frame.type,
        frame.channel,
        json({
          code: frame.code,
          message: frame.message,
          instance: frame.instance,
          retryAfterMs: Math.ceil(frame.retryAfterMs),
        }),
        maxFrameBytes,
      );
    case FrameType.RESET: {
      const body = json({ code: frame.code, message: frame.message });
      const buffer = withHeader(frame.type, frame.ack ? Flag.ACK : 0, body.length, frame.channel);
      body.copy(buffer, FRAME_HEADER_BYTES);
      return buffer;
    }
    case FrameType.DETACH:
      return fragmented(frame.type, frame.channel, json({ code: frame.code }), maxFrameBytes);
    case FrameType.HELLO:
    case FrameType.WELCOME:
    case FrameType.GOAWAY:
    case FrameType.UPDATE:
      return fragmented(frame.type, 0, json(frame.body), maxFrameBytes);
  }
}

/** Lays the headers of a DATA frame out in `buffer` at `at`: `DATA_HEADER_BYTES` before its payload. */
export function writeDataHeader(buffer: Buffer, at: number, { channel, offset, blocked, payload }: DataFrame): void {
  writeHeader(buffer, at, FrameType.DATA, blocked ? Flag.BLOCKED : 0, OFFSET_BYTES + payload.length, channel);
  writeOffset(buffer, at + FRAME_HEADER_BYTES, offset);
}

/** Lays a PAD frame of this length, header included, out in `buffer` at `at`: it fills a write up to one TLS record (section 2). */
export function writePad(buffer: Buffer, at: number, bytes: number): void {
  writeHeader(buffer, at, FrameType.PAD, 0, bytes - FRAME_HEADER_BYTES, 0);
  buffer.fill(0, at + FRAME_HEADER_BYTES, at + bytes);
}

/** Gives an encoded frame another channel number, in place: what a switch does to a DATA frame that it passes on. */
export function rechannel(raw: Buffer, channel: number): void {
  raw.writeUInt32BE(channel, 4);
}

/**
 * Reads the messages of one link. Lengths are checked before anything is read or kept; what it keeps between messages is
 * at most one unfinished head of `maxHeadBytes`.
 */
export class FrameDecoder {
  readonly #limits: TunnelLimits;
  #headType = 0;
  #headChannel = 0;
  /** The fragments of a head so far, copied: each could hold a whole message otherwise. */
  #head = NOTHING;
  #headBytes = 0;
  readonly #wireHeaderBytes: number;
  /** Nothing refers to the message's memory before the frame at hand: no frame so far is read by reference. */
  #bare = true;

  /** `wireHeaderBytes`: what the wire has put before each message, in the same memory. Default 0. */
  constructor(limits: TunnelLimits, wireHeaderBytes = 0) {
    this.#limits = limits;
    this.#wireHeaderBytes = wireHeaderBytes;
  }

  /**
   * Hands each frame of one message to `onFrame`, in order, until it returns false. Payloads are slices of `message`.
   * Throws `frame-too-long`, `head-too-long`, `frame-unknown`, `frame-malformed`: the link is to be closed.
   */
  decode(message: Buffer, onFrame: (frame: Frame) => boolean): void {
    let at = 0;
    this.#bare = true;
    while (at < message.length) {
      if (message.length - at < FRAME_HEADER_BYTES) throw malformed('a message ends inside a frame header');
      const type = message.readUInt8(at);
      const flags = message.readUInt8(at + 1);
      const length = message.readUInt16BE(at + 2);
      const channel = message.readUInt32BE(at + 4);
      const start = at + FRAME_HEADER_BYTES;
      if (length > this.#limits.maxFrameBytes) {
        throw tunnelError('frame-too-long', { detail: `${length} bytes, at most ${this.#limits.maxFrameBytes}` });
      }
      if (message.length - start < length) throw malformed('a message ends inside a frame');
      const frame = this.#frame(type, flags, channel, message, at, start, start + length);
      at = start + length;
      if (type === FrameType.DATA || type === FrameType.OPEN || type === FrameType.RESUME) this.#bare = false;
      if (frame !== undefined && !onFrame(frame)) return;
    }
  }

  #frame(
    type: number,
    flags: number,
    channel: number,
    message: Buffer,
    at: number,
    start: number,
    end: number,
  ): Frame | undefined {
    if (this.#headBytes > 0 && (type !== this.#headType || channel !== this.#headChannel)) {
      throw malformed('another frame inside a fragmented head');
    }
    switch (type) {
      case FrameType.DATA:
        requireChannel(channel);
        if (end - start <= OFFSET_BYTES) throw malformed('DATA without data');
        return {
          type,
          channel,
          offset: readOffset(message, start),
          blocked: (flags & Flag.BLOCKED) !== 0,
          payload: message.subarray(start + OFFSET_BYTES, end),
          raw: message.subarray(at, end),
          spare: this.#bare ? at + Math.min(this.#wireHeaderBytes, message.byteOffset) : 0,
        };
      case FrameType.FIN:
        requireChannel(channel);
        requireLength(end - start, OFFSET_BYTES, 'FIN');
        return { type, channel, offset: readOffset(message, start) };
      case FrameType.ACCEPT:
      case FrameType.RESUMED:
      case FrameType.CREDIT:
        requireChannel(channel);
        requireLength(end - start, CREDIT_BYTES, 'CREDIT');
        return {
          type,
          channel,
          received: readOffset(message, start),
          limit: readOffset(message, start + OFFSET_BYTES),
        };
      case FrameType.PING:
      case FrameType.PONG:
        requireNoChannel(channel);
        requireLength(end - start, OFFSET_BYTES, 'PING');
        return { type, channel: 0, nonce: readOffset(message, start) };
      case FrameType.LINK_ACK:
        requireNoChannel(channel);
        requireLength(end - start, OFFSET_BYTES, 'LINK_ACK');
        return { type, channel: 0, bytes: readOffset(message, start) };
      case FrameType.OPEN:
      case FrameType.RESUME: {
        requireChannel(channel);
        const body = this.#assemble(type, flags, channel, message.subarray(start, end), this.#limits.maxHeadBytes);
        return body === undefined ? undefined : parseOpen(type, channel, body);
      }
      case FrameType.REFUSE: {
        requireChannel(channel);
        const body = parseBody(message.subarray(start, end));
        return {
          type,
          channel,
          code: textField(body, 'code', 64),
          message: textField(body, 'message', this.#limits.maxReasonBytes),
          instance: textField(body, 'instance', 64),
          retryAfterMs: countField(body, 'retryAfterMs'),
        };
      }
      case FrameType.RESET: {
        requireChannel(channel);
        const body = parseBody(message.subarray(start, end));
        return {
          type,
          channel,
          ack: (flags & Flag.ACK) !== 0,
          code: textField(body, 'code', 64),
          message: textField(body, 'message', this.#limits.maxReasonBytes),
        };
      }
      case FrameType.DETACH:
        requireChannel(channel);
        return { type, channel, code: textField(parseBody(message.subarray(start, end)), 'code', 64) };
      case FrameType.HELLO:
      case FrameType.WELCOME:
      case FrameType.GOAWAY:
      case FrameType.UPDATE: {
        requireNoChannel(channel);
        const body = this.#assemble(type, flags, channel, message.subarray(start, end), this.#limits.maxHelloBytes);
        return body === undefined ? undefined : { type, channel: 0, body: parseBody(body) };
      }
      default:
        if (type >= FIRST_SKIPPABLE_TYPE) return undefined;
        throw tunnelError('frame-unknown', { detail: `type 0x${type.toString(16).padStart(2, '0')}` });
    }
  }

  /** Fragments of a head follow each other without another frame between them. */
  #assemble(type: number, flags: number, channel: number, part: Buffer, maxBytes: number): Buffer | undefined {
    const more = (flags & Flag.MORE) !== 0;
    if (!more && this.#headBytes === 0) return part;
    if (more && part.length === 0) throw malformed('an empty fragment');
    const headBytes = this.#headBytes + part.length;
    if (headBytes > maxBytes) {
      throw tunnelError('head-too-long', { detail: `more than ${maxBytes} bytes` });
    }
    this.#headType = type;
    this.#headChannel = channel;
    if (headBytes > this.#head.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(maxBytes, 2 * headBytes));
      this.#head.copy(grown, 0, 0, this.#headBytes);
      this.#head = grown;
    }
    part.copy(this.#head, this.#headBytes);
    this.#headBytes = headBytes;
    if (more) return undefined;
    const body = this.#head.subarray(0, headBytes);
    this.#head = NOTHING;
    this.#headBytes = 0;
    return body;
  }
}

/** Whether a reader takes an OPEN or RESUME of this content: any longer, and it would close the link instead. */
export function openFits(
  target: StreamTarget,
  instance: string,
  head: Buffer,
  { maxHeadBytes }: TunnelLimits,
): boolean {
  for (const [name, maxLength] of TARGET_FIELDS) if (target[name].length > maxLength) return false;
  const targetBytes = Buffer.byteLength(targetText(target, instance));
  return targetBytes <= MAX_TARGET_BYTES && OPEN_FIXED_BYTES + targetBytes + head.length <= maxHeadBytes;
}

function targetText(target: StreamTarget, instance: string): string {
  return JSON.stringify([...TARGET_FIELDS.map(([name]) => target[name]), instance]);
}

function openBody(frame: OpenFrame): Buffer {
  const target = targetText(frame.target, frame.instance);
  const targetBytes = Buffer.byteLength(target);
  const body = Buffer.allocUnsafe(OPEN_FIXED_BYTES + targetBytes + frame.head.length);
  body.write(frame.id, 0, 16, 'hex');
  body.writeUInt32BE(frame.attempt, 16);
  body.writeUInt32BE(frame.class * 0x1000000, 20);
  writeOffset(body, 24, frame.received);
  writeOffset(body, 32, frame.limit);
  body.writeUInt16BE(targetBytes, 40);
  body.write(target, OPEN_FIXED_BYTES);
  frame.head.copy(body, OPEN_FIXED_BYTES + targetBytes);
  return body;
}

function parseOpen(type: OpenFrame['type'], channel: number, body: Buffer): OpenFrame {
  if (body.length < OPEN_FIXED_BYTES) throw malformed('an OPEN shorter than its fixed part');
  const targetEnd = OPEN_FIXED_BYTES + body.readUInt16BE(40);
  if (targetEnd > body.length) throw malformed('an OPEN shorter than its target');
  const fields = parseJson(body.subarray(OPEN_FIXED_BYTES, targetEnd));
  if (!Array.isArray(fields)) throw malformed("an OPEN's target is not a list");
  let index = 0;
  const field = (name: string, maxLength: number): string => {
    const value: unknown = fields[index++];
    if (typeof value !== 'string' || value.length > maxLength) throw malformed(`an OPEN's ${name}`);
    return value;
  };
  const streamClass = body.readUInt8(20);
  if (streamClass !== StreamClass.INTERACTIVE && streamClass !== StreamClass.BULK) {
    throw malformed(`an OPEN of class ${streamClass}`);
  }
  return {
    type,
    channel,
    id: body.toString('hex', 0, 16),
    attempt: body.readUInt32BE(16),
    class: streamClass,
    received: readOffset(body, 24),
    limit: readOffset(body, 32),
    target: {
      edge: field(...TARGET_FIELDS[0]),
      service: field(...TARGET_FIELDS[1]),
      kind: field(...TARGET_FIELDS[2]),
      verb: field(...TARGET_FIELDS[3]),
      path: field(...TARGET_FIELDS[4]),
      principal: field(...TARGET_FIELDS[5]),
    },
    instance: field('instance', MAX_INSTANCE_LENGTH),
    head: body.subarray(targetEnd),
  };
}

function fragmented(type: FrameType, channel: number, body: Buffer, maxFrameBytes: number): Buffer {
  const frames = Math.max(1, Math.ceil(body.length / maxFrameBytes));
  const buffer = Buffer.allocUnsafe(frames * FRAME_HEADER_BYTES + body.length);
  let at = 0;
  for (let index = 0; index < frames; index++) {
    const from = index * maxFrameBytes;
    const length = Math.min(maxFrameBytes, body.length - from);
    writeHeader(buffer, at, type, index < frames - 1 ? Flag.MORE : 0, length, channel);
    body.copy(buffer, at + FRAME_HEADER_BYTES, from, from + length);
    at += FRAME_HEADER_BYTES + length;
  }
  return buffer;
}

function withHeader(type: FrameType, flags: number, length: number, channel: number): Buffer {
  const buffer = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  writeHeader(buffer, 0, type, flags, length, channel);
  return buffer;
}

function writeHeader(buffer: Buffer, at: number, type: number, flags: number, length: number, channel: number): void {
  buffer.writeUInt8(type, at);
  buffer.writeUInt8(flags, at + 1);
  buffer.writeUInt16BE(length, at + 2);
  buffer.writeUInt32BE(channel, at + 4);
}

function writeOffset(buffer: Buffer, at: number, value: number): void {
  buffer.writeUInt32BE(Math.floor(value / HIGH), at);
  buffer.writeUInt32BE(value % HIGH, at + 4);
}

function readOffset(buffer: Buffer, at: number): number {
  const high = buffer.readUInt32BE(at);
  if (high >= MAX_HIGH) throw malformed('an offset of 2^53 or more');
  return high * HIGH + buffer.readUInt32BE(at + 4);
}

function json(body: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(JSON.stringify(body));
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw tunnelError('frame-malformed', { detail: 'a body that is not JSON', cause });
  }
}

function parseBody(bytes: Buffer): BodyFrame['body'] {
  const body = parseJson(bytes);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw malformed('a body that is not an object');
  return { ...body };
}

function textField(body: BodyFrame['body'], name: string, maxLength: number): string {
  const value = body[name] ?? '';
  if (typeof value !== 'string' || value.length > maxLength) throw malformed(`field ${name}`);
  return value;
}

function countField(body: BodyFrame['body'], name: string): number {
  const value = body[name] ?? 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed(`field ${name}`);
  return value;
}

function requireChannel(channel: number): void {
  if (channel === 0) throw malformed('a stream frame on channel 0');
}

function requireNoChannel(channel: number): void {
  if (channel !== 0) throw malformed('a link frame on a channel');
}

function requireLength(length: number, expected: number, name: string): void {
  if (length !== expected) throw malformed(`${name} of ${length} bytes instead of ${expected}`);
}

function malformed(detail: string): Error {
  return tunnelError('frame-malformed', { detail });
}
