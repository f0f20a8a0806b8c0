/** How long work goes on before others have their turn, ms: the event loop shall never pause for 20. */
const SLICE_MS = 8;

/** Long work asks it between its steps. */
export class Breather {
  #since = performance.now();

  get isDue(): boolean {
    return performance.now() - this.#since >= SLICE_MS;
  }

  /** Lets everything else that is ready run. */
  async breathe(): Promise<void> {
    await new Promise((resolve) => void setImmediate(resolve));
    this.#since = performance.now();
  }

  /** Work begins again after a wait. */
  begin(): void {
    this.#since = performance.now();
  }
}
