import { FrameType, type Frame, type OpenFrame } from '../../tunnel/frame.ts';

/**
 * The slow and obvious codec that the fast one is compared with: lists of numbers, one field after the other, as
 * docs/protocol.md, section 3 has them.
 */
export function oracleEncode(frame: Frame, maxFrameBytes: number): number[] {
  switch (frame.type) {
    case FrameType.DATA:
      return one(frame.type, frame.blocked ? 2 : 0, frame.channel, [...u64(frame.offset), ...frame.payload]);
    case FrameType.FIN:
      return one(frame.type, 0, frame.channel, u64(frame.offset));
    case FrameType.ACCEPT:
    case FrameType.RESUMED:
    case FrameType.CREDIT:
      return one(frame.type, 0, frame.channel, [...u64(frame.received), ...u64(frame.limit)]);
    case FrameType.PING:
    case FrameType.PONG:
      return one(frame.type, 0, 0, u64(frame.nonce));
    case FrameType.LINK_ACK:
      return one(frame.type, 0, 0, u64(frame.bytes));
    case FrameType.RESET:
      return one(frame.type, frame.ack ? 4 : 0, frame.channel, text({ code: frame.code, message: frame.message }));
    case FrameType.REFUSE: {
      const { code, message, instance, retryAfterMs } = frame;
      return many(frame.type, frame.channel, text({ code, message, instance, retryAfterMs }), maxFrameBytes);
    }
    case FrameType.DETACH:
      return many(frame.type, frame.channel, text({ code: frame.code }), maxFrameBytes);
    case FrameType.OPEN:
    case FrameType.RESUME:
      return many(frame.type, frame.channel, open(frame), maxFrameBytes);
    case FrameType.HELLO:
    case FrameType.WELCOME:
    case FrameType.GOAWAY:
    case FrameType.UPDATE:
      return many(frame.type, 0, text(frame.body), maxFrameBytes);
  }
}

function open({ id, attempt, class: streamClass, received, limit, target, instance, head }: OpenFrame): number[] {
  const { edge, service, kind, verb, path, principal } = target;
  const targetText = text([edge, service, kind, verb, path, principal, instance]);
  return [
    ...Buffer.from(id, 'hex'),
    ...u32(attempt),
    streamClass,
    0,
    0,
    0,
    ...u64(received),
    ...u64(limit),
    ...u16(targetText.length),
    ...targetText,
    ...head,
  ];
}

function many(type: number, channel: number, body: number[], maxFrameBytes: number): number[] {
  const frames: number[] = [];
  let rest = body;
  while (rest.length > maxFrameBytes) {
    frames.push(...one(type, 1, channel, rest.slice(0, maxFrameBytes)));
    rest = rest.slice(maxFrameBytes);
  }
  return [...frames, ...one(type, 0, channel, rest)];
}

function one(type: number, flags: number, channel: number, body: number[]): number[] {
  return [type, flags, ...u16(body.length), ...u32(channel), ...body];
}

function text(value: unknown): number[] {
  return [...Buffer.from(JSON.stringify(value))];
}

function u16(value: number): number[] {
  return [(value >> 8) & 255, value & 255];
}

function u32(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function u64(value: number): number[] {
  const bytes: number[] = [];
  for (let big = BigInt(value), left = 8; left > 0; left--, big >>= 8n) bytes.unshift(Number(big & 255n));
  return bytes;
}
