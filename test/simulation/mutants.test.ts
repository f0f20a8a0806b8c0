import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { copyInto, firstFailure, mutate, occurrences } from './mutation.ts';
import { mutants } from './mutants.ts';

const SEEDS = 1000;
const TIMEOUT_MS = 40_000;

t.setTimeout(240_000);

t.test('each fault that is put into the protocol is found by the simulation', async (t) => {
  const folder = t.testdir();
  const waiting = [...mutants.entries()];
  const play = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, mutant] = next;
      t.equal(occurrences(mutant), 1, `"${mutant.name}" replaces a text that stands once in ${mutant.file}`);
      const copy = join(folder, String(index));
      mkdirSync(copy);
      copyInto(copy);
      mutate(copy, mutant);
      const failure = await firstFailure(copy, SEEDS, TIMEOUT_MS);
      t.ok(failure !== undefined, `found: ${mutant.name}`);
      if (failure !== undefined) t.comment(failure);
    }
  };
  await Promise.all([play(), play()]);
});
