import type { Clock, CodedError } from '../base/index.ts';
import { openFits } from './codec.ts';
import {
  FrameType,
  type FinFrame,
  type OpenFrame,
  type ResetFrame,
  type StreamClass,
  type StreamFrame,
  type StreamTarget,
} from './frame.ts';
import { Lane } from './lane.ts';
import { Leg, type LegOwner, type LegSlot } from './leg.ts';
import type { TunnelLimits } from './limits.ts';
import type { Port } from './port.ts';
import { tunnelError } from './tunnel-error.ts';
import type { WindowPool } from './window.ts';

/** What a crossing needs of its switch. */
export interface CrossingHost {
  readonly clock: Clock;
  readonly limits: TunnelLimits;
  readonly pool: WindowPool;
  /** Bytes entered or left the switch's queues. */
  queued(crossing: Crossing, bytes: number): void;
  /** Memory is short: hops grant little. */
  readonly tight: boolean;
  freed(crossing: Crossing): void;
}

const NO_HEAD = Buffer.alloc(0);

/** One stream that passes through a switch: two legs, and nothing of the stream's own state. */
export class Crossing implements LegOwner {
  readonly limits: TunnelLimits;
  readonly pool: WindowPool;
  readonly clock: Clock;
  readonly #host: CrossingHost;
  #open: OpenFrame;
  readonly #opener: Leg;
  #acceptor: Leg | undefined;
  #over = false;
  /** ACCEPT or RESUMED has passed. */
  #answered = false;
  #refused = false;
  /** A RESET has passed that is not acknowledged yet. */
  #resetting = false;
  /** What the opener sends while its route is looked up. */
  readonly #held: Lane;
  #heldFin: FinFrame | undefined;
  readonly #from: number;
  /** Bytes that passed in each direction, for metrics. */
  bytesUp = 0;
  bytesDown = 0;

  constructor(host: CrossingHost, slot: LegSlot, open: OpenFrame) {
    this.clock = host.clock;
    this.limits = host.limits;
    this.pool = host.pool;
    this.#host = host;
    this.#from = host.clock.now();
    this.#open = open;
    this.#held = new Lane(host.limits.maxDataBytes);
    this.#opener = new Leg(this, slot, open.channel, open.class);
    // Before any answer an opener may send the credit that comes with an OPEN.
    const credit = open.type === FrameType.OPEN ? host.limits.openCreditBytes : 0;
    this.#opener.begin(0, credit, credit);
  }

  get open(): OpenFrame {
    return this.#open;
  }

  get over(): boolean {
    return this.#over;
  }

  get tight(): boolean {
    return this.#host.tight;
  }

  get queuedBytes(): number {
    return this.#held.bytes + this.#opener.queuedBytes + (this.#acceptor?.queuedBytes ?? 0);
  }

  /** What passes through, with the principal that was authenticated; undefined while its route is looked up. */
  get passing(): StreamTarget | undefined {
    return this.#acceptor === undefined ? undefined : this.#open.target;
  }

