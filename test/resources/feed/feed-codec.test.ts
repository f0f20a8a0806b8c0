import { test } from 'tap';
import { constants, zstdCompressSync } from 'node:zlib';
import {
  BatchPacker,
  BatchUnpacker,
  decodeDelta,
  decodeFeedRecords,
  Digest,
  encodeDelta,
  encodeFeedFrame,
  encodeFeedRecord,
  encodeFeedRequest,
  FeedFrameReader,
  feedLimits,
  FeedRequestReader,
  fingerprintOf,
  haveRecords,
  parseHello,
  type FeedFrame,
  type FeedRecord,
  type FeedRequest,
} from '../../../resources/index.ts';
import { Random } from '../../simulation/random.ts';

const malformed = { code: 'feed-malformed' };
const pods = {
  group: '',
  version: 'v1',
  resource: 'pods',
  kind: 'Pod',
  listKind: 'PodList',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  verbs: ['get' as const, 'list' as const],
  hasStatus: true,
  columns: [{ name: 'Phase', type: 'string' as const, priority: 0, value: '.status.phase' }],
  selectableFields: ['spec.nodeName'],
};
const key = { namespace: 'default', name: 'web-1' };
const records: readonly FeedRecord[] = [
  { type: 'start', version: 1, feed: '0123456789abcdef' },
  { type: 'kind', index: 3, resumed: false, kind: pods },
  { type: 'put', kind: 3, json: Buffer.from('{"a":1}') },
  { type: 'delta', kind: 3, base: 2n ** 64n - 1n, key, delta: Buffer.from('difference') },
  { type: 'delete', kind: 3, version: 2 ** 53 - 1, key: { namespace: '', name: 'node-1' } },
  { type: 'absent', kind: 3, version: 7, round: 2, fingerprints: [1n, 2n] },
  { type: 'mark', kind: 3, sequence: 12, version: 13, isCurrent: true, isLeaping: false },
  {
    type: 'state',
    kinds: [
      { index: 3, isSynced: true, isLive: true, digest: '3:ff' },
      { index: 4, isSynced: false, isLive: false, problem: { reason: 'Forbidden', message: 'no', sinceMs: 5 } },
    ],
  },
  { type: 'alive' },
];

test('Every record is read as it was written', (t) => {
  t.strictSame([...decodeFeedRecords(batchOf(records))], records);
  t.end();
});

test('A record in the bytes of the format', (t) => {
  const mark = Buffer.concat([
    ...encodeFeedRecord({ type: 'mark', kind: 1, sequence: 2, version: 3, isCurrent: true, isLeaping: false }),
  ]);
  t.equal(mark.toString('hex'), '00000013' + '07' + '0001' + '0000000000000002' + '0000000000000003' + '01');
  t.end();
});

test('Records of a later version are skipped, unknown ones are not', (t) => {
  const later = Buffer.from('0000000280ffff', 'hex');
  t.strictSame([...decodeFeedRecords(Buffer.concat([later, batchOf([{ type: 'alive' }])]))], [{ type: 'alive' }]);
  t.throws(() => [...decodeFeedRecords(Buffer.from('0000000010', 'hex'))], malformed);
  t.end();
});

test('Records that break the format are refused', (t) => {
  for (const [name, hex] of Object.entries({
    'half a header': '000000',
    'longer than its batch': '00000010' + '03' + '0000',
    'a put without a kind': '00000001' + '03' + '00',
    'a delete without a name': '0000000e' + '05' + '0001' + '0000000000000001' + '0002' + '612f',
    'a name without a slash': '0000000e' + '05' + '0001' + '0000000000000001' + '0002' + '6161',
    'a name that is too long': '0000000c' + '05' + '0001' + '0000000000000001' + 'ffff',
    'half a fingerprint': '00000013' + '06' + '0001' + '0000000000000001' + '0000000000000001' + '00',
    'a version of 2^53': '0000000a' + '05' + '0001' + '0020000000000000',
    'a mark that is too long': '00000014' + '07' + '0001' + '0000000000000002' + '0000000000000003' + '0101',
    'a start that is no JSON': '00000001' + '01' + '7b',
    'a start of version 2': '0000000d' + '01' + Buffer.from('{"version":2}').toString('hex'),
    'a kind without names': '00000002' + '02' + '7b7d',
    'a state without kinds': '00000002' + '08' + '7b7d',
  }))
    t.throws(() => [...decodeFeedRecords(Buffer.from(hex, 'hex'))], malformed, name);
  t.end();
});

test('Whatever bytes come as records, they are read or refused', (t) => {
  const random = new Random(1);
  const good = batchOf(records);
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(good.subarray(0, random.int(1, good.length)));
    for (let change = random.int(0, 4); change > 0; change--)
      bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
    try {
      for (const record of decodeFeedRecords(bytes)) if (record.type === 'put') Buffer.from(record.json);
    } catch (error) {
      if ((error as { code?: string }).code !== 'feed-malformed') throw error;
    }
  }
  t.pass();
  t.end();
});

test('Frames come whole from pieces of any size', (t) => {
  const frames: FeedFrame[] = [
    { type: 'plain', batch: Buffer.from('records') },
    { type: 'packed', bytes: Buffer.from('compressed'), batchBytes: 1000 },
    { type: 'close' },
    { type: 'plain', batch: Buffer.alloc(0) },
  ];
  const bytes = Buffer.concat(frames.flatMap((frame) => [...encodeFeedFrame(frame)]));
  for (const size of [1, 2, 7, 9, 10, 100]) {
    const reader = new FeedFrameReader();
    const found: FeedFrame[] = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...reader.push(bytes.subarray(at, at + size)));
    t.same(found, frames, `${size} bytes`);
  }
  t.end();
});

