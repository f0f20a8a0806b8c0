import t from 'tap';
import type { Clock } from '../../base/index.ts';
import { ByteQueue } from '../../tunnel/byte-queue.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import { ReceiveHalf } from '../../tunnel/receive-half.ts';
import { SendHalf } from '../../tunnel/send-half.ts';
import { Window, WindowPool } from '../../tunnel/window.ts';
import { Random } from '../simulation/random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

const limits: TunnelLimits = {
  ...defaultLimits,
  maxDataBytes: 100,
  windowBytes: 1000,
  maxWindowBytes: 4000,
  windowGrowthBytes: 10_000,
};
const clock: Clock = new VirtualClock();

t.test('a byte queue gives back what a plain list of bytes would', async (t) => {
  const random = new Random(5);
  for (let round = 0; round < 300; round++) {
    const queue = new ByteQueue();
    let all = Buffer.alloc(0);
    for (let step = 0; step < 60; step++) {
      const dice = random.next();
      if (dice < 0.5) {
        const bytes = Buffer.from(
          Array.from({ length: random.int(0, random.pick(3, 40, 700)) }, () => random.int(0, 255)),
        );
        const whole = Buffer.allocUnsafeSlow(bytes.length);
        bytes.copy(whole);
        queue.push(random.chance(0.5) ? bytes : whole);
        all = Buffer.concat([all, bytes]);
      } else if (dice < 0.75) {
        queue.release(random.int(queue.start, queue.end));
      } else {
        const offset = random.int(queue.start, queue.end);
        const slice = queue.slice(offset, random.int(1, 900));
        if (!slice.equals(all.subarray(offset, offset + slice.length))) t.fail('other bytes');
        if (slice.length === 0 && offset < queue.end) t.fail('nothing where there is something');
      }
      if (queue.length !== queue.end - queue.start || queue.end !== all.length) t.fail('other offsets');
    }
    const before = queue.start;
    const rest = queue.shift(1_000_000);
    if (!rest.equals(all.subarray(before, before + rest.length))) t.fail('other bytes at the end');
    queue.clear();
    if (queue.length !== 0) t.fail('not empty');
  }
});

t.test('a byte that is a slice of a large message does not hold the message', async (t) => {
  const queue = new ByteQueue();
  for (let count = 0; count < 100; count++) queue.push(Buffer.alloc(16_384, count).subarray(0, 1));
  const bytes = queue.slice(0, 100);
  t.strictSame(
    [...bytes],
    Array.from({ length: 100 }, (_, count) => count),
  );
  t.ok(bytes.buffer.byteLength <= 16_384, 'one-byte writes go out together');
});

t.test('a whole buffer is kept and sent by reference', async (t) => {
  const queue = new ByteQueue();
  const bytes = Buffer.allocUnsafeSlow(50_000);
  queue.push(bytes);
  t.equal(queue.slice(100, 1000).buffer, bytes.buffer);
});

t.test('two halves carry every byte once, over any loss', async (t) => {
  const random = new Random(6);
  for (let round = 0; round < 300; round++) {
    const pool = new WindowPool(limits);
    const sender = new SendHalf(limits, pool, clock, 1000);
    const receiver = new ReceiveHalf(limits, pool, clock);
    const total = random.int(0, 9000);
    let written = 0;
    let read = 0;
    for (let step = 0; !(sender.done && receiver.drained); step++) {
      if (step > 5000) {
        t.fail('does not end');
        return;
      }
      while (written < total && !sender.full) {
        const length = Math.min(total - written, random.int(1, 300));
        sender.write(Buffer.from(Array.from({ length }, (_, at) => (written + at) & 255)));
        written += length;
      }
      if (written === total) sender.end();
      const outgoing = random.chance(0.8) ? sender.next(random.int(50, 200)) : undefined;
      if (outgoing?.kind === 'data') receiver.data(outgoing.offset, outgoing.payload, outgoing.blocked);
      if (outgoing?.kind === 'fin') receiver.fin(outgoing.offset);
      if (random.chance(0.4)) {
        for (const byte of receiver.take(random.int(1, 500))) if (byte !== (read++ & 255)) t.fail('another byte');
      }
      // A loss: the other end says where it stands. At times the word is an old one.
      const { received, limit } = receiver.grant();
      if (random.chance(0.05)) sender.rewind(random.chance(0.5) ? received : sender.acked, limit);
      else if (random.chance(0.5)) sender.credit(received, limit);
      if (receiver.bufferedBytes > limits.maxWindowBytes || sender.retainedBytes > limits.maxWindowBytes + 300)
        t.fail('keeps too much');
    }
    t.equal(read, total);
    sender.close();
    receiver.close();
    t.equal(pool.freeBytes, limits.windowGrowthBytes, 'what the windows grew by is given back');
  }
});