  /** What the acceptor said to the stream, if anything. */
  get answer(): 'taken' | 'refused' | 'none' {
    if (this.#answered) return 'taken';
    return this.#refused ? 'refused' : 'none';
  }

  get openerPort(): Port {
    return this.#opener.slot.port;
  }

  get durationMs(): number {
    return this.clock.now() - this.#from;
  }

  get acceptorPort(): Port | undefined {
    return this.#acceptor?.slot.port;
  }

  /** Passes the OPEN or RESUME on, with the principal that was authenticated and the credit that this hop can bear. */
  connect(slot: LegSlot, principal: string, streamClass: StreamClass): void {
    if (this.#over) return;
    const target = { ...this.open.target, principal };
    if (!openFits(target, this.open.instance, this.open.head, this.limits)) {
      this.refuse(tunnelError('head-too-long'));
      return;
    }
    const acceptor = new Leg(this, slot, 0, streamClass);
    this.#acceptor = acceptor;
    this.#opener.beginOut(this.open.received);
    const limit = acceptor.clamp(this.open.limit, this.open.received);
    acceptor.begin(this.open.received, this.open.limit, limit);
    acceptor.sendOpen({ ...this.open, class: streamClass, limit, target });
    // The head has gone on, and is not to be kept as long as the stream lives.
    this.#open = { ...this.open, head: NO_HEAD, target };
    this.#passHeld();
  }

  /** Turns the opener down: nothing went any further. */
  refuse(error: CodedError): void {
    if (this.#over) return;
    this.#opener.slot.port.send({
      type: FrameType.REFUSE,
      channel: this.#opener.channel,
      code: error.code,
      message: error.message.slice(0, this.limits.maxReasonBytes),
      instance: '',
      retryAfterMs: error.retryAfterMs ?? 0,
    });
    this.#free();
  }

  onFrame(from: Leg, frame: StreamFrame): void {
    if (this.#over) return;
    const to = from === this.#opener ? this.#acceptor : this.#opener;
    if (to === undefined) {
      this.#hold(frame);
      return;
    }
    try {
      this.#pass(from, to, frame);
    } catch {
      // The sender breaks the rules of flow: its stream ends, nothing else does.
      this.reset(tunnelError('flow-violation'));
    }
  }

  /** Ends the stream for good: both endpoints are told why. */
  reset(error: CodedError): void {
    if (this.#over) return;
    for (const leg of [this.#opener, this.#acceptor]) {
      if (leg?.opened !== true || leg.slot.port.closed) continue;
      leg.slot.port.send({
        type: FrameType.RESET,
        channel: leg.channel,
        ack: false,
        code: error.code,
        message: error.message.slice(0, this.limits.maxReasonBytes),
      });
    }
    this.#free();
  }

  /** Ends both channels and not the stream: replay makes it harmless. `lost` is the side that cannot be told. */
  detach(lost: Leg | undefined, code: string): void {
    if (this.#over) return;
    for (const leg of [this.#opener, this.#acceptor]) {
      if (leg === undefined || leg === lost || !leg.opened || leg.slot.port.closed) continue;
      leg.send({ type: FrameType.DETACH, channel: leg.channel, code });
    }
    this.#free();
  }

  queued(bytes: number): void {
    this.#host.queued(this, bytes);
  }

  drained(leg: Leg, bytes: number): void {
    this.queued(-bytes);
    if (leg === this.#opener) this.bytesDown += bytes;
    else this.bytesUp += bytes;
    const behind = leg === this.#opener ? this.#acceptor : this.#opener;
    behind?.relieve(leg.drainedOffset, leg.queuedBytes === 0);
  }

  /** How far what comes in on this leg has gone out on the other. */
  drainedBehind(leg: Leg): number {
    return (leg === this.#opener ? this.#acceptor : this.#opener)?.drainedOffset ?? 0;
  }

  /** Both FINs are acknowledged: nothing more can pass, but for the acknowledgement of a RESET. */
  settle(): void {
    if (!this.#resetting && this.#opener.complete && this.#acceptor?.complete === true) this.#free();
  }

  #pass(from: Leg, to: Leg, frame: StreamFrame): void {
    switch (frame.type) {
      case FrameType.DATA:
        from.arrive(frame, to);
        return;
      case FrameType.FIN:
        from.arriveFin(frame, to);
        return;
      case FrameType.RESUMED:
        this.#answer(from, FrameType.RESUME);
        // What goes out to the acceptor begins where it stands.
        from.beginOut(frame.received);
        to.grant(frame, frame.received);
        return;
      case FrameType.ACCEPT:
        this.#answer(from, FrameType.OPEN);
        to.grant(frame, from.drainedOffset);
        return;
      case FrameType.CREDIT:
        to.grant(frame, from.drainedOffset);
        return;
      case FrameType.REFUSE:
      case FrameType.DETACH:
        this.#refused = frame.type === FrameType.REFUSE;
        if (to.opened) to.send({ ...frame, channel: to.channel });
        this.#free();
        return;
      case FrameType.RESET:
        this.#passReset(from, to, frame);
        return;
      case FrameType.OPEN:
      case FrameType.RESUME:
        throw tunnelError('frame-unexpected');
    }
  }

  /** An answer comes once, from the acceptor's side: it moves offsets, and no sender may do that as it likes. */
  #answer(from: Leg, to: OpenFrame['type']): void {
    if (from === this.#opener || this.#answered || this.open.type !== to) throw tunnelError('frame-unexpected');
    this.#answered = true;
  }

  #passReset(from: Leg, to: Leg, frame: ResetFrame): void {
    if (!to.opened) {
      this.#resetUnopened(frame);
      return;
    }
    to.slot.port.send({ ...frame, channel: to.channel });
    if (frame.ack) {
      this.#free();
    } else {
      this.#resetting = true;
      to.drop();
    }
  }

  /** The opener gives up before its OPEN or RESUME has gone any further. */
  #resetUnopened({ channel, code }: ResetFrame): void {
    const { port } = this.#opener.slot;
    // On a later attempt the acceptor may know the stream from an earlier one: the opener has to come again and tell it.
    if (this.open.attempt > 1) port.send({ type: FrameType.DETACH, channel, code: 'link-lost' });
    else port.send({ type: FrameType.RESET, channel, ack: true, code, message: '' });
    this.#free();
  }

  /** The route is being looked up: what the opener sends meanwhile is bounded by the credit of an OPEN. */
  #hold(frame: StreamFrame): void {
    switch (frame.type) {
      case FrameType.DATA:
        if (
          this.open.type === FrameType.RESUME ||
          this.#held.bytes + frame.payload.length > this.limits.openCreditBytes
        )
          break;
        this.#held.push(frame);
        this.queued(frame.payload.length);
        return;
      case FrameType.FIN:
        if (this.#heldFin !== undefined) break;
        this.#heldFin = frame;
        return;
      case FrameType.RESET:
        this.#resetUnopened(frame);
        return;
      case FrameType.DETACH:
        this.#free();
        return;
      case FrameType.OPEN:
      case FrameType.RESUME:
      case FrameType.ACCEPT:
      case FrameType.RESUMED:
      case FrameType.REFUSE:
      case FrameType.CREDIT:
        break;
    }
    this.reset(tunnelError('flow-violation'));
  }

  #passHeld(): void {
    for (
      let frame = this.#held.shift(this.#opener.channel);
      frame !== undefined;
      frame = this.#held.shift(this.#opener.channel)
    ) {
      this.queued(-frame.payload.length);
      this.onFrame(this.#opener, frame);
    }
    if (this.#heldFin !== undefined) this.onFrame(this.#opener, this.#heldFin);
    this.#heldFin = undefined;
  }

  #free(): void {
    if (this.#over) return;
    this.#over = true;
    this.queued(-this.#held.bytes);
    this.#held.clear();
    this.#heldFin = undefined;
    this.#opener.free();
    this.#acceptor?.free();
    this.#host.freed(this);
  }
}
