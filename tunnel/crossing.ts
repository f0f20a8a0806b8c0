import type { CodedError } from '../base/index.ts';
import { FrameType, type CreditFrame, type DataFrame, type FinFrame, type OpenFrame, type StreamClass, type StreamFrame } from './frame.ts';
import { Lane, unblocked } from './lane.ts';
import type { TunnelLimits } from './limits.ts';
import type { Port, PromptFrame, Source } from './port.ts';
import { tunnelError } from './tunnel-error.ts';
import { Window, type WindowPool } from './window.ts';

/** What a crossing needs of its switch. */
export interface CrossingHost {
  readonly limits: TunnelLimits;
  readonly pool: WindowPool;
  /** Bytes entered or left the switch's queues. */
  queued(crossing: Crossing, bytes: number): void;
  /** Memory is short: hops grant little. */
  readonly tight: boolean;
  freed(crossing: Crossing): void;
}

/** Where a leg's channel is entered and left. */
export interface LegSlot {
  readonly port: Port;
  /** A leg that has no channel yet. */
  add(leg: Leg): void;
  enter(channel: number, leg: Leg): void;
  leave(leg: Leg): void;
}

const TIGHT_WINDOW_BYTES = 16 * 1024;

/**
 * One side of a stream that passes through: what is to go out on a port, and the credit that is to go out there.
 * Offsets of what comes in from this side are counted, and its sender's limit is what the other side grants, clamped to
 * what has gone out on the other side plus a hop window: the switch never holds more than that window.
 */
export class Leg implements Source {
  readonly slot: LegSlot;
  readonly class: StreamClass;
  /** 0 until the channel is opened. */
  channel: number;
  readonly #crossing: Crossing;
  readonly #lane = new Lane();
  readonly #hop: Window;
  #open: OpenFrame | undefined;
  #fin: FinFrame | undefined;
  /** Offset behind the last byte that came in from this side. */
  #arrived = 0;
  /** Offset behind the last byte that went out on this side. */
  #drained = 0;
  /** What the other endpoint grants this side, and acknowledges. */
  #granted = 0;
  #received = 0;
  /** What this side was told. */
  #told = 0;
  #toldReceived = 0;
  #answer: typeof FrameType.ACCEPT | typeof FrameType.RESUMED | typeof FrameType.CREDIT = FrameType.CREDIT;
  #finAt: number | undefined;

  constructor(crossing: Crossing, slot: LegSlot, channel: number, streamClass: StreamClass) {
    this.#crossing = crossing;
    this.slot = slot;
    this.channel = channel;
    this.class = streamClass;
    this.#hop = new Window(crossing.host.limits, crossing.host.pool);
    slot.add(this);
    if (channel !== 0) slot.enter(channel, this);
  }

  get queuedBytes(): number {
    return this.#lane.bytes;
  }

  /** The other side has acknowledged this side's FIN, and this side was told. */
  get complete(): boolean {
    return this.#finAt !== undefined && this.#toldReceived > this.#finAt;
  }

  /** This side's sender begins at `offset`; the other endpoint grants `granted`, of which it may have `told` now. */
  begin(offset: number, granted: number, told: number): void {
    this.#arrived = offset;
    this.#received = offset;
    this.#toldReceived = offset;
    this.#granted = granted;
    this.#told = told;
  }

  /** What goes out on this side begins here. */
  beginOut(offset: number): void {
    this.#drained = offset;
  }

  /** The OPEN or RESUME that opens this side's channel. */
  sendOpen(frame: OpenFrame): void {
    this.#open = frame;
    this.slot.port.ready(this);
    this.slot.port.probe();
  }

  get opened(): boolean {
    return this.channel !== 0;
  }

