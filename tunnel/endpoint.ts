import { randomBytes } from 'node:crypto';
import { BoundedMap, type Clock, type CodedError, type Timer } from '../base/index.ts';
import { AcceptorCore, refusal, type AcceptorHost } from './acceptor-core.ts';
import { MAX_INSTANCE_LENGTH, openFits } from './codec.ts';
import { FrameType, StreamClass, type OpenFrame, type StreamFrame, type StreamTarget } from './frame.ts';
import { defaultLimits, type TunnelLimits } from './limits.ts';
import { OpenerCore, type OpenerHost } from './opener-core.ts';
import { PortSlot } from './port-slot.ts';
import type { Port, PortUser } from './port.ts';
import { randomId } from './random-id.ts';
import { Tombstones } from './tombstones.ts';
import { tunnelError } from './tunnel-error.ts';
import { WindowPool } from './window.ts';

export interface EndpointOptions {
  readonly clock: Clock;
  readonly limits?: TunnelLimits;
  readonly pool?: WindowPool;
  /** Random, one a process: names this endpoint's memory of its streams. Default 64 random bits. */
  readonly instance?: string;
  /** Makes stream ids, 32 hex digits. Default 128 random bits. */
  readonly newId?: () => string;
  /** Takes a stream that the other side opens; it decides by `accept` or `refuse`. Without it all are refused. */
  readonly onStream?: (core: AcceptorCore) => void;
}

export interface OpenOptions {
  readonly head?: Buffer;
  readonly class?: StreamClass;
}

const NO_HEAD = Buffer.alloc(0);
const LONGEST_INSTANCE = ' '.repeat(MAX_INSTANCE_LENGTH);
const SWEEP_MS = 100;
const SLOW_SWEEP_MS = 1000;
const MAX_INSTANCES = 16_384;

/**
 * Opens and accepts streams, and keeps them alive over the loss of any port: the only place that holds stream state.
 * Give it ports as links come; it uses the most recently preferred one for what it opens.
 */
export class Endpoint implements OpenerHost, AcceptorHost {
  readonly clock: Clock;
  readonly limits: TunnelLimits;
  readonly pool: WindowPool;
  readonly instance: string;
  readonly #newId: () => string;
  readonly #onStream: ((core: AcceptorCore) => void) | undefined;
  readonly #slots: PortSlot[] = [];
  readonly #accepted = new Map<string, AcceptorCore>();
  readonly #openers = new Set<OpenerCore>();
  readonly #seeking = new Set<OpenerCore>();
  /** Acceptors without a path, longest first. */
  readonly #detached = new Map<AcceptorCore, number>();
  readonly #tombstones: Tombstones;
  readonly #instances = new BoundedMap<string, string>(MAX_INSTANCES);
  #sweep: { readonly timer: Timer; readonly at: number } | undefined;
  #draining = false;
  #closed: CodedError | undefined;

  constructor(options: EndpointOptions) {
    this.clock = options.clock;
    this.limits = options.limits ?? defaultLimits;
    this.pool = options.pool ?? new WindowPool(this.limits);
    this.instance = options.instance ?? randomBytes(8).toString('hex');
    this.#newId = options.newId ?? randomId;
    this.#onStream = options.onStream;
    this.#tombstones = new Tombstones(this.limits);
  }

  /** Streams that this endpoint holds, of either side. */
  get streams(): number {
    return this.#openers.size + this.#accepted.size;
  }

  /** Streams without a path at the moment. */
  get detachedStreams(): number {
    return this.#seeking.size + this.#detached.size;
  }

  get tombstones(): number {
    return this.#tombstones.size;
  }

