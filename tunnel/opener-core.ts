import type { CodedError } from '../base/index.ts';
import {
  FrameType,
  type DataFrame,
  type FinFrame,
  type OpenFrame,
  type RefuseFrame,
  type StreamClass,
  type StreamFrame,
  type StreamTarget,
} from './frame.ts';
import { openerPath, stepOpener, type OpenerEvent, type OpenerPath } from './opener-path.ts';
import type { PortSlot } from './port-slot.ts';
import { StreamCore, type StreamHost, type StreamPath } from './stream-core.ts';
import { tunnelError, tunnelErrorFromWire } from './tunnel-error.ts';

/** What an opener needs of its endpoint. */
export interface OpenerHost extends StreamHost {
  /** Looks for a path, now or as soon as there is one. */
  seek(core: OpenerCore): void;
  /** The stream needs no path any more. */
  leave(core: OpenerCore): void;
  instanceOf(edge: string): string;
  learnInstance(edge: string, instance: string): void;
}

const NO_HEAD = Buffer.alloc(0);

/** The side that opens a stream, and finds it a new path when it loses one. */
export class OpenerCore extends StreamCore {
  readonly id: string;
  readonly target: StreamTarget;
  readonly #head: Buffer;
  readonly #host: OpenerHost;
  #route: OpenerPath;
  #slot: PortSlot | undefined;
  /** The instance that the present OPEN or RESUME names. */
  #instance = '';
  /** The present path was asked for by RESUME. */
  #resumes = false;

  constructor(host: OpenerHost, id: string, target: StreamTarget, streamClass: StreamClass, head: Buffer) {
    super(streamClass, host, host.limits.openCreditBytes);
    this.id = id;
    this.target = target;
    this.#head = head;
    this.#host = host;
    this.#route = openerPath(host.clock.now());
  }

  /** Waits for a path, and may try one at this time; undefined when it is on one. */
  get retryAt(): number | undefined {
    return this.#route.phase === 'waiting' && this.path === undefined ? this.#route.retryAt : undefined;
  }

  /** Whether the other end took the stream. */
  get accepted(): boolean {
    return this.#route.accepted;
  }

  /** Takes this port for the next attempt; OPEN or RESUME goes out when the port asks. */
  offer(slot: PortSlot): void {
    this.#slot = slot;
    slot.expect(this);
    this.path = { port: slot.port, channel: 0, forget: () => slot.unexpect(this) };
    slot.port.ready(this);
  }

  next(maxBytes: number): OpenFrame | DataFrame | FinFrame | undefined {
    if (this.#route.phase === 'waiting') return this.#firstFrame();
    if (this.#route.phase === 'offered' && this.#route.accepted) return undefined;
    return this.nextContent(maxBytes);
  }

  /** Time has passed: gives up when the deadline has. */
  tick(): void {
    this.#advance({ kind: 'tick' });
  }

  protected creditType(): typeof FrameType.CREDIT {
    return FrameType.CREDIT;
  }

  override takeCredit(): ReturnType<StreamCore['takeCredit']> {
    return this.#route.phase === 'attached' ? super.takeCredit() : undefined;
  }

  protected onDetached(code: string): void {
    this.#advance({ kind: 'lost', code });
  }

  protected onAbort(error: CodedError): void {
    const route = this.#route;
    if (this.path !== undefined && route.phase !== 'waiting') {
      this.path.port.send({
        type: FrameType.RESET,
        channel: this.path.channel,
        ack: false,
        code: error.code,
        message: error.message.slice(0, this.limits.maxReasonBytes),
      });
    } else if (!route.accepted && !route.doubt) {
      // The other end has never heard of it.
      this.finish(error);
    } else {
      // The path that it waits for is to carry RESUME and RESET now.
      this.path?.port.ready(this);
    }
  }

  protected onAnswer(frame: StreamFrame): void {
    // Its application may turn down a stream that was given up, resumed for that, and never accepted.
    if (this.#route.phase !== 'offered' && frame.type !== FrameType.REFUSE) return;
    switch (frame.type) {
      case FrameType.ACCEPT:
      case FrameType.RESUMED: {
        if ((frame.type === FrameType.RESUMED) !== this.#resumes) throw tunnelError('frame-unexpected');
        const first = !this.#route.accepted;
        this.#host.learnInstance(this.target.edge, this.#instance);
        this.#advance({ kind: 'answered' });
        if (this.life === 'aborting') {
          if (this.failure !== undefined) this.onAbort(this.failure);
          return;
        }
        if (frame.type === FrameType.RESUMED) this.sending.rewind(frame.received, frame.limit);
        else this.sending.credit(frame.received, frame.limit);
        if (first) this.notifyAccepted();
        // What the application read since RESUME could not be told.
        this.tellCredit();
        this.wake();
        this.notifyWritable();
        this.settle();
        return;
      }
      case FrameType.REFUSE:
        this.#onRefuse(frame);
        return;
      case FrameType.OPEN:
      case FrameType.RESUME:
      case FrameType.DATA:
      case FrameType.FIN:
      case FrameType.CREDIT:
      case FrameType.RESET:
      case FrameType.DETACH:
        throw tunnelError('frame-unexpected');
    }
  }

  protected onClose(): void {
    this.#host.leave(this);
  }

  /** A switch on a later path has not seen every FIN, and cannot know that the channel is done with. */
  protected override onFinished(path: StreamPath): void {
    if (this.#route.attempt > 1) path.port.send({ type: FrameType.DETACH, channel: path.channel, code: 'finished' });
  }

  #firstFrame(): OpenFrame | undefined {
    const slot = this.#slot;
    if (slot === undefined || this.path === undefined) return undefined;
    // RESUME never executes anything: it is what an aborting opener sends, even if it never saw ACCEPT.
    const resumes = this.#route.accepted || this.life === 'aborting';
    this.#resumes = resumes;
    // In doubt it goes to whom it may have reached, and to no other.
    if (!resumes && !this.#route.doubt) this.#instance = this.#host.instanceOf(this.target.edge);
    const channel = slot.port.nextChannel();
    slot.unexpect(this);
    this.path = slot.enter(channel, this);
    this.#advance({ kind: 'offered', namesInstance: this.#instance !== '' });
    if (!resumes) this.sending.rewind(0, this.limits.openCreditBytes);
    return {
      type: resumes ? FrameType.RESUME : FrameType.OPEN,
      channel,
      id: this.id,
      instance: this.#instance,
      attempt: this.#route.attempt,
      class: this.class,
      ...this.receiving.grant(),
      target: this.target,
      head: resumes ? NO_HEAD : this.#head,
    };
  }

  #onRefuse(frame: RefuseFrame): void {
    const byEndpoint = frame.instance !== '';
    if (byEndpoint) this.#host.learnInstance(this.target.edge, frame.instance);
    const { path } = this;
    this.path = undefined;
    path?.port.remove(this);
    path?.forget();
    const { code, message, retryAfterMs } = frame;
    if ((this.life === 'aborting' && byEndpoint) || this.#route.phase === 'attached') {
      this.finish(this.failure ?? tunnelErrorFromWire(code, message));
      return;
    }
    this.#advance({ kind: 'refused', code, message, byEndpoint, retryAfterMs });
  }

  #advance(event: OpenerEvent): void {
    this.#route = stepOpener(this.#route, event, this.#host.clock.now(), this.limits);
    if (this.#route.phase === 'failed') {
      this.finish(this.#route.error);
    } else if (this.retryAt !== undefined) {
      this.#host.seek(this);
    }
  }
}
