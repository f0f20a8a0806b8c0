/**
 * Plays many seeds: `node run.ts --seeds N --from S`. Prints each failing seed with its reason; `--trace SEED` prints what
 * happened in one. `--stop` ends at the first failure, with exit code 1.
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '0' },
    trace: { type: 'string' },
    stop: { type: 'boolean', default: false },
  },
});

if (values.trace === undefined) {
  playMany(Number(values.from), Number(values.seeds));
} else {
  const { lines, failure, steps } = simulate(Number(values.trace), true);
  for (const line of lines) console.log(line);
  console.log(failure ?? `clean after ${steps} events`);
}

function playMany(from: number, seeds: number): void {
  const startedAt = performance.now();
  let failed = 0;
  let steps = 0;
  let played = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const result = simulate(seed);
    played++;
    steps += result.steps;
    if (result.failure === undefined) continue;
    failed++;
    console.log(`seed ${seed}: ${result.failure}`);
    if (values.stop) break;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `${played} seeds, ${failed} failed, ${Math.round(played / seconds)} seeds/s, ${Math.round(steps / played)} events a seed`,
  );
  if (failed > 0) process.exitCode = 1;
}
