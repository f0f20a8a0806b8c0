import type { Clock, CodedError } from '../base/index.ts';
import type { Channel, StreamFrame } from './frame.ts';
import { defaultLimits, type TunnelLimits } from './limits.ts';
import type { Port, PortUser, PromptFrame, Source } from './port.ts';

/**
 * A link inside one process: frames pass as they are, nothing is encoded. It joins the gateway's own endpoint to the
 * switch beside it.
 */
export class LoopPort implements Port {
  readonly id: string;
  /** Who takes what arrives at this end. */
  user: PortUser | undefined;
  closed = false;
  readonly #clock: Clock;
  readonly #limits: TunnelLimits;
  #other: LoopPort | undefined;
  #channel: number;
  readonly #prompt: PromptFrame[] = [];
  readonly #credits = new Set<Source>();
  readonly #ready = new Set<Source>();
  #flushing = false;

  private constructor(id: string, firstChannel: number, clock: Clock, limits: TunnelLimits) {
    this.id = id;
    this.#channel = firstChannel;
    this.#clock = clock;
    this.#limits = limits;
  }

  static pair(id: string, clock: Clock, limits: TunnelLimits = defaultLimits): [LoopPort, LoopPort] {
    const one = new LoopPort(id, -1, clock, limits);
    const other = new LoopPort(id, 0, clock, limits);
    one.#other = other;
    other.#other = one;
    return [one, other];
  }

  nextChannel(): Channel {
    this.#channel += 2;
    return this.#channel;
  }

  send(frame: PromptFrame): void {
    this.#prompt.push(frame);
    this.#schedule();
  }

  ready(source: Source): void {
    this.#ready.add(source);
    this.#schedule();
  }

  credit(source: Source): void {
    this.#credits.add(source);
    this.#schedule();
  }

  remove(source: Source): void {
    this.#ready.delete(source);
    this.#credits.delete(source);
  }

  probe(): void {
    // The other end is this process.
  }

  close(reason: CodedError): void {
    if (this.closed) return;
    this.closed = true;
    const other = this.#other;
    this.#clock.defer(() => this.user?.onClose(reason));
    other?.close(reason);
  }

  #schedule(): void {
    if (this.#flushing || this.closed) return;
    this.#flushing = true;
    this.#clock.defer(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    for (let frame = this.#prompt.shift(); frame !== undefined; frame = this.#prompt.shift()) this.#deliver(frame);
    for (const source of this.#credits) {
      this.#credits.delete(source);
      const frame = source.takeCredit();
      if (frame !== undefined) this.#deliver(frame);
    }
    for (const source of this.#ready) {
      this.#ready.delete(source);
      for (;;) {
        const frame = source.next(this.#limits.maxDataBytes);
        if (frame === undefined) break;
        this.#deliver(frame);
      }
    }
  }

  #deliver(frame: StreamFrame): void {
    if (!this.closed) this.#other?.user?.onFrame(frame);
  }
}
