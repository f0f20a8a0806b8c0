import t from 'tap';

import { Lifecycle, untilSignal, type Clock } from '../../base/index.ts';

/** A clock whose timers fire when told to. */
function handClock(): Clock & { fire(): void } {
  const timers = new Set<() => void>();
  return {
    now: () => 0,
    after(_delayMs, run) {
      timers.add(run);
      return { cancel: () => timers.delete(run) };
    },
    defer: queueMicrotask,
    afterInput: queueMicrotask,
    fire: () => timers.forEach((run) => run()),
  };
}

t.test('what was opened last is closed first, one after the other, with the reason', async (t) => {
  const seen: string[] = [];
  const lifecycle = new Lifecycle({ onStep: (step) => seen.push(`begin ${step}`) });
  lifecycle.onClose('store', (reason) => void seen.push(`store ${reason}`));
  lifecycle.onClose('links', async (reason) => {
    await Promise.resolve();
    seen.push(`links ${reason}`);
  });
  await lifecycle.close('SIGTERM');
  t.strictSame(seen, ['begin links', 'links SIGTERM', 'begin store', 'store SIGTERM']);
});

t.test('closing twice runs the steps once, and the first reason stays', async (t) => {
  const reasons: string[] = [];
  const lifecycle = new Lifecycle();
  lifecycle.onClose('a', (reason) => void reasons.push(reason));
  t.equal(lifecycle.close('first'), lifecycle.close('second'));
  await lifecycle.close('third');
  t.strictSame(reasons, ['first']);
  t.ok(lifecycle.closing);
});

t.test('a step that fails stops no other, and the first failure is thrown', async (t) => {
  const ran: string[] = [];
  const lifecycle = new Lifecycle();
  lifecycle.onClose('a', () => void ran.push('a'));
  lifecycle.onClose('b', () => Promise.reject(new Error('b broke')));
  lifecycle.onClose('c', () => {
    throw new Error('c broke');
  });
  await t.rejects(lifecycle.close('end'), { message: 'c broke' });
  t.strictSame(ran, ['a']);
});

t.test('a step that hangs is given up at its deadline, and the next one runs', async (t) => {
  const clock = handClock();
  const lifecycle = new Lifecycle({ clock });
  let ran = false;
  lifecycle.onClose('store', () => void (ran = true));
  lifecycle.onClose('links', () => new Promise(() => undefined), { deadlineMs: 50 });
  const closed = lifecycle.close('end');
  clock.fire();
  await t.rejects(closed, { code: 'shutdown-timeout', message: /links, 50 ms/ });
  t.ok(ran);
});

t.test('a step that is added during the shutdown still runs; one that comes after it is refused', async (t) => {
  const lifecycle = new Lifecycle();
  let late = false;
  lifecycle.onClose('a', () => lifecycle.onClose('late', () => void (late = true)));
  await lifecycle.close('end');
  t.ok(late);
  t.throws(() => lifecycle.onClose('too late', () => undefined));
});

t.test('untilSignal gives the first signal and takes its listeners away', async (t) => {
  const before = process.listenerCount('SIGUSR2');
  const signal = untilSignal(['SIGUSR2']);
  process.kill(process.pid, 'SIGUSR2');
  t.equal(await signal, 'SIGUSR2');
  t.equal(process.listenerCount('SIGUSR2'), before);

  const abort = new AbortController();
  const given = untilSignal(['SIGUSR2'], { abort: abort.signal });
  abort.abort(new Error('over'));
  await t.rejects(given, { message: 'over' });
  t.equal(process.listenerCount('SIGUSR2'), before);
});
