import type { Clock, Timer } from '../base/index.ts';

const TICK_MS = 250;

/** What is told that time has passed. */
export interface Ticking {
  /** `lagMs`: how much later than planned this process came to it. */
  tick(now: number, lagMs: number): void;
}

/**
 * One timer for all links of a process: a link then costs none of its own. It runs while there is anything to tick.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #members = new Set<Ticking>();
  #timer: Timer | undefined;
  #due = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#members.size;
  }

  add(member: Ticking): void {
    this.#members.add(member);
    if (this.#timer === undefined) this.#schedule();
  }

  remove(member: Ticking): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#due = this.#clock.now() + TICK_MS;
    this.#timer = this.#clock.after(TICK_MS, () => {
      const now = this.#clock.now();
      const lagMs = Math.max(0, now - this.#due - 1);
      for (const member of [...this.#members]) member.tick(now, lagMs);
      if (this.#members.size > 0) this.#schedule();
      else this.#timer = undefined;
    });
  }
}
