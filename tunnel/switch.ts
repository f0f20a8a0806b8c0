import type { Clock, CodedError } from '../base/index.ts';
import { Crossing, type CrossingHost } from './crossing.ts';
import { FrameType, type OpenFrame, type StreamClass, type StreamFrame, type StreamTarget } from './frame.ts';
import type { Leg, LegSlot } from './leg.ts';
import { defaultLimits, type TunnelLimits } from './limits.ts';
import type { Port, PortUser } from './port.ts';
import { tunnelError } from './tunnel-error.ts';
import { WindowPool } from './window.ts';

/** Where an OPEN or RESUME goes, decided by whoever knows the edges and the policy. */
export type Route =
  | {
      readonly port: Port;
      readonly principal: string;
      /** The class that this caller may have at most. */ readonly class?: StreamClass;
    }
  | { readonly refuse: CodedError };

export interface SwitchOptions {
  readonly clock: Clock;
  readonly limits?: TunnelLimits;
  readonly pool?: WindowPool;
  /** Called for every OPEN and RESUME; `gone` is true once nobody waits for the answer. */
  readonly route: (open: OpenFrame, from: Port, wanted: { readonly gone: boolean }) => Route | Promise<Route>;
  /** Told when a stream passes no more: it has ended, or goes on by another way. Not of what was refused. */
  readonly onPassed?: (passage: Passage) => void;
}

/** What passed through a switch of one stream. */
export interface Passage {
  /** With the principal that was authenticated. */
  readonly target: StreamTarget;
  /** Where it was opened. */
  readonly from: Port;
  /** What the other end said. Without an answer the stream is opened anew by another way, if there is one. */
  readonly answer: 'taken' | 'refused' | 'none';
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly durationMs: number;
}

/**
 * Moves frames between ports. It decides by the head of OPEN and RESUME, counts, and reads no payload; it holds no
 * stream's state, so that losing it loses nothing that the endpoints cannot repeat.
 */
export class Switch implements CrossingHost {
  readonly clock: Clock;
  readonly limits: TunnelLimits;
  readonly pool: WindowPool;
  readonly #route: SwitchOptions['route'];
  readonly #onPassed: SwitchOptions['onPassed'];
  readonly #slots = new Map<Port, Slot>();
  readonly #crossings = new Set<Crossing>();
  #queuedBytes = 0;
  #held = 0;
  /** Bytes that passed since the start, towards acceptors and towards openers. */
  bytesUp = 0;
  bytesDown = 0;
  /** Streams detached because memory was short. */
  shed = 0;

  constructor(options: SwitchOptions) {
    this.clock = options.clock;
    this.limits = options.limits ?? defaultLimits;
    this.pool = options.pool ?? new WindowPool(this.limits);
    this.#route = options.route;
    this.#onPassed = options.onPassed;
  }

  /** Channels that pass through now. */
  get crossings(): number {
    return this.#crossings.size;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get tight(): boolean {
    return this.#queuedBytes > this.limits.switchQueueBytes / 2;
  }

  attach(port: Port): PortUser {
    const slot = new Slot(port);
    this.#slots.set(port, slot);
    return {
      onFrame: (frame) => this.#onFrame(slot, frame),
      onClose: () => {
        this.#slots.delete(port);
        slot.lose();
      },
    };
  }

  /** Streams on a port, of either side. */
  streamsOn(port: Port): number {
    return this.#slots.get(port)?.size ?? 0;
  }

  /** Takes every stream off a port; their openers look for another path at once. */
  clear(port: Port, code: 'moved'): void {
    this.#slots.get(port)?.clear(code);
  }

  /** Ends every stream on a port for good: the endpoints of each are told why, and none looks for another path. */
  cut(port: Port, reason: CodedError): void {
    this.#slots.get(port)?.cut(reason);
  }

