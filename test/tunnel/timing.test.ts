import t from 'tap';
import { StreamClass, FrameType, type DataFrame } from '../../tunnel/frame.ts';
import { InflightBudget } from '../../tunnel/inflight.ts';
import { defaultLimits } from '../../tunnel/limits.ts';
import { Liveness } from '../../tunnel/liveness.ts';
import { OpenRate } from '../../tunnel/open-rate.ts';
import type { Source } from '../../tunnel/port.ts';
import { Scheduler } from '../../tunnel/scheduler.ts';
import { Ticker } from '../../tunnel/ticker.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { run } from './hostile-peer.ts';

/** Always has more to send, this much at a time. */
function endless(
  channel: number,
  bytes: number,
  streamClass: StreamClass = StreamClass.INTERACTIVE,
): Source & { sent: number } {
  const payload = Buffer.alloc(bytes);
  const source = {
    class: streamClass,
    sent: 0,
    next: (): DataFrame => {
      source.sent += bytes;
      return { type: FrameType.DATA, channel, offset: 0, payload, blocked: false };
    },
    takeCredit: () => undefined,
  };
  return source;
}

function serve(scheduler: Scheduler, clock: VirtualClock, frames: number, msEach = 0): number[] {
  const channels: number[] = [];
  for (let count = 0; count < frames; count++) {
    const frame = scheduler.next(16_352);
    if (frame === undefined) break;
    channels.push(frame.channel);
    run(clock, msEach);
  }
  return channels;
}

t.test('streams of a class share a link by bytes, whatever the size of their frames', async (t) => {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  const sources = [endless(1, 16_000), endless(3, 1000), endless(5, 200)] as const;
  for (const source of sources) scheduler.add(source);
  serve(scheduler, clock, 20_000);
  const sent = sources.map((source) => source.sent);
  t.ok(Math.max(...sent) / Math.min(...sent) < 1.3, sent.join(' '));
});

t.test('an interactive stream has eight parts of nine beside a bulk one', async (t) => {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  const bulk = endless(1, 8000, StreamClass.BULK);
  // As slow as it has to be to stay interactive.
  const interactive = endless(3, 50);
  scheduler.add(bulk);
  scheduler.add(interactive);
  serve(scheduler, clock, 4000, 2);
  t.ok(interactive.sent > 0 && bulk.sent > 0);
  const cost = interactive.sent * (82 / 50);
  t.ok(cost / (bulk.sent + cost) > 0.6, `${interactive.sent} of ${bulk.sent}`);
});

t.test('a quiet stream goes before one that has become bulk by what it sends', async (t) => {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  const greedy = endless(1, 16_000);
  scheduler.add(greedy);
  serve(scheduler, clock, 10);
  t.notOk(scheduler.hasInteractive);
  const quiet = endless(3, 10);
  scheduler.add(quiet);
  t.ok(scheduler.hasInteractive);
  t.equal(serve(scheduler, clock, 1)[0], 3);
});

t.test('a stream that has become bulk is interactive again after a quiet second', async (t) => {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  const greedy = endless(1, 16_000);
  scheduler.add(greedy);
  serve(scheduler, clock, 10);
  run(clock, 1500);
  serve(scheduler, clock, 1);
  t.ok(scheduler.hasInteractive);
});

t.test('who has nothing leaves the round, and who is removed is not asked', async (t) => {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  const empty: Source = { class: StreamClass.INTERACTIVE, next: () => undefined, takeCredit: () => undefined };
  const removed = endless(3, 10);
  scheduler.add(empty);
  scheduler.add(empty);
  scheduler.add(removed);
  scheduler.remove(removed);
  t.equal(scheduler.next(100), undefined);
  t.ok(scheduler.idle);
  t.equal(removed.sent, 0);
  scheduler.remove(removed);
  t.equal(scheduler.next(100, true), undefined);
});

/** A path of this rate and round trip, sent over as fast as the budget allows: the budget at the end. */
function settle(bytesPerMs: number, rttMs: number): InflightBudget {
  const budget = new InflightBudget(defaultLimits);
  const arrivals: { at: number; total: number }[] = [];
  let sent = 0;
  let free = 0;
  for (let now = 1; now < 5000; now++) {
    for (let next = arrivals[0]; next !== undefined && next.at <= now; next = arrivals[0]) {
      budget.acked(next.total, now);
      arrivals.shift();
    }
    while (budget.room > 0) {
      sent += 16_376;
      budget.sent(16_376, now);
      free = Math.max(free, now) + 16_376 / bytesPerMs;
      arrivals.push({ at: free + rttMs, total: sent });
    }
  }
  return budget;
}

