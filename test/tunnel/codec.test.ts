import t from 'tap';
import { CodedError } from '../../base/index.ts';
import { encodeFrame, FrameDecoder, openFits, rechannel } from '../../tunnel/codec.ts';
import { FrameType, StreamClass, type Frame, type OpenFrame } from '../../tunnel/frame.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import { Random } from '../simulation/random.ts';
import { oracleEncode } from './oracle-codec.ts';
import { randomFrame } from './random-frame.ts';

const MAX_FRAME_BYTES = 300;
const limits: TunnelLimits = {
  ...defaultLimits,
  maxDataBytes: 292,
  maxFrameBytes: MAX_FRAME_BYTES,
  maxHeadBytes: 4000,
  maxHelloBytes: 4000,
};

const open: OpenFrame = {
  type: FrameType.OPEN,
  channel: 1,
  id: '000102030405060708090a0b0c0d0e0f',
  instance: 'i',
  attempt: 1,
  class: StreamClass.BULK,
  received: 0,
  limit: 262_144,
  target: { edge: 'e', service: 's', kind: 'tcp', verb: 'connect', path: '', principal: 'p' },
  head: Buffer.from('HEAD'),
};

/** A frame and its bytes: header (type, flags, length, channel), then the fields. */
const vectors: readonly (readonly [name: string, frame: Frame, hex: string])[] = [
  [
    'DATA',
    { type: FrameType.DATA, channel: 5, offset: 0x1_0000_0002, blocked: false, payload: Buffer.from('hi') },
    '13 00 000a 00000005  0000000100000002  6869',
  ],
  [
    'DATA, blocked',
    { type: FrameType.DATA, channel: 5, offset: 0, blocked: true, payload: Buffer.from('x') },
    '13 02 0009 00000005  0000000000000000  78',
  ],
  ['FIN', { type: FrameType.FIN, channel: 7, offset: 258 }, '14 00 0008 00000007  0000000000000102'],
  [
    'CREDIT',
    { type: FrameType.CREDIT, channel: 2, received: 1, limit: 2 },
    '15 00 0010 00000002  0000000000000001 0000000000000002',
  ],
  [
    'ACCEPT',
    { type: FrameType.ACCEPT, channel: 2, received: 0, limit: 16 },
    '11 00 0010 00000002  0000000000000000 0000000000000010',
  ],
  [
    'RESUMED',
    { type: FrameType.RESUMED, channel: 2, received: 255, limit: 256 },
    '18 00 0010 00000002  00000000000000ff 0000000000000100',
  ],
  ['PING', { type: FrameType.PING, channel: 0, nonce: 9 }, '03 00 0008 00000000  0000000000000009'],
  ['PONG', { type: FrameType.PONG, channel: 0, nonce: 2 ** 53 - 1 }, '04 00 0008 00000000  001fffffffffffff'],
  ['LINK_ACK', { type: FrameType.LINK_ACK, channel: 0, bytes: 65_536 }, '05 00 0008 00000000  0000000000010000'],
  [
    'RESET',
    { type: FrameType.RESET, channel: 3, ack: false, code: 'c', message: '' },
    `16 00 0019 00000003  ${hex('{"code":"c","message":""}')}`,
  ],
  [
    'RESET, acknowledging',
    { type: FrameType.RESET, channel: 3, ack: true, code: 'c', message: '' },
    `16 04 0019 00000003  ${hex('{"code":"c","message":""}')}`,
  ],
  ['DETACH', { type: FrameType.DETACH, channel: 3, code: 'moved' }, `19 00 0010 00000003  ${hex('{"code":"moved"}')}`],
  [
    'REFUSE',
    { type: FrameType.REFUSE, channel: 3, code: 'c', message: 'm', instance: 'i', retryAfterMs: 7 },
    `12 00 003a 00000003  ${hex('{"code":"c","message":"m","instance":"i","retryAfterMs":7}')}`,
  ],
  ['HELLO', { type: FrameType.HELLO, channel: 0, body: { v: 1 } }, `01 00 0007 00000000  ${hex('{"v":1}')}`],
  ['WELCOME', { type: FrameType.WELCOME, channel: 0, body: {} }, '02 00 0002 00000000  7b7d'],
  ['GOAWAY', { type: FrameType.GOAWAY, channel: 0, body: {} }, '06 00 0002 00000000  7b7d'],
  ['UPDATE', { type: FrameType.UPDATE, channel: 0, body: {} }, '07 00 0002 00000000  7b7d'],
  [
    'OPEN',
    open,
    `10 00 0052 00000001  000102030405060708090a0b0c0d0e0f 00000001 02 000000 0000000000000000 0000000000040000 0024 ${hex('["e","s","tcp","connect","","p","i"]')} ${hex('HEAD')}`,
  ],
  [
    'RESUME',
    { ...open, type: FrameType.RESUME, attempt: 2, received: 3, class: StreamClass.INTERACTIVE, head: Buffer.alloc(0) },
    `17 00 004e 00000001  000102030405060708090a0b0c0d0e0f 00000002 01 000000 0000000000000003 0000000000040000 0024 ${hex('["e","s","tcp","connect","","p","i"]')}`,
  ],
];

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}