  /** What a grant of the other endpoint is worth here. */
  clamp(limit: number, drained: number): number {
    const hop = this.#crossing.host.tight ? Math.min(TIGHT_WINDOW_BYTES, this.#hop.bytes) : this.#hop.bytes;
    return Math.max(this.#told, Math.min(limit, drained + hop));
  }

  /** DATA from this side. Throws `flow-violation`, `offset-gap`. */
  arrive(frame: DataFrame, other: Leg): void {
    const end = frame.offset + frame.payload.length;
    if (frame.offset !== this.#arrived) throw tunnelError('offset-gap', { detail: `${frame.offset} after ${this.#arrived}` });
    if (end > this.#told) throw tunnelError('flow-violation', { detail: `${end} over ${this.#told}` });
    this.#arrived = end;
    const byHop = frame.blocked && end < this.#granted;
    if (byHop && other.queuedBytes <= this.#hop.bytes / 4) this.#hop.grow();
    other.#push(byHop ? unblocked(frame) : frame);
  }

  arriveFin(frame: FinFrame, other: Leg): void {
    if (frame.offset !== this.#arrived || this.#finAt !== undefined) throw tunnelError('offset-gap', { detail: 'FIN' });
    this.#finAt = frame.offset;
    other.#fin = frame;
    if (other.opened) other.slot.port.ready(other);
  }

  /** ACCEPT, RESUMED or CREDIT of the other endpoint, on its way to this side. */
  grant(frame: CreditFrame, drained: number): void {
    this.#received = Math.max(this.#received, frame.received);
    this.#granted = Math.max(this.#granted, frame.limit);
    if (frame.type === FrameType.RESUMED) {
      this.#arrived = frame.received;
      this.#granted = frame.limit;
      this.#told = 0;
    }
    if (frame.type !== FrameType.CREDIT) this.#answer = frame.type;
    const urgent = this.#answer !== FrameType.CREDIT || this.clamp(this.#granted, drained) > this.#told;
    this.slot.port.credit(this, urgent);
  }

  next(): OpenFrame | DataFrame | FinFrame | undefined {
    if (this.#open !== undefined) return this.#nextOpen(this.#open);
    if (!this.opened) return undefined;
    const frame = this.#lane.shift(this.channel);
    if (frame !== undefined) {
      this.#drained = frame.offset + frame.payload.length;
      this.#crossing.drained(this, frame.payload.length);
      return frame;
    }
    const fin = this.#fin;
    this.#fin = undefined;
    return fin === undefined ? undefined : { ...fin, channel: this.channel };
  }

  takeCredit(): CreditFrame | undefined {
    if (!this.opened) return undefined;
    const limit = this.clamp(this.#granted, this.#crossing.drainedBehind(this));
    if (this.#answer === FrameType.CREDIT && limit <= this.#told && this.#received <= this.#toldReceived) return undefined;
    const type = this.#answer;
    this.#answer = FrameType.CREDIT;
    this.#told = limit;
    this.#toldReceived = this.#received;
    const frame: CreditFrame = { type, channel: this.channel, received: this.#received, limit };
    this.#crossing.settle();
    return frame;
  }

  /** The other side has sent bytes on: this side's sender may be able to go on. */
  relieve(drained: number): void {
    if (this.#told >= this.#granted) return;
    const more = this.clamp(this.#granted, drained) - this.#told;
    if (more > 0 && (more >= this.#hop.bytes / 4 || drained >= this.#arrived)) this.slot.port.credit(this, true);
  }

  get drainedOffset(): number {
    return this.#drained;
  }

  /** Sends a frame ahead of data, but not of credit that was given before it. */
  send(frame: PromptFrame): void {
    const credit = this.takeCredit();
    if (credit !== undefined) this.slot.port.send(credit);
    this.slot.port.send(frame);
  }

  /** Forgets what waits, and the channel. */
  free(): void {
    this.slot.port.remove(this);
    this.drop();
    this.#hop.close();
    this.#open = undefined;
    this.slot.leave(this);
  }

  /** Forgets what waits to go out. */
  drop(): void {
    this.#crossing.host.queued(this.#crossing, -this.#lane.bytes);
    this.#lane.clear();
    this.#fin = undefined;
  }

  #push(frame: DataFrame): void {
    this.#lane.push(frame);
    this.#crossing.host.queued(this.#crossing, frame.payload.length);
    if (this.opened) this.slot.port.ready(this);
  }

  #nextOpen(open: OpenFrame): OpenFrame {
    this.#open = undefined;
    this.channel = this.slot.port.nextChannel();
    this.slot.enter(this.channel, this);
    return { ...open, channel: this.channel };
  }

  /** A frame from this side. */
  onFrame(frame: StreamFrame): void {
    this.#crossing.onFrame(this, frame);
  }

  /** Ends the crossing; `lost` when this side cannot be told. */
  detach(code: string, lost: boolean): void {
    this.#crossing.detach(lost ? this : undefined, code);
  }
}

/** One stream that passes through a switch: two legs, and nothing of the stream's own state. */
export class Crossing {
  readonly host: CrossingHost;
  readonly open: OpenFrame;
  readonly #opener: Leg;
  #acceptor: Leg | undefined;
  #over = false;
  readonly #held: StreamFrame[] = [];
  #heldBytes = 0;
  /** Bytes that passed in each direction, for metrics. */
  bytesUp = 0;
  bytesDown = 0;

  constructor(host: CrossingHost, slot: LegSlot, open: OpenFrame) {
    this.host = host;
    this.open = open;
    this.#opener = new Leg(this, slot, open.channel, open.class);
    // Before any answer an opener may send the credit that comes with an OPEN.
    const credit = open.type === FrameType.OPEN ? host.limits.openCreditBytes : 0;
    this.#opener.begin(0, credit, credit);
  }

  get over(): boolean {
    return this.#over;
  }

  get queuedBytes(): number {
    return this.#opener.queuedBytes + (this.#acceptor?.queuedBytes ?? 0);
  }

  get acceptorPort(): Port | undefined {
    return this.#acceptor?.slot.port;
  }

  /** Passes the OPEN or RESUME on, with the principal that was authenticated and the credit that this hop can bear. */
  connect(slot: LegSlot, principal: string, streamClass: StreamClass): void {
    if (this.#over) return;
    const acceptor = new Leg(this, slot, 0, streamClass);
    this.#acceptor = acceptor;
    this.#opener.beginOut(this.open.received);
    const limit = acceptor.clamp(this.open.limit, this.open.received);
    acceptor.begin(this.open.received, this.open.limit, limit);
    acceptor.sendOpen({ ...this.open, class: streamClass, limit, target: { ...this.open.target, principal } });
    for (const frame of this.#held.splice(0)) this.onFrame(this.#opener, frame);
  }

  /** Turns the opener down: nothing went any further. */
  refuse(error: CodedError): void {
    if (this.#over) return;
    this.#opener.slot.port.send({
      type: FrameType.REFUSE,
      channel: this.#opener.channel,
      code: error.code,
      message: error.message.slice(0, this.host.limits.maxReasonBytes),
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
      this.#reset(tunnelError('flow-violation'));
    }
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

  drained(leg: Leg, bytes: number): void {
    this.host.queued(this, -bytes);
    if (leg === this.#opener) this.bytesDown += bytes;
    else this.bytesUp += bytes;
    const behind = leg === this.#opener ? this.#acceptor : this.#opener;
    behind?.relieve(leg.drainedOffset);
  }

  /** How far what comes in on this leg has gone out on the other. */
  drainedBehind(leg: Leg): number {
    return (leg === this.#opener ? this.#acceptor : this.#opener)?.drainedOffset ?? 0;
  }

  /** Both FINs are acknowledged: nothing more can pass. */
  settle(): void {
    if (this.#opener.complete && this.#acceptor?.complete === true) this.#free();
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
        // What goes out to the acceptor begins where it stands.
        from.beginOut(frame.received);
        to.grant(frame, frame.received);
        return;
      case FrameType.ACCEPT:
      case FrameType.CREDIT:
        to.grant(frame, from.drainedOffset);
        return;
      case FrameType.REFUSE:
      case FrameType.DETACH:
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

  #passReset(from: Leg, to: Leg, frame: StreamFrame & { type: typeof FrameType.RESET }): void {
    if (to.opened) {
      to.slot.port.send({ ...frame, channel: to.channel });
      if (frame.ack) this.#free();
      else to.drop();
    } else {
      // It has not gone any further: nobody else is to be told.
      from.slot.port.send({ type: FrameType.RESET, channel: from.channel, ack: true, code: frame.code, message: '' });
      this.#free();
    }
  }

  #reset(error: CodedError): void {
    for (const leg of [this.#opener, this.#acceptor]) {
      if (leg?.opened !== true) continue;
      leg.slot.port.send({ type: FrameType.RESET, channel: leg.channel, ack: false, code: error.code, message: error.message });
    }
    this.#free();
  }

  /** The route is being looked up: what the opener sends meanwhile is bounded by the credit of an OPEN. */
  #hold(frame: StreamFrame): void {
    if (frame.type === FrameType.RESET) {
      this.#opener.slot.port.send({ type: FrameType.RESET, channel: this.#opener.channel, ack: true, code: frame.code, message: '' });
      this.#free();
    } else if (frame.type === FrameType.DETACH) {
      this.#free();
    } else {
      this.#heldBytes += frame.type === FrameType.DATA ? frame.payload.length : 1024;
      if (this.#heldBytes > 2 * this.host.limits.openCreditBytes) this.#reset(tunnelError('flow-violation'));
      else this.#held.push(frame);
    }
  }

  #free(): void {
    if (this.#over) return;
    this.#over = true;
    this.#held.length = 0;
    this.#opener.free();
    this.#acceptor?.free();
    this.host.freed(this);
  }
}
