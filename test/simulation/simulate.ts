import { World } from './world.ts';

export interface SimulationResult {
  readonly seed: number;
  /** What was broken, or undefined. */
  readonly failure: string | undefined;
  readonly steps: number;
  readonly lines: readonly string[];
}

/** After the last fault a stream finds its path or its deadline within this time. */
const SETTLE_MS = 12_000;
/** Long enough for an OPEN of a client that was killed to arrive, and to be forgotten. */
const FORGET_MS = 10_000;

/** Plays one seed to its end: faults, calm, shutdown. */
export function simulate(seed: number, tracing = false): SimulationResult {
  const world = new World(seed, tracing);
  try {
    play(world);
  } catch (error) {
    world.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return { seed, failure: world.failure, steps: world.steps, lines: world.lines };
}

function play(world: World): void {
  const run = (until: number, done: () => boolean): void => {
    while (world.failure === undefined && !done() && world.step(until));
  };
  run(world.calmAt, () => false);
  run(world.calmAt + SETTLE_MS, () => world.over && world.empty);
  if (world.failure === undefined && !(world.over && world.empty)) world.fail(`stuck: ${world.describe()}`);
  run(world.clock.now() + FORGET_MS, () => world.empty && world.forgotten);
  if (world.failure === undefined && !(world.empty && world.forgotten))
    world.fail(`not forgotten: ${world.describe()}`);
  world.close();
  run(world.clock.now() + FORGET_MS, () => world.clock.pending === 0);
  if (world.failure === undefined) world.checkNothingLeft();
}
