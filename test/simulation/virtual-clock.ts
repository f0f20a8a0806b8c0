import type { Clock, Timer } from '../../base/index.ts';

class Entry implements Timer {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
  readonly #cancelled: () => void;

  constructor(at: number, order: number, run: () => void, cancelled: () => void) {
    this.at = at;
    this.order = order;
    this.run = run;
    this.#cancelled = cancelled;
  }

  cancel(): void {
    if (this.run === undefined) return;
    this.run = undefined;
    this.#cancelled();
  }
}

/** Time that only moves from one event to the next; equal times keep their order. */
export class VirtualClock implements Clock {
  /** Timers that are set. */
  pending = 0;
  #now = 0;
  #orders = 0;
  readonly #heap: Entry[] = [];
  #deferred: (() => void)[] = [];
  readonly #cancelled = (): void => void this.pending--;

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): Timer {
    const entry = new Entry(this.#now + Math.max(0, delayMs), this.#orders++, run, this.#cancelled);
    this.pending++;
    this.#rise(entry);
    return entry;
  }

  defer(run: () => void): void {
    this.#deferred.push(run);
  }

  afterInput(run: () => void): void {
    this.defer(run);
  }

  /** Runs what was deferred, and what that defers. */
  settle(): void {
    while (this.#deferred.length > 0) {
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const run of deferred) run();
    }
  }

  /** Runs the next timer and all that is deferred by it; false when there is none before `until`. */
  step(until: number): boolean {
    for (;;) {
      const [first] = this.#heap;
      if (first === undefined || first.at > until) {
        this.#now = Math.max(this.#now, until);
        return false;
      }
      this.#sink();
      const { run } = first;
      if (run === undefined) continue;
      first.run = undefined;
      this.pending--;
      this.#now = first.at;
      run();
      this.settle();
      return true;
    }
  }

  #rise(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #sink(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let below = heap[child];
      const right = heap[child + 1];
      if (below === undefined) break;
      if (right !== undefined && before(right, below)) {
        child++;
        below = right;
      }
      if (!before(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function before(one: Entry, other: Entry): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** A process: its own monotonic clock, and everything that it planned is gone when it is killed. */
export class Process implements Clock {
  readonly name: string;
  alive = true;
  readonly #clock: VirtualClock;
  readonly #offsetMs: number;
  #turns = 0;

  constructor(name: string, clock: VirtualClock, offsetMs: number) {
    this.name = name;
    this.#clock = clock;
    this.#offsetMs = offsetMs;
  }

  now(): number {
    return this.#clock.now() + this.#offsetMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#clock.after(delayMs, () => {
      if (this.alive) run();
    });
  }

  /** Now and then other input of the same moment comes first. */
  afterInput(run: () => void): void {
    if (++this.#turns % 4 === 0) this.after(0, run);
    else this.defer(run);
  }

  defer(run: () => void): void {
    this.#clock.defer(() => {
      if (this.alive) run();
    });
  }
}
