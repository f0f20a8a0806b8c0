import type { Clock, Timer } from './clock.ts';

/**
 * Runs `work` again and again, each time `everyMs` after the last has ended, the first time after that as well, until it is
 * cancelled. What it throws goes to `onError`, and it goes on.
 */
export function repeat(
  clock: Clock,
  everyMs: number,
  work: () => void | Promise<void>,
  onError: (error: unknown) => void,
): Timer {
  let timer: Timer | undefined;
  let isCancelled = false;
  const next = (): void => {
    if (!isCancelled) timer = clock.after(everyMs, () => void run());
  };
  const run = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      onError(error);
    }
    next();
  };
  next();
  return {
    cancel() {
      isCancelled = true;
      timer?.cancel();
    },
  };
}