  /**
   * Ends for good every stream that passes through and for which there is a reason. The target has the principal that was
   * authenticated. A stream whose route is looked up still is left to whoever routes it.
   */
  revoke(reasonOf: (target: StreamTarget) => CodedError | undefined): void {
    for (const crossing of [...this.#crossings]) {
      const reason = crossing.passing === undefined ? undefined : reasonOf(crossing.passing);
      if (reason !== undefined) crossing.reset(reason);
    }
  }

  queued(_crossing: Crossing, bytes: number): void {
    this.#queuedBytes += bytes;
    if (bytes > 0 && this.#queuedBytes > this.limits.switchQueueBytes) this.#shed();
  }

  freed(crossing: Crossing): void {
    this.#crossings.delete(crossing);
    const { bytesUp, bytesDown, passing } = crossing;
    this.bytesUp += bytesUp;
    this.bytesDown += bytesDown;
    if (this.#onPassed === undefined || passing === undefined) return;
    const { openerPort: from, answer, durationMs } = crossing;
    this.#onPassed({ target: passing, from, answer, bytesUp, bytesDown, durationMs });
  }

  #onFrame(slot: Slot, frame: StreamFrame): void {
    if (frame.type === FrameType.OPEN || frame.type === FrameType.RESUME) {
      this.#onOpen(slot, frame);
      return;
    }
    // A channel that is not known is closed here: what comes late for it means nothing. Who gives a stream up is told that
    // there is nothing left to give up.
    const leg = slot.find(frame.channel);
    if (leg !== undefined) leg.onFrame(frame);
    else if (frame.type === FrameType.RESET && !frame.ack) slot.port.send({ ...frame, ack: true, message: '' });
  }

  #onOpen(slot: Slot, open: OpenFrame): void {
    const crossing = new Crossing(this, slot, open);
    this.#crossings.add(crossing);
    if (slot.size > this.limits.maxLinkStreams) {
      crossing.refuse(tunnelError('overloaded', { detail: `${slot.size} streams on one link`, retryAfterMs: 1000 }));
      return;
    }
    const wanted = {
      get gone(): boolean {
        return crossing.over;
      },
    };
    const route = this.#route(open, slot.port, wanted);
    if (!(route instanceof Promise)) {
      this.#onRouted(crossing, route);
      return;
    }
    if (this.#held >= this.limits.maxHeldOpens) {
      crossing.refuse(tunnelError('overloaded', { detail: 'too many wait for their edges', retryAfterMs: 1000 }));
      return;
    }
    this.#held++;
    route.then(
      (found) => {
        this.#held--;
        this.#onRouted(crossing, found);
      },
      (cause: unknown) => {
        this.#held--;
        crossing.refuse(tunnelError('not-here', { cause }));
      },
    );
  }

  #onRouted(crossing: Crossing, route: Route): void {
    if ('refuse' in route) {
      crossing.refuse(route.refuse);
      return;
    }
    const slot = this.#slots.get(route.port);
    if (slot === undefined || route.port.closed) {
      crossing.refuse(tunnelError('not-here', { retryAfterMs: 100 }));
      return;
    }
    const asked = crossing.open.class;
    crossing.connect(slot, route.principal, route.class !== undefined && route.class > asked ? route.class : asked);
  }

  /** Memory is short: the fattest go first, until a tenth is free. */
  #shed(): void {
    const fattest = [...this.#crossings].sort((one, other) => other.queuedBytes - one.queuedBytes);
    for (const crossing of fattest) {
      if (this.#queuedBytes <= this.limits.switchQueueBytes * 0.9) return;
      this.shed++;
      crossing.detach(undefined, 'over-budget');
    }
  }
}

class Slot implements LegSlot {
  readonly port: Port;
  readonly #legs = new Set<Leg>();
  readonly #channels = new Map<number, Leg>();

  constructor(port: Port) {
    this.port = port;
  }

  get size(): number {
    return this.#legs.size;
  }

  find(channel: number): Leg | undefined {
    return this.#channels.get(channel);
  }

  add(leg: Leg): void {
    this.#legs.add(leg);
  }

  enter(channel: number, leg: Leg): void {
    this.#channels.set(channel, leg);
  }

  leave(leg: Leg): void {
    this.#legs.delete(leg);
    this.#channels.delete(leg.channel);
  }

  /** The port is gone: the other sides are told. */
  lose(): void {
    for (const leg of [...this.#legs]) leg.detach('link-lost', true);
  }

  cut(reason: CodedError): void {
    for (const leg of [...this.#legs]) leg.reset(reason);
  }

  /** The port lives: both sides are told. */
  clear(code: string): void {
    for (const leg of [...this.#legs]) leg.detach(code, false);
  }
}
