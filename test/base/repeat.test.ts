import { test } from 'tap';
import { repeat } from '../../base/index.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

test('work is repeated after it has ended, goes on after a failure, and ends when it is cancelled', async (t) => {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const ends: (() => void)[] = [];
  let runs = 0;
  const timer = repeat(
    clock,
    100,
    () => {
      runs++;
      if (runs === 2) throw new Error('once');
      return new Promise<void>((resolve) => ends.push(resolve));
    },
    (error) => errors.push(error),
  );
  t.equal(runs, 0, 'not at once');
  clock.step(100);
  t.equal(runs, 1);
  clock.step(1000);
  t.equal(runs, 1, 'it has not ended yet');
  ends.shift()?.();
  await new Promise(setImmediate);
  clock.step(1100);
  t.equal(runs, 2);
  await new Promise(setImmediate);
  t.equal(errors.length, 1);
  clock.step(1200);
  t.equal(runs, 3, 'a failure does not end it');
  timer.cancel();
  ends.shift()?.();
  await new Promise(setImmediate);
  clock.step(9000);
  t.equal(runs, 3);
  t.equal(clock.pending, 0);
});