function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

function decodeAll(message: Buffer, decoder = new FrameDecoder(limits)): Frame[] {
  const frames: Frame[] = [];
  decoder.decode(message, (frame) => frames.push(frame) > 0);
  return frames;
}

/** A frame as it was before it was encoded: without what only a reader knows. */
function bare(frame: Frame): Frame {
  if (frame.type !== FrameType.DATA) return frame;
  const { type, channel, offset, blocked, payload } = frame;
  return { type, channel, offset, blocked, payload };
}

/** The code that decoding ends with. */
function failure(message: Buffer, decoder = new FrameDecoder(limits)): string {
  try {
    decodeAll(message, decoder);
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
  return 'none';
}

t.test('each frame has these bytes', async (t) => {
  for (const [name, frame, bytes] of vectors) {
    t.equal(encodeFrame(frame, MAX_FRAME_BYTES).toString('hex'), unhex(bytes).toString('hex'), `${name} is encoded`);
    t.strictSame(decodeAll(unhex(bytes)).map(bare), [frame], `${name} is decoded`);
  }
  t.equal(
    new Set(vectors.map(([, { type }]) => type)).size,
    Object.keys(FrameType).length - 1,
    'all types but PAD are there',
  );
});

t.test('random frames have the bytes that the slow codec gives them, and come back as they were', async (t) => {
  const random = new Random(1);
  for (let round = 0; round < 3000; round++) {
    const frame = randomFrame(random);
    const bytes = encodeFrame(frame, MAX_FRAME_BYTES);
    if (!bytes.equals(Buffer.from(oracleEncode(frame, MAX_FRAME_BYTES)))) t.fail('other bytes', { frame });
    const [back, ...more] = decodeAll(bytes);
    if (back === undefined || more.length > 0) t.fail('not one frame', { frame });
    else if (round % 20 === 0) t.strictSame(bare(back), frame);
  }
});

t.test('frames that share a message come one after the other, until the reader has enough', async (t) => {
  const message = Buffer.concat(vectors.map(([, frame]) => encodeFrame(frame, MAX_FRAME_BYTES)));
  t.equal(decodeAll(message).length, vectors.length);
  let seen = 0;
  new FrameDecoder(limits).decode(message, () => ++seen < 3);
  t.equal(seen, 3);
});

t.test('a head that spans frames is put together, over messages too', async (t) => {
  const frame = { ...open, head: Buffer.alloc(1000, 'h') };
  const bytes = encodeFrame(frame, MAX_FRAME_BYTES);
  const decoder = new FrameDecoder(limits);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = 8 + bytes.readUInt16BE(at + 2);
    frames.push(...decodeAll(bytes.subarray(at, at + length), decoder));
    at += length;
  }
  t.strictSame(frames, [frame]);
});

t.test('an unknown type is skipped from 0x80 up, and ends the link below', async (t) => {
  t.strictSame(decodeAll(unhex('81 00 0002 00000009 ffff  03 00 0008 00000000 0000000000000001')), [
    { type: FrameType.PING, channel: 0, nonce: 1 },
  ]);
  t.equal(failure(unhex('7f 00 0000 00000000')), 'frame-unknown');
  t.equal(failure(unhex('00 00 0000 00000000')), 'frame-unknown');
});

