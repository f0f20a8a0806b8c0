import { messageOf, type Clock, type CodedError } from '../base/index.ts';
import {
  FrameType,
  type StreamClass,
  type CreditFrame,
  type DataFrame,
  type FinFrame,
  type OpenFrame,
  type StreamFrame,
} from './frame.ts';
import type { TunnelLimits } from './limits.ts';
import type { Port, Source } from './port.ts';
import { ReceiveHalf } from './receive-half.ts';
import { SendHalf } from './send-half.ts';
import { tunnelError, tunnelErrorFromWire } from './tunnel-error.ts';
import type { WindowPool } from './window.ts';

/** The application side of a stream: is told, and asks the core for what it wants. */
export interface StreamUser {
  /** The other end took the stream. */
  onAccepted(): void;
  /** `read` has something, or the end is reached. */
  onReadable(): void;
  /** The stream is no longer full. */
  onWritable(): void;
  /** The stream is over: undefined when both directions ended and everything was acknowledged. Called once. */
  onClosed(error: CodedError | undefined): void;
}

/** What both sides of a stream need of their endpoint. */
export interface StreamHost {
  readonly clock: Clock;
  readonly limits: TunnelLimits;
  readonly pool: WindowPool;
}

/** Where a stream is now: one channel of one port. */
export interface StreamPath {
  readonly port: Port;
  readonly channel: number;
  /** Ends the channel's entry at this endpoint. */
  forget(): void;
}

/**
 * One end of a stream without I/O: both directions, the channel that it is on, and how it ends. The opener's and the
 * acceptor's side add how a path is found. `life`:
 *
 * - `live`: as usual;
 * - `aborting`: this side gave up; nothing but the peer's acknowledgement of RESET is waited for;
 * - `closed`: over.
 */
export abstract class StreamCore implements Source {
  readonly class: StreamClass;
  protected readonly sending: SendHalf;
  protected readonly receiving: ReceiveHalf;
  protected path: StreamPath | undefined;
  protected life: 'live' | 'aborting' | 'closed' = 'live';
  /** Why this side gave up, or how the stream failed. */
  protected failure: CodedError | undefined;
  #user: StreamUser | undefined;
  readonly #limits: TunnelLimits;
  readonly #clock: Clock;
  /** The last frame was full. */
  #flowing = false;

  constructor(streamClass: StreamClass, { limits, pool, clock }: StreamHost, firstLimit: number) {
    this.class = streamClass;
    this.#limits = limits;
    this.#clock = clock;
    this.sending = new SendHalf(limits, pool, clock, firstLimit);
    this.receiving = new ReceiveHalf(limits, pool, clock);
  }

  // What the application does.

  /** A stream that is over already says so at once. */
  set user(user: StreamUser) {
    this.#user = user;
    if (this.life !== 'live') user.onClosed(this.failure);
  }

  get closed(): boolean {
    return this.life === 'closed';
  }

  /** Has a channel, or is about to have one. */
  get onPath(): boolean {
    return this.path !== undefined;
  }

  get retainedBytes(): number {
    return this.sending.retainedBytes + this.receiving.bufferedBytes;
  }

  /** The writer is to wait for `onWritable`. */
  get full(): boolean {
    return this.life === 'live' && this.sending.full;
  }

  /** The other end's FIN has arrived and everything before it was read. Never where the stream failed. */
  get atEnd(): boolean {
    return this.failure === undefined && this.receiving.drained;
  }

  write(bytes: Buffer): void {
    if (this.life !== 'live') return;
    this.sending.write(bytes);
    this.wake();
  }

  end(): void {
    if (this.life !== 'live') return;
    this.sending.end();
    this.wake();
  }

  read(maxBytes: number): Buffer {
    const bytes = this.receiving.take(maxBytes);
    if (bytes.length > 0) this.tellCredit();
    return bytes;
  }

  /** Gives up: the other end is told the error's code. */
  abort(error: CodedError): void {
    if (this.life !== 'live') return;
    this.failure = error;
    this.life = 'aborting';
    this.sending.close();
    this.receiving.close();
    this.path?.port.remove(this);
    this.onAbort(error);
    this.#user?.onClosed(error);
  }

  /** Ends without telling the other end: there is no way to. */
  forget(error: CodedError): void {
    this.finish(this.failure ?? error);
  }

  // What the port asks for.

  abstract next(maxBytes: number): OpenFrame | DataFrame | FinFrame | undefined;

  takeCredit(): CreditFrame | undefined {
    const { path } = this;
    if (path === undefined || this.life !== 'live') return undefined;
    const type = this.creditType();
    if (type === FrameType.CREDIT && !this.receiving.owesAck && !this.receiving.owesCredit) return undefined;
    const frame: CreditFrame = { type, channel: path.channel, ...this.receiving.grant() };
    // With FIN acknowledged there may be nothing left to do.
    this.settle();
    return frame;
  }

  // What arrives.

  onFrame(frame: StreamFrame): void {
    try {
      this.#step(frame);
    } catch (error) {
      this.abort(tunnelErrorOf(error));
    }
  }

  /** The path is gone: its port closed, or the switch or the peer detached the channel. */
  onPathLost(code: string): void {
    const { path } = this;
    if (path === undefined) return;
    this.path = undefined;
    path.port.remove(this);
    path.forget();
    this.sending.detach();
    this.receiving.detach();
    this.onDetached(code);
  }