test('A frame that is too long is refused by its header', (t) => {
  for (const hex of ['0207ffffff00000001', '0200000001ffffffff', '0900000000' + '00000000', '01000000020000000100'])
    t.throws(() => [...new FeedFrameReader().push(Buffer.from(hex, 'hex'))], malformed, hex);
  t.end();
});

test('Requests come whole from pieces, in records within their bound', (t) => {
  const fingerprints = Array.from({ length: 20_000 }, (_, index) => BigInt(index));
  const requests = [...haveRecords(5, 9, fingerprints), encodeFeedRequest({ type: 'drop', kind: 6 })];
  t.ok(requests.length > 2);
  t.ok(requests.every(({ length }) => length <= feedLimits.maxRequestBytes + 5));
  const bytes = Buffer.concat(requests);
  const reader = new FeedRequestReader();
  const found: FeedRequest[] = [];
  for (let at = 0; at < bytes.length; at += 1000) found.push(...reader.push(bytes.subarray(at, at + 1000)));
  t.strictSame(
    found.flatMap((each) => (each.type === 'have' ? each.fingerprints : [])),
    fingerprints,
  );
  t.strictSame(
    found.map((each) => (each.type === 'have' ? [each.kind, each.round, each.isLast] : each)),
    [[5, 9, false], [5, 9, false], [5, 9, true], { type: 'drop', kind: 6 }],
  );
  t.strictSame(
    [...new FeedRequestReader().push([...haveRecords(1, 1, [])][0] ?? Buffer.alloc(0))],
    [{ type: 'have', kind: 1, round: 1, isLast: true, fingerprints: [] }],
  );
  for (const hex of ['ffffffff01', '000000010100', '0000000303000100', '00000008010001000000010100'])
    t.throws(() => [...new FeedRequestReader().push(Buffer.from(hex, 'hex'))], malformed, hex);
  t.end();
});

test('A hello is bounded and checked', (t) => {
  const hello = { version: 1, feed: '0123456789abcdef', cursors: { pods: 12 } };
  t.strictSame(parseHello(Buffer.from(JSON.stringify(hello))), hello);
  for (const bad of ['', '[]', '{"version":2,"cursors":{}}', '{"version":1,"cursors":{"pods":-1}}'])
    t.throws(() => parseHello(Buffer.from(bad)), malformed, bad);
  t.end();
});

test('Batches of one context are unpacked one after the other', async (t) => {
  const [packer, unpacker] = [new BatchPacker(), new BatchUnpacker()];
  t.teardown(() => [packer.close(), unpacker.close()]);
  const text = Buffer.from('an object that comes again and again '.repeat(30));
  let first = 0;
  for (let round = 0; round < 5; round++) {
    const packed = await packer.pack([text, Buffer.from(String(round))]);
    const batch = await unpacker.unpack(packed, text.length + 1);
    t.equal(batch.toString(), `${text.toString()}${round}`);
    if (round === 0) first = packed.length;
    else t.ok(packed.length < first, 'it is known already');
  }
  t.equal(packer.isOpen, true);
  packer.close();
  unpacker.close();
  t.equal(packer.isOpen, false);
  const packed = await packer.pack([text]);
  t.same(await unpacker.unpack(packed, text.length), text, 'both begin another context');
});

test('What is no batch, or another length, is refused, and a bomb is not unpacked', async (t) => {
  const unpacker = new BatchUnpacker();
  t.teardown(() => unpacker.close());
  const small = { params: { [constants.ZSTD_c_windowLog]: 17 } };
  const bomb = await new BatchPacker().pack([Buffer.alloc(50_000_000)]);
  t.ok(bomb.length < 10_000);
  await t.rejects(unpacker.unpack(bomb, 1000), malformed, 'longer than it said');
  await t.rejects(unpacker.unpack(zstdCompressSync(Buffer.alloc(10), small), 1000), malformed, 'shorter');
  unpacker.close();
  await t.rejects(unpacker.unpack(Buffer.from('no zstd at all'), 14), malformed);
  await t.rejects(
    unpacker.unpack(
      zstdCompressSync(Buffer.alloc(9_000_000, 'abc'), { params: { [constants.ZSTD_c_windowLog]: 23 } }),
      9_000_000,
    ),
    malformed,
    'a window that is too large',
  );
  const text = Buffer.from('well again');
  t.same(await unpacker.unpack(zstdCompressSync(text, small), text.length), text);
});

test('A delta brings the object, and nothing else but', (t) => {
  const base = Buffer.from(JSON.stringify({ a: 'x'.repeat(3000), version: 1 }));
  const object = Buffer.from(JSON.stringify({ a: 'x'.repeat(3000), version: 2 }));
  const delta = encodeDelta(base, object);
  t.ok(delta.length < 60);
  t.same(decodeDelta(base, delta), object);
  t.throws(() => decodeDelta(base, Buffer.from('nothing')), malformed);
  t.throws(() => decodeDelta(base, zstdCompressSync(Buffer.alloc(feedLimits.maxObjectBytes + 1))), malformed);
  t.end();
});

test('A digest does not depend on the order, and tells every change', (t) => {
  const [one, other] = [new Digest(), new Digest()];
  const [a, b, c] = ['a', 'b', 'c'].map((each) => fingerprintOf(Buffer.from(each)));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three');
  for (const each of [a, b, c]) one.add(each);
  for (const each of [c, a]) other.add(each);
  t.not(one.toString(), other.toString());
  other.add(b);
  t.equal(one.toString(), other.toString());
  one.remove(b);
  t.not(one.toString(), other.toString());
  t.end();
});

function batchOf(some: readonly FeedRecord[]): Buffer {
  return Buffer.concat(some.flatMap((record) => [...encodeFeedRecord(record)]));
}