t.test('a receiver names the rule that a sender breaks', async (t) => {
  const fresh = (): ReceiveHalf => new ReceiveHalf(limits, new WindowPool(limits), clock);
  t.throws(() => fresh().data(1, Buffer.from('x'), false), { code: 'offset-gap' });
  t.throws(() => fresh().data(0, Buffer.alloc(1001), false), { code: 'flow-violation' });
  t.throws(() => fresh().fin(1), { code: 'offset-gap' });
  const ended = fresh();
  ended.fin(0);
  ended.fin(0);
  t.throws(() => ended.fin(1), { code: 'offset-gap' });
  t.throws(() => ended.data(0, Buffer.from('x'), false), { code: 'offset-gap' });
});

t.test('credit is owed once a quarter of the window was taken, not when bytes arrive', async (t) => {
  const receiver = new ReceiveHalf(limits, new WindowPool(limits), clock);
  receiver.data(0, Buffer.alloc(1000), false);
  t.ok(receiver.owesAck);
  t.notOk(receiver.owesCredit);
  receiver.take(249);
  t.notOk(receiver.owesCredit);
  receiver.take(1);
  t.ok(receiver.owesCredit);
  t.strictSame(receiver.grant(), { received: 1000, limit: 1250 });
  t.notOk(receiver.owesAck || receiver.owesCredit);
});

t.test('a sender notices an acknowledgement of what it never sent', async (t) => {
  const sender = new SendHalf(limits, new WindowPool(limits), clock, 1000);
  sender.write(Buffer.alloc(50));
  sender.next(20);
  sender.credit(20, 1000);
  t.throws(() => sender.credit(21, 1000), { code: 'flow-violation' });
});

t.test('FIN waits for no credit, and is acknowledged like a byte', async (t) => {
  const sender = new SendHalf(limits, new WindowPool(limits), clock, 5);
  sender.write(Buffer.alloc(5));
  sender.end();
  t.ok(sender.full);
  t.match(sender.next(100), { kind: 'data', offset: 0 });
  t.strictSame(sender.next(100), { kind: 'fin', offset: 5 });
  t.equal(sender.next(100), undefined);
  sender.credit(5, 5);
  t.notOk(sender.done);
  sender.rewind(5, 5);
  t.strictSame(sender.next(100), { kind: 'fin', offset: 5 }, 'it is sent again on a new path');
  sender.credit(6, 6);
  t.ok(sender.done);
  t.ok(sender.ended);
});

t.test('windows of one process grow no further than their pool, and give it back', async (t) => {
  const pool = new WindowPool({ ...limits, windowGrowthBytes: 3000 });
  const windows = [new Window(limits, pool, 0), new Window(limits, pool, 0)];
  for (let round = 1; round < 30; round++) for (const window of windows) window.grow(round * 10_000, round);
  t.equal(windows.reduce((sum, window) => sum + window.bytes, 0) + pool.freeBytes, 2 * limits.windowBytes + 3000);
  for (const window of windows) window.shrink();
  t.equal(pool.freeBytes, 3000);
});
