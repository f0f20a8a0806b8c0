import type { Port } from './port.ts';
import type { OpenerCore } from './opener-core.ts';
import type { StreamCore, StreamPath } from './stream-core.ts';

/** One port of an endpoint, and the streams that are on it. */
export class PortSlot {
  readonly port: Port;
  readonly #streams = new Map<number, StreamCore>();
  /** Streams whose OPEN or RESUME the port has not asked for yet. */
  readonly #expected = new Set<OpenerCore>();

  constructor(port: Port) {
    this.port = port;
  }

  get size(): number {
    return this.#streams.size + this.#expected.size;
  }

  find(channel: number): StreamCore | undefined {
    return this.#streams.get(channel);
  }

  enter(channel: number, core: StreamCore): StreamPath {
    this.#streams.set(channel, core);
    return { port: this.port, channel, forget: () => this.#streams.delete(channel) };
  }

  expect(core: OpenerCore): void {
    this.#expected.add(core);
  }

  unexpect(core: OpenerCore): void {
    this.#expected.delete(core);
  }

  /** Every stream loses this path. */
  lose(code: string): void {
    const cores = [...this.#streams.values(), ...this.#expected];
    for (const core of cores) core.onPathLost(code);
  }
}
