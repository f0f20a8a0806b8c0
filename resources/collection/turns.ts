import type { Clock } from '../../base/index.ts';

/** How long one thing runs before others have their turn, ms. */
export const maxTurnMs = 5;

/** Does something with each item, in order, without ever holding up the event loop for long. */
export async function takeTurns<T>(items: readonly T[], clock: Clock, act: (item: T) => void): Promise<void> {
  let began = clock.now();
  for (const [index, item] of items.entries()) {
    act(item);
    if (index % 32 !== 31 || clock.now() - began < maxTurnMs) continue;
    await nextTurn(clock);
    began = clock.now();
  }
}

export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.afterInput(resolve));
}