  /** Bytes kept for replay and for readers. */
  get retainedBytes(): number {
    let bytes = 0;
    for (const core of this.#openers) bytes += core.retainedBytes;
    for (const core of this.#accepted.values()) bytes += core.retainedBytes;
    return bytes;
  }

  /** Adds a port; the last one that is preferred carries what is opened and resumed from now on. */
  attach(port: Port, preferred = true): PortUser {
    const slot = new PortSlot(port);
    if (preferred) this.#slots.unshift(slot);
    else this.#slots.push(slot);
    for (const core of [...this.#seeking]) this.seek(core);
    return {
      onFrame: (frame) => this.#onFrame(slot, frame),
      onClose: () => this.#onPortClose(slot),
    };
  }

  /** From now on this port carries what is opened and resumed. Streams that are elsewhere stay until they lose their path. */
  prefer(port: Port): void {
    const index = this.#slots.findIndex((slot) => slot.port === port);
    const [slot] = index < 0 ? [] : this.#slots.splice(index, 1);
    if (slot !== undefined) this.#slots.unshift(slot);
  }

  open(target: StreamTarget, options: OpenOptions = {}): OpenerCore {
    const { head = NO_HEAD, class: streamClass = StreamClass.INTERACTIVE } = options;
    const core = new OpenerCore(this, this.#newId(), target, streamClass, head);
    this.#openers.add(core);
    if (this.#closed !== undefined) core.abort(this.#closed);
    else if (!openFits(target, LONGEST_INSTANCE, head, this.limits)) core.abort(tunnelError('head-too-long'));
    else this.seek(core);
    return core;
  }

  /** Refuses new streams; those that are open go on. */
  drain(): void {
    this.#draining = true;
  }

  /** Ends every stream with this reason, and refuses new ones. The ports are their owner's to close. */
  close(reason: CodedError): void {
    this.#closed ??= reason;
    for (const core of [...this.#openers, ...this.#accepted.values()]) core.abort(reason);
    if (this.#slots.length === 0) this.#forgetAll(reason);
  }

  // What the cores ask for.

  seek(core: OpenerCore): void {
    const { retryAt } = core;
    if (retryAt === undefined) return;
    const slot = retryAt <= this.clock.now() ? this.#slots.find((candidate) => !candidate.port.closed) : undefined;
    if (slot === undefined) {
      this.#seeking.add(core);
      this.#scheduleSweep();
    } else {
      this.#seeking.delete(core);
      core.offer(slot);
    }
  }

  leave(core: OpenerCore | AcceptorCore, outcome?: Parameters<AcceptorHost['leave']>[1]): void {
    if (core instanceof OpenerCore) {
      this.#openers.delete(core);
      this.#seeking.delete(core);
    } else {
      this.#accepted.delete(core.key);
      this.#detached.delete(core);
      if (outcome !== undefined) this.#bury(core.key, outcome);
    }
  }

  detached(core: AcceptorCore): void {
    this.#detached.set(core, this.clock.now());
    this.#scheduleSweep();
  }

  instanceOf(edge: string): string {
    return this.#instances.get(edge) ?? '';
  }

  learnInstance(edge: string, instance: string): void {
    if (instance !== '') this.#instances.set(edge, instance);
  }

  // What the ports bring.

  #onFrame(slot: PortSlot, frame: StreamFrame): void {
    if (frame.type === FrameType.OPEN || frame.type === FrameType.RESUME) {
      this.#onOpen(slot, frame);
      return;
    }
    // A channel that is not known has been closed here: what comes late for it means nothing. Who gives a stream up is told
    // that there is nothing left to give up.
    const core = slot.find(frame.channel);
    if (core !== undefined) core.onFrame(frame);
    else if (frame.type === FrameType.RESET && !frame.ack) slot.port.send({ ...frame, ack: true, message: '' });
  }

  #onPortClose(slot: PortSlot): void {
    const index = this.#slots.indexOf(slot);
    if (index >= 0) this.#slots.splice(index, 1);
    slot.lose('link-lost');
    // With the last port gone nobody is left to hear of an abort.
    if (this.#closed !== undefined && this.#slots.length === 0) this.#forgetAll(this.#closed);
  }

  #onOpen(slot: PortSlot, frame: OpenFrame): void {
    const refuse = (error: CodedError): void => slot.port.send(refusal(frame.channel, this.instance, error));
    if (frame.instance !== this.instance) {
      refuse(tunnelError('other-instance'));
      return;
    }
    const key = `${frame.target.principal}\n${frame.id}`;
    const core = this.#accepted.get(key);
    if (core !== undefined) {
      core.move(slot, frame);
      // Moved, or superseded: only the first has a path that is not the old one.
      if (core.onPath) this.#detached.delete(core);
      return;
    }
    const outcome = this.#tombstones.find(key);
    if (outcome !== undefined || frame.type === FrameType.RESUME) {
      this.#answerEnded(slot, frame, key, outcome);
    } else if (this.#closed !== undefined || this.#draining) {
      refuse(tunnelError('draining', { retryAfterMs: 1000 }));
    } else if (slot.size >= this.limits.maxLinkStreams || this.#tombstones.full) {
      refuse(tunnelError('overloaded', { detail: `${slot.size} streams on one link`, retryAfterMs: 1000 }));
    } else if (this.#onStream === undefined) {
      refuse(tunnelError('kind-unknown', { detail: frame.target.kind }));
    } else {
      const accepted = new AcceptorCore(this, key, slot, frame);
      this.#accepted.set(key, accepted);
      this.#onStream(accepted);
    }
  }

  /** An OPEN or RESUME of a stream that is over, or was never heard of: docs/protocol.md, section 7. */
  #answerEnded(
    slot: PortSlot,
    { type, channel }: OpenFrame,
    key: string,
    outcome: ReturnType<Tombstones['find']>,
  ): void {
    switch (outcome?.kind) {
      case 'finished':
        if (type === FrameType.RESUME) {
          slot.port.send({ type: FrameType.RESUMED, channel, received: outcome.received, limit: outcome.received });
          return;
        }
        break;
      case 'reset':
        slot.port.send({
          type: FrameType.RESET,
          channel,
          ack: false,
          code: outcome.code,
          message: outcome.message.slice(0, 512),
        });
        return;
      case 'refused':
        slot.port.send({ type: FrameType.REFUSE, channel, instance: this.instance, ...outcome });
        return;
      case 'gone':
        break;
      case undefined:
        this.#bury(key, { kind: 'gone' });
        break;
    }
    slot.port.send(refusal(channel, this.instance, tunnelError('gone')));
  }

  #forgetAll(reason: CodedError): void {
    for (const core of [...this.#openers, ...this.#accepted.values()]) core.forget(reason);
    this.#sweep?.timer.cancel();
    this.#sweep = undefined;
  }

  #bury(key: string, outcome: Parameters<Tombstones['remember']>[1]): void {
    this.#tombstones.remember(key, outcome, this.clock.now());
    if (this.#closed === undefined) this.#scheduleSweep();
  }

  #scheduleSweep(): void {
    const soon = this.#seeking.size > 0 || this.#detached.size > 0;
    const delayMs = soon ? SWEEP_MS : SLOW_SWEEP_MS;
    const at = this.clock.now() + delayMs;
    if (this.#sweep !== undefined && this.#sweep.at <= at) return;
    this.#sweep?.timer.cancel();
    const timer = this.clock.after(delayMs, () => {
      this.#sweep = undefined;
      this.#onSweep();
    });
    this.#sweep = { timer, at };
  }

  #onSweep(): void {
    const now = this.clock.now();
    for (const core of [...this.#seeking]) {
      core.tick();
      if (!core.closed) this.seek(core);
    }
    let retained = 0;
    for (const core of this.#detached.keys()) retained += core.retainedBytes;
    for (const [core, since] of this.#detached) {
      if (now - since < this.limits.keepDetachedMs && retained <= this.limits.detachedBytes) break;
      retained -= core.retainedBytes;
      core.expire(tunnelError('stream-lost'));
    }
    this.#tombstones.sweep(now);
    if (this.#seeking.size > 0 || this.#detached.size > 0 || this.#tombstones.size > 0) this.#scheduleSweep();
  }
}
