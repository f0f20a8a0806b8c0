import type { CodedError } from '../base/index.ts';
import {
  FrameType,
  type DataFrame,
  type FinFrame,
  type OpenFrame,
  type StreamFrame,
  type StreamTarget,
} from './frame.ts';
import type { PortSlot } from './port-slot.ts';
import { StreamCore, type StreamHost } from './stream-core.ts';
import type { Outcome } from './tombstones.ts';
import { tunnelError } from './tunnel-error.ts';

/** What an acceptor needs of its endpoint. */
export interface AcceptorHost extends StreamHost {
  readonly instance: string;
  /** The stream has no path; from now on it is kept for a while only. */
  detached(core: AcceptorCore): void;
  /** The stream is over; its outcome is remembered. */
  leave(core: AcceptorCore, outcome: Outcome): void;
}

/** The side that takes a stream. It follows the opener: the highest attempt is where the stream is. */
export class AcceptorCore extends StreamCore {
  readonly key: string;
  readonly target: StreamTarget;
  readonly head: Buffer;
  readonly #host: AcceptorHost;
  #attempt: number;
  /** How the stream ended, where that is more than its error says. */
  #outcome: Outcome | undefined;
  /** `no`: the application has not decided; `owed`: it has, and this path has not been told. */
  #accepted: 'no' | 'owed' | 'told' = 'no';

  constructor(host: AcceptorHost, key: string, slot: PortSlot, open: OpenFrame) {
    super(open.class, host, open.limit);
    this.key = key;
    this.target = open.target;
    // Its memory is a message with other frames in it.
    this.head = Buffer.from(open.head);
    this.#host = host;
    this.#attempt = open.attempt;
    this.path = slot.enter(open.channel, this);
  }

  /** Says that the stream is taken; the first write or read says so too. */
  accept(): void {
    if (this.#accepted !== 'no') return;
    this.#accepted = 'owed';
    this.path?.port.credit(this, true);
  }

  /** Turns the stream down: nothing was executed. Only before `accept`. */
  refuse(error: CodedError): void {
    if (this.life !== 'live' || this.#accepted !== 'no') {
      this.abort(error);
      return;
    }
    this.path?.port.send(refusal(this.path.channel, this.#host.instance, error));
    this.#end(
      { kind: 'refused', code: error.code, message: error.message, retryAfterMs: error.retryAfterMs ?? 0 },
      error,
    );
  }

  override write(bytes: Buffer): void {
    this.#decide();
    super.write(bytes);
  }

  override end(): void {
    this.#decide();
    super.end();
  }

  override read(maxBytes: number): Buffer {
    const bytes = super.read(maxBytes);
    if (bytes.length > 0) this.#decide();
    return bytes;
  }

  next(maxBytes: number): DataFrame | FinFrame | undefined {
    return this.#accepted === 'told' ? this.nextContent(maxBytes) : undefined;
  }

  override takeCredit(): ReturnType<StreamCore['takeCredit']> {
    if (this.#accepted === 'no') return undefined;
    const frame = super.takeCredit();
    if (frame !== undefined && this.#accepted === 'owed') {
      this.#accepted = 'told';
      this.wake();
    }
    return frame;
  }

  /** OPEN again, or RESUME: the stream moves to this channel, unless a later attempt has been seen. */
  move(slot: PortSlot, frame: OpenFrame): void {
    if (frame.attempt <= this.#attempt) {
      slot.port.send({ type: FrameType.DETACH, channel: frame.channel, code: 'superseded' });
      return;
    }
    if (!sameTarget(this.target, frame.target) || (frame.type === FrameType.OPEN && !frame.head.equals(this.head))) {
      slot.port.send(refusal(frame.channel, this.#host.instance, tunnelError('head-mismatch')));
      return;
    }
    this.#attempt = frame.attempt;
    this.#leavePath();
    this.path = slot.enter(frame.channel, this);
    if (this.life === 'aborting') {
      if (this.failure !== undefined) this.onAbort(this.failure);
      return;
    }
    try {
      this.sending.rewind(frame.received, frame.limit);
    } catch {
      this.abort(tunnelError('flow-violation'));
      return;
    }
    if (frame.type === FrameType.RESUME) {
      // Who resumes has seen ACCEPT, or has given up and comes to say so: there is nothing left to accept.
      this.#accepted = 'told';
      slot.port.send({ type: FrameType.RESUMED, channel: frame.channel, ...this.receiving.grant() });
    } else if (this.#accepted !== 'no') {
      this.#accepted = 'owed';
      slot.port.credit(this, true);
    }
    this.wake();
    this.notifyWritable();
    this.settle();
  }

  /** No path came back in time. */
  expire(error: CodedError): void {
    this.#end(this.failure === undefined ? { kind: 'gone' } : resetOutcome(this.failure), error);
  }

  protected creditType(): typeof FrameType.ACCEPT | typeof FrameType.CREDIT {
    return this.#accepted === 'told' ? FrameType.CREDIT : FrameType.ACCEPT;
  }

  protected onDetached(): void {
    this.#host.detached(this);
  }

  protected onAbort(error: CodedError): void {
    if (this.path === undefined) return;
    this.path.port.send({
      type: FrameType.RESET,
      channel: this.path.channel,
      ack: false,
      code: error.code,
      message: error.message.slice(0, this.limits.maxReasonBytes),
    });
  }

  protected onAnswer(frame: StreamFrame): void {
    throw tunnelError('frame-unexpected', { detail: `type 0x${frame.type.toString(16)}` });
  }

  protected onClose(error: CodedError | undefined): void {
    const outcome: Outcome =
      this.#outcome ??
      (error === undefined ? { kind: 'finished', received: this.receiving.received } : resetOutcome(error));
    this.#host.leave(this, outcome);
  }

  #end(outcome: Outcome, error: CodedError): void {
    this.#outcome = outcome;
    this.finish(error);
  }

  #decide(): void {
    if (this.#accepted === 'no') this.accept();
  }

  #leavePath(): void {
    const old = this.path;
    if (old === undefined) return;
    this.path = undefined;
    old.port.remove(this);
    old.forget();
    if (!old.port.closed) old.port.send({ type: FrameType.DETACH, channel: old.channel, code: 'superseded' });
  }
}

/** A REFUSE by an endpoint: it names its instance, which makes its word final for that instance. */
export function refusal(
  channel: number,
  instance: string,
  error: CodedError,
): StreamFrame & { type: typeof FrameType.REFUSE } {
  return {
    type: FrameType.REFUSE,
    channel,
    code: error.code,
    message: error.message.slice(0, 512),
    instance,
    retryAfterMs: error.retryAfterMs ?? 0,
  };
}

function resetOutcome({ code, message }: CodedError): Outcome {
  return { kind: 'reset', code, message };
}

function sameTarget(one: StreamTarget, other: StreamTarget): boolean {
  return (
    one.edge === other.edge &&
    one.service === other.service &&
    one.kind === other.kind &&
    one.verb === other.verb &&
    one.path === other.path &&
    one.principal === other.principal
  );
}
