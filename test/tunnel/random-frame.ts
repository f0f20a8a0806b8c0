import { FrameType, StreamClass, type Frame } from '../../tunnel/frame.ts';
import type { Random } from '../simulation/random.ts';

/** A frame of any kind, within what a reader takes. */
export function randomFrame(random: Random): Frame {
  const channel = random.int(1, random.pick(3, 0xffff_ffff));
  const offset = (): number =>
    random.pick(0, random.int(0, 70_000), Number.MAX_SAFE_INTEGER, random.int(0, 0xffff_ffff) * 1000);
  switch (random.int(0, 9)) {
    case 0:
      return {
        type: FrameType.DATA,
        channel,
        offset: offset(),
        blocked: random.chance(0.5),
        payload: bytes(random, random.int(1, 290)),
      };
    case 1:
      return { type: FrameType.FIN, channel, offset: offset() };
    case 2:
      return {
        type: random.pick(FrameType.ACCEPT, FrameType.RESUMED, FrameType.CREDIT),
        channel,
        received: offset(),
        limit: offset(),
      };
    case 3:
      return { type: random.pick(FrameType.PING, FrameType.PONG), channel: 0, nonce: offset() };
    case 4:
      return { type: FrameType.LINK_ACK, channel: 0, bytes: offset() };
    case 5:
      return {
        type: FrameType.RESET,
        channel,
        ack: random.chance(0.5),
        code: word(random, 20),
        message: word(random, 60),
      };
    case 6:
      return {
        type: FrameType.REFUSE,
        channel,
        code: word(random, 20),
        message: word(random, 60),
        instance: word(random, 16),
        retryAfterMs: random.int(0, 5000),
      };
    case 7:
      return { type: FrameType.DETACH, channel, code: word(random, 20) };
    case 8:
      return {
        type: random.pick(FrameType.HELLO, FrameType.WELCOME, FrameType.GOAWAY, FrameType.UPDATE),
        channel: 0,
        body: { name: word(random, 30), number: random.int(0, 99), list: [word(random, random.pick(3, 900))] },
      };
    default:
      return {
        type: random.pick(FrameType.OPEN, FrameType.RESUME),
        channel,
        id: bytes(random, 16).toString('hex'),
        instance: word(random, 16),
        attempt: random.int(1, 0xffff_ffff),
        class: random.pick(StreamClass.INTERACTIVE, StreamClass.BULK),
        received: offset(),
        limit: offset(),
        target: {
          edge: word(random, 30),
          service: word(random, 20),
          kind: word(random, 8),
          verb: word(random, 8),
          path: word(random, random.pick(4, 900)),
          principal: word(random, 40),
        },
        head: bytes(random, random.int(0, random.pick(2, 900))),
      };
  }
}

function bytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.int(0, 255)));
}

/** Text with a quote, an umlaut and a sign of two code units in it now and then. */
function word(random: Random, maxLength: number): string {
  const letters = ['a', 'b', '-', '"', '\\', 'ü', '€', '😀', '\n'] as const;
  let text = '';
  while (text.length < maxLength - 1 && !random.chance(1 / maxLength)) text += random.pick(...letters);
  return text;
}
