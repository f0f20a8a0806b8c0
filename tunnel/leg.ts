import type { Clock, CodedError } from '../base/index.ts';
import {
  FrameType,
  type CreditFrame,
  type DataFrame,
  type FinFrame,
  type OpenFrame,
  type StreamClass,
  type StreamFrame,
} from './frame.ts';
import { Lane, unblocked } from './lane.ts';
import type { TunnelLimits } from './limits.ts';
import type { Port, PromptFrame, Source } from './port.ts';
import { tunnelError } from './tunnel-error.ts';
import { Window, type WindowPool } from './window.ts';

/** What a leg needs of the crossing that it is one side of. */
export interface LegOwner {
  readonly clock: Clock;
  readonly limits: TunnelLimits;
  readonly pool: WindowPool;
  /** Memory is short: hops grant little. */
  readonly tight: boolean;
  readonly over: boolean;
  /** Bytes entered or left the switch's queues. */
  queued(bytes: number): void;
  /** Bytes of this leg went out. */
  drained(leg: Leg, bytes: number): void;
  /** How far what comes in on this leg has gone out on the other. */
  drainedBehind(leg: Leg): number;
  /** This leg has told its side more. */
  settle(): void;
  onFrame(leg: Leg, frame: StreamFrame): void;
  detach(lost: Leg | undefined, code: string): void;
  reset(error: CodedError): void;
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
  readonly #crossing: LegOwner;
  readonly #lane: Lane;
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

  constructor(crossing: LegOwner, slot: LegSlot, channel: number, streamClass: StreamClass) {
    this.#crossing = crossing;
    this.slot = slot;
    this.channel = channel;
    this.class = streamClass;
    this.#lane = new Lane(crossing.limits.maxDataBytes);
    this.#hop = new Window(crossing.limits, crossing.pool, crossing.clock.now());
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

  /** What a grant of the other endpoint is worth here. What it has received on an earlier path does not come again. */
  clamp(limit: number, drained: number): number {
    const hop = this.#crossing.tight ? Math.min(TIGHT_WINDOW_BYTES, this.#hop.bytes) : this.#hop.bytes;
    return Math.max(this.#told, Math.min(limit, Math.max(drained, this.#received) + hop));
  }

  /** DATA from this side. Throws `flow-violation`, `offset-gap`. */
  arrive(frame: DataFrame, other: Leg): void {
    const end = frame.offset + frame.payload.length;
    this.#checkOffset(frame.offset);
    if (end > this.#told) throw tunnelError('flow-violation', { detail: `${end} over ${this.#told}` });
    this.#arrived = end;
    // The other endpoint has it from an earlier path, and has said so meanwhile.
    if (end <= this.#received) return;
    // A sender stops short of its limit rather than send a short frame, so it is the limit that tells who set it.
    const byHop = frame.blocked && this.#told < this.#granted;
    if (byHop && other.queuedBytes <= this.#hop.bytes / 4) this.#hop.grow(end, this.#crossing.clock.now());
    other.#push(byHop ? unblocked(frame) : frame);
  }

  arriveFin(frame: FinFrame, other: Leg): void {
    this.#checkOffset(frame.offset);
    if (this.#finAt !== undefined) throw tunnelError('offset-gap', { detail: 'a second FIN' });
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
    if (this.#answer === FrameType.CREDIT && limit <= this.#told && this.#received <= this.#toldReceived)
      return undefined;
    const type = this.#answer;
    this.#answer = FrameType.CREDIT;
    this.#told = limit;
    this.#toldReceived = this.#received;
    const frame: CreditFrame = { type, channel: this.channel, received: this.#received, limit };
    this.#crossing.settle();
    return frame;
  }

  /** The other side has sent bytes on: this side's sender may be able to go on. */
  relieve(drained: number, empty: boolean): void {
    if (this.#told >= this.#granted) return;
    const more = this.clamp(this.#granted, drained) - this.#told;
    if (more > 0 && (more >= this.#hop.bytes / 4 || empty)) this.slot.port.credit(this, true);
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
    this.#hop.shrink();
    this.#open = undefined;
    this.slot.leave(this);
  }

  /** Forgets what waits to go out. */
  drop(): void {
    this.#crossing.queued(-this.#lane.bytes);
    this.#lane.clear();
    this.#fin = undefined;
  }

  #push(frame: DataFrame): void {
    this.#lane.push(frame);
    this.#crossing.queued(frame.payload.length);
    // That may have been the byte too many, which ended this crossing.
    if (this.opened && !this.#crossing.over) this.slot.port.ready(this);
  }

  /** Bytes follow each other, except that a sender skips what the other end told it to have from an earlier path. */
  #checkOffset(offset: number): void {
    if (offset === this.#arrived || (offset > this.#arrived && offset <= this.#toldReceived)) return;
    throw tunnelError('offset-gap', { detail: `${offset} after ${this.#arrived}` });
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

  /** Ends the stream for good. */
  reset(error: CodedError): void {
    this.#crossing.reset(error);
  }

  /** Ends the crossing; `lost` when this side cannot be told. */
  detach(code: string, lost: boolean): void {
    this.#crossing.detach(lost ? this : undefined, code);
  }
}
