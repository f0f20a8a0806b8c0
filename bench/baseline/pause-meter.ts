/** Milliseconds. */
export interface Pause {
  /** Between two turns of the event loop, whoever had the processor meanwhile. */
  readonly wallMs: number;
  /** Of it, what the loop's own thread worked: what is left when other processes want the same processor. */
  readonly workMs: number;
}

const tickMs = 2;

/** Looks how long the event loop of this process does not turn. */
export class PauseMeter {
  #isLooking = false;
  #wallMs = 0;
  #workMs = 0;

  /** The longest since the last call; the first call begins. */
  take(): Pause {
    if (!this.#isLooking) this.#look();
    const pause = { wallMs: this.#wallMs, workMs: this.#workMs };
    this.#wallMs = 0;
    this.#workMs = 0;
    return pause;
  }

  #look(): void {
    this.#isLooking = true;
    let last = { wall: performance.now(), work: threadMs() };
    const look = (): void => {
      const now = { wall: performance.now(), work: threadMs() };
      this.#wallMs = Math.max(this.#wallMs, now.wall - last.wall - tickMs);
      this.#workMs = Math.max(this.#workMs, now.work - last.work);
      last = now;
    };
    setInterval(look, tickMs).unref();
  }
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
