import t from 'tap';
import { simulate } from './simulate.ts';

const SEEDS = 1500;

t.test('the same seed plays the same way', async (t) => {
  for (const seed of [3, 77, 1234]) t.strictSame(simulate(seed, true), simulate(seed, true));
});

t.test(
  'over cuts, silence, moves and restarts streams stay byte-exact, nothing is executed twice, and nothing is left',
  async (t) => {
    const failures: string[] = [];
    for (let seed = 0; seed < SEEDS; seed++) {
      const { failure } = simulate(seed);
      if (failure !== undefined) failures.push(`seed ${seed}: ${failure}`);
    }
    t.strictSame(failures, []);
  },
);
