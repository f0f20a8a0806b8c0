import type { Clock } from '../base/index.ts';
import { nobody, type Wire, type WireUser } from './wire.ts';

/** One end of a wire in memory: messages arrive in order, `delayMs` later, or not at all once it is cut. */
export class MemoryWire implements Wire {
  readonly remote = 'memory';
  readonly headerBytes = 0;
  readonly peerHeaderBytes = 0;
  readonly full = false;
  user: WireUser = nobody;
  /** Swallows what this end sends: the other end hears nothing, and nobody is told. */
  silent = false;
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  #other: MemoryWire | undefined;
  #closed = false;
  #lastAt = 0;
  readonly #underWay: ((other: MemoryWire) => void)[] = [];

  private constructor(clock: Clock, delayMs: () => number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  static pair(clock: Clock, delayMs: () => number = () => 0): [MemoryWire, MemoryWire] {
    const one = new MemoryWire(clock, delayMs);
    const other = new MemoryWire(clock, delayMs);
    one.#other = other;
    other.#other = one;
    return [one, other];
  }

  send(message: Buffer, rest?: Buffer): void {
    if (this.#closed || this.silent) return;
    const whole = rest === undefined ? message : Buffer.concat([message, rest]);
    this.#later((other) => {
      if (!other.#closed) other.user.onMessage(whole);
    });
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.silent) this.#later((other) => other.#end(reason));
    this.#clock.defer(() => this.user.onClose(reason));
  }

  destroy(): void {
    this.close('destroyed');
  }

  /** Both ends close; what is under way is lost. */
  cut(): void {
    const other = this.#other;
    this.#end('cut');
    if (other !== undefined) other.#end('cut');
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.user.onClose(reason);
  }

  #later(deliver: (other: MemoryWire) => void): void {
    const other = this.#other;
    if (other === undefined) return;
    // Messages keep their order whatever their delays.
    const at = Math.max(this.#lastAt, this.#clock.now() + this.#delayMs());
    this.#lastAt = at;
    this.#underWay.push(deliver);
    // Whichever timer fires first delivers what was sent first.
    this.#clock.after(at - this.#clock.now(), () => this.#underWay.shift()?.(other));
  }
}