t.test('what breaks the format ends the link with a code', async (t) => {
  const cases: readonly (readonly [text: string, hex: string, code: string])[] = [
    ['a header that is cut', '13 00 00', 'frame-malformed'],
    ['a payload that is cut', '14 00 0008 00000001 00', 'frame-malformed'],
    ['a length beyond the limit, before anything is read', '13 00 ffff 00000001', 'frame-too-long'],
    ['DATA without data', '13 00 0008 00000001 0000000000000000', 'frame-malformed'],
    ['DATA on channel 0', '13 00 0009 00000000 0000000000000000 00', 'frame-malformed'],
    ['an offset of 2^53', '14 00 0008 00000001 0020000000000000', 'frame-malformed'],
    ['a FIN that is too long', '14 00 0009 00000001 0000000000000000 00', 'frame-malformed'],
    ['a CREDIT that is too short', '15 00 0008 00000001 0000000000000000', 'frame-malformed'],
    ['a PING on a channel', '03 00 0008 00000001 0000000000000000', 'frame-malformed'],
    ['a HELLO that is not JSON', '01 00 0002 00000000 7b7b', 'frame-malformed'],
    ['a HELLO that is a list', '01 00 0002 00000000 5b5d', 'frame-malformed'],
    ['an OPEN shorter than its fixed part', '10 00 0004 00000001 00000000', 'frame-malformed'],
    ['an OPEN whose target is longer than itself', `10 00 002a 00000001 ${'00'.repeat(40)} ffff`, 'frame-malformed'],
    [
      'an OPEN whose target is not a list',
      `10 00 002c 00000001 ${'00'.repeat(20)} 01 ${'00'.repeat(19)} 0002 7b7d`,
      'frame-malformed',
    ],
    [
      'an OPEN whose target lacks fields',
      `10 00 002c 00000001 ${'00'.repeat(20)} 01 ${'00'.repeat(19)} 0002 5b5d`,
      'frame-malformed',
    ],
    [
      'an OPEN of an unknown class',
      `10 00 002c 00000001 ${'00'.repeat(20)} 03 ${'00'.repeat(19)} 0002 5b5d`,
      'frame-malformed',
    ],
    ['a RESET whose code is a number', `16 00 000a 00000001 ${hex('{"code":1}')}`, 'frame-malformed'],
    [
      'a REFUSE that asks to wait a negative time',
      `12 00 0013 00000001 ${hex('{"retryAfterMs":-1}')}`,
      'frame-malformed',
    ],
    ['another frame inside a head', '01 01 0001 00000000 7b  03 00 0008 00000000 0000000000000001', 'frame-malformed'],
    ['an empty fragment', '01 01 0000 00000000', 'frame-malformed'],
  ];
  for (const [text, bytes, code] of cases) t.equal(failure(unhex(bytes)), code, text);
});

t.test('a head grows no further than its limit, however it is cut', async (t) => {
  const piece = Buffer.concat([unhex('01 01 012c 00000000'), Buffer.alloc(300, ' ')]);
  const decoder = new FrameDecoder(limits);
  for (let at = 0; at < 13; at++) t.equal(failure(piece, decoder), 'none');
  t.equal(failure(piece, decoder), 'head-too-long');
});

t.test('cut, changed and made-up messages end in a code, and nothing is read beyond them', async (t) => {
  const random = new Random(2);
  for (let round = 0; round < 20_000; round++) {
    const bytes = encodeFrame(randomFrame(random), MAX_FRAME_BYTES);
    const message = random.chance(0.5) ? bytes.subarray(0, random.int(0, bytes.length)) : Buffer.from(bytes);
    for (let left = random.int(0, 4); left > 0 && message.length > 0; left--)
      message[random.int(0, message.length - 1)] = random.int(0, 255);
    // Anything but a CodedError is thrown on, and fails the test.
    failure(message);
  }
  t.pass('nothing else was thrown');
});

t.test('what a reader would not take is known beforehand', async (t) => {
  const { target } = open;
  t.ok(openFits(target, 'i', Buffer.alloc(3900), limits));
  t.notOk(openFits(target, 'i', Buffer.alloc(4000), limits), 'a head that is too long');
  t.notOk(openFits({ ...target, service: 's'.repeat(64) }, 'i', Buffer.alloc(0), limits), 'a field that is too long');
  t.notOk(
    openFits({ ...target, path: '\ufffd'.repeat(32_768) }, 'i', Buffer.alloc(0), defaultLimits),
    'text that is too long as bytes',
  );
});

t.test('a frame is given another channel in its place', async (t) => {
  const bytes = encodeFrame({ type: FrameType.FIN, channel: 1, offset: 4 }, MAX_FRAME_BYTES);
  rechannel(bytes, 0xffff_fff1);
  t.strictSame(decodeAll(bytes), [{ type: FrameType.FIN, channel: 0xffff_fff1, offset: 4 }]);
});

t.test('a wait that is not a whole number is rounded up, so that no reader takes it amiss', async (t) => {
  const frame: Frame = {
    type: FrameType.REFUSE,
    channel: 1,
    code: 'overloaded',
    message: '',
    instance: '',
    retryAfterMs: 0.5,
  };
  t.match(decodeAll(encodeFrame(frame, MAX_FRAME_BYTES)), [{ retryAfterMs: 1 }]);
});