t.test('the budget in flight settles near twice what fills the path', async (t) => {
  const budget = settle(1000, 50);
  const bdp = 1000 * (50 + 16);
  t.ok(budget.budgetBytes > bdp * 0.9 && budget.budgetBytes < bdp * 4, `${budget.budgetBytes}`);
  t.ok((budget.bytesPerSecond ?? 0) > 800_000);
});

t.test('on a thin path it stays at its least, so that nothing queues in the network', async (t) => {
  t.ok(settle(20, 50).budgetBytes <= 2 * defaultLimits.minInflightBytes);
});

t.test('bytes that were not sent cannot be acknowledged, an old word changes nothing', async (t) => {
  const budget = new InflightBudget(defaultLimits);
  budget.sent(1000, 1);
  t.notOk(budget.acked(1001, 2));
  t.ok(budget.acked(1000, 2));
  t.ok(budget.acked(500, 3));
  t.equal(budget.inflightBytes, 0);
});

t.test('when a path has become longer, its round trip is believed after one drained look', async (t) => {
  const budget = new InflightBudget(defaultLimits);
  budget.measured(10, 0);
  budget.measured(80, 5000);
  t.equal(budget.minRttMs, 10);
  budget.measured(80, 11_000);
  budget.measured(80, 12_000);
  t.equal(budget.minRttMs, 80);
});

t.test('silence is probed, sooner while an answer is outstanding, and only the own PONG answers', async (t) => {
  const { idleProbeMs, busyProbeMs, probeTimeoutMs } = defaultLimits;
  const idle = new Liveness(defaultLimits, 0);
  t.equal(idle.step(idleProbeMs - 1, 0).kind, 'wait');
  t.strictSame(idle.step(idleProbeMs, 0), { kind: 'probe', nonce: 1 });
  t.equal(idle.pong(7, idleProbeMs + 1), undefined);
  idle.heard(idleProbeMs + 1);
  t.strictSame(idle.step(idleProbeMs + probeTimeoutMs, 0), { kind: 'probe', nonce: 2 }, 'other frames are no answer');
  t.equal(idle.step(idleProbeMs + 2 * probeTimeoutMs, 0).kind, 'dead');
  const busy = new Liveness(defaultLimits, 0);
  busy.sent();
  t.equal(busy.step(busyProbeMs, 0).kind, 'probe');
  t.equal(busy.pong(1, busyProbeMs + 30), 30);
  t.equal(busy.rttMs, 30);
});

t.test("a process's own lag is not its peer's silence", async (t) => {
  const liveness = new Liveness(defaultLimits, 0);
  t.equal(liveness.step(6000, 3000).kind, 'wait');
  liveness.ask();
  t.equal(liveness.step(6000, 0).kind, 'probe');
  t.equal(liveness.step(9000, 2500).kind, 'wait');
});

t.test('OPENs are admitted by a bucket that fills again', async (t) => {
  const rate = new OpenRate({ ...defaultLimits, opensPerSecond: 2, opensBurst: 2, maxRefusedOpensPerSecond: 2 }, 0);
  t.strictSame(
    [0, 0, 0, 0, 0].map((now) => rate.take(now)),
    ['admit', 'admit', 'refuse', 'refuse', 'close'],
  );
  t.equal(rate.take(500), 'admit');
  t.strictSame(
    [1001, 1002, 1003].map((now) => rate.take(now)),
    ['admit', 'refuse', 'refuse'],
  );
});

t.test('one timer ticks all, with the lag it has, and only while there are any', async (t) => {
  const clock = new VirtualClock();
  const ticker = new Ticker(clock);
  let ticks = 0;
  const member = { tick: (_now: number, lagMs: number) => (ticks += lagMs === 0 ? 1 : 100) };
  const other = { tick: () => ticker.remove(other) };
  ticker.add(member);
  ticker.add(other);
  t.equal(clock.pending, 1);
  run(clock, 1000);
  t.equal(ticks, 4);
  t.equal(ticker.size, 1);
  ticker.remove(member);
  t.equal(clock.pending, 0);
  ticker.add(other);
  run(clock, 1000);
  t.equal(clock.pending, 0);
});