  // What the two sides do differently.

  /** ACCEPT where the other end still waits for it. */
  protected abstract creditType(): typeof FrameType.ACCEPT | typeof FrameType.CREDIT;
  protected abstract onDetached(code: string): void;
  protected abstract onAbort(error: CodedError): void;
  /** A frame that only one side gets. */
  protected abstract onAnswer(frame: StreamFrame): void;
  /** Over, with nothing lost, while on this path. */
  protected onFinished(_path: StreamPath): void {}
  protected abstract onClose(error: CodedError | undefined): void;

  /** Tells the port what there is to send. */
  protected wake(): void {
    if (this.path !== undefined && this.sending.ready) this.path.port.ready(this);
  }

  /** Grants what the application has made room for. */
  protected tellCredit(): void {
    if (this.path !== undefined && this.receiving.owesCredit) this.path.port.credit(this, true);
  }

  protected nextContent(maxBytes: number): DataFrame | FinFrame | undefined {
    const { path } = this;
    if (path === undefined || this.life !== 'live') return undefined;
    if (this.#holdsTail()) return undefined;
    const wasFull = this.sending.full;
    const outgoing = this.sending.next(maxBytes);
    if (outgoing === undefined) return undefined;
    this.#flowing = outgoing.kind === 'data' && outgoing.payload.length >= this.#limits.maxDataBytes;
    // Deferred: the port asks for frames, and is not to be asked for anything itself meanwhile.
    if (wasFull && !this.sending.full) this.#clock.defer(() => this.notifyWritable());
    const { channel } = path;
    return outgoing.kind === 'fin'
      ? { type: FrameType.FIN, channel, offset: outgoing.offset }
      : {
          type: FrameType.DATA,
          channel,
          offset: outgoing.offset,
          payload: outgoing.payload,
          blocked: outgoing.blocked,
        };
  }

  /**
   * What is left of a chunk behind full frames waits for one turn: the next chunk is mostly at hand by then, and fills the
   * frame. A short frame in the midst of full ones would also bring records and messages out of step.
   */
  #holdsTail(): boolean {
    if (!this.#flowing || !this.sending.hasTail) return false;
    this.#flowing = false;
    // The first ends this turn, the second the one in which the next chunk is read.
    this.#clock.afterInput(() => this.#clock.afterInput(() => this.wake()));
    return true;
  }

  protected notifyAccepted(): void {
    this.#user?.onAccepted();
  }

  /** Whoever waited to write may go on. */
  protected notifyWritable(): void {
    if (!this.sending.full) this.#user?.onWritable();
  }

  /** Both directions are complete and both sides know: the stream is over. */
  protected settle(): void {
    if (this.life === 'live' && this.sending.done && this.receiving.finished && !this.receiving.owesAck) {
      this.finish(undefined);
    }
  }

  protected finish(error: CodedError | undefined): void {
    if (this.life === 'closed') return;
    const told = this.life === 'aborting';
    this.life = 'closed';
    this.failure ??= error;
    this.sending.close();
    if (error === undefined) this.receiving.complete();
    else this.receiving.close();
    const { path } = this;
    this.path = undefined;
    path?.port.remove(this);
    path?.forget();
    if (error === undefined && path !== undefined) this.onFinished(path);
    this.onClose(error);
    if (!told) this.#user?.onClosed(error);
  }

  protected get limits(): TunnelLimits {
    return this.#limits;
  }

  #step(frame: StreamFrame): void {
    switch (frame.type) {
      case FrameType.DATA:
        if (this.life !== 'live') return;
        this.receiving.data(frame.offset, frame.payload, frame.blocked);
        this.#user?.onReadable();
        this.#acknowledge();
        return;
      case FrameType.FIN:
        if (this.life !== 'live') return;
        this.receiving.fin(frame.offset);
        this.#acknowledge();
        this.#user?.onReadable();
        return;
      case FrameType.CREDIT:
        if (this.life !== 'live') return;
        this.sending.credit(frame.received, frame.limit);
        this.wake();
        this.notifyWritable();
        this.settle();
        return;
      case FrameType.RESET:
        if (frame.ack) {
          if (this.life === 'aborting') this.finish(this.failure);
          return;
        }
        this.path?.port.send({
          type: FrameType.RESET,
          channel: frame.channel,
          ack: true,
          code: frame.code,
          message: '',
        });
        this.finish(this.failure ?? tunnelErrorFromWire(frame.code, frame.message));
        return;
      case FrameType.DETACH:
        this.onPathLost(frame.code);
        return;
      case FrameType.ACCEPT:
      case FrameType.RESUMED:
      case FrameType.REFUSE:
      case FrameType.OPEN:
      case FrameType.RESUME:
        this.onAnswer(frame);
        return;
    }
  }

  #acknowledge(): void {
    if (this.path !== undefined && this.life === 'live' && this.receiving.owesAck) {
      this.path.port.credit(this, this.receiving.owesCredit);
    }
  }
}

function tunnelErrorOf(error: unknown): CodedError {
  if (error instanceof Error && 'retryable' in error && 'status' in error && 'code' in error)
    return error as CodedError;
  return tunnelError('canceled', { detail: messageOf(error), cause: error });
}
