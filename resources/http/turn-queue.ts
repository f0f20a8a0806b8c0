/** How long one turn of the event loop works, milliseconds: well below what anybody notices. */
const turnMs = 8;

/**
 * Work that many wait for at once, in the order in which they asked, a slice in each turn of the event loop. Who is asked to
 * run while the queue is long finds more to do at once, so that a thousand watchers of one stream of changes batch by themselves.
 */
export class TurnQueue {
  readonly #waiting = new Set<() => void>();
  #isScheduled = false;

  /** Runs once, soon; asking again before that changes nothing. `run` must not throw. */
  add(run: () => void): void {
    this.#waiting.add(run);
    this.#schedule();
  }

  remove(run: () => void): void {
    this.#waiting.delete(run);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    const end = performance.now() + turnMs;
    // Who asks again meanwhile comes behind all who wait.
    let left = this.#waiting.size;
    for (const run of this.#waiting) {
      this.#waiting.delete(run);
      run();
      left -= 1;
      if (left === 0 || performance.now() >= end) break;
    }
    this.#schedule();
  }
}

/** The queue of all watches of this process: they share its one event loop. */
export const watchTurns = new TurnQueue();

/** Gives the event loop a turn when the work since the last one has taken long enough. */
export class Pace {
  #since = performance.now();

  /** It has. */
  get isOver(): boolean {
    return performance.now() - this.#since >= turnMs;
  }

  async next(): Promise<void> {
    if (!this.isOver) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}
