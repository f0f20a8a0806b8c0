import { CodedError, messageOf, type Clock, type Timer } from '../base/index.ts';
import { encodeFrame, FrameDecoder, rechannel, writeDataHeader, writePad } from './codec.ts';
import {
  DATA_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  FrameType,
  type BodyFrame,
  type Channel,
  type DataFrame,
  type Frame,
  type StreamFrame,
} from './frame.ts';
import { InflightBudget } from './inflight.ts';
import { defaultLimits, type TunnelLimits } from './limits.ts';
import { Liveness } from './liveness.ts';
import { OpenRate } from './open-rate.ts';
import type { Port, PortUser, PromptFrame, Source } from './port.ts';
import { Scheduler } from './scheduler.ts';
import type { Ticker } from './ticker.ts';
import { tunnelError, tunnelErrorFromWire } from './tunnel-error.ts';
import type { Wire } from './wire.ts';

export type LinkBody = BodyFrame['body'];

/** Who owns a link: is told what is not a stream's. */
export interface LinkUser {
  /** Acceptor only: the dialer says who it is. Answer with `welcome` or `close`. */
  onHello(body: LinkBody): void;
  /** The handshake is over: set `streams` now. `body` is the WELCOME, or on the acceptor's side the HELLO. */
  onOpen(body: LinkBody): void;
  onUpdate(body: LinkBody): void;
  /** The peer asks to leave: reason, window, replicas to prefer. */
  onGoaway(body: LinkBody): void;
  /** Called once; streams have been told. */
  onClose(reason: CodedError): void;
}

export interface LinkOptions {
  readonly id: string;
  readonly wire: Wire;
  readonly role: 'dialer' | 'acceptor';
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly user: LinkUser;
  /** What a dialer says first. */
  readonly hello?: LinkBody;
  readonly limits?: TunnelLimits;
}

/** A TLS record holds so much: docs/protocol.md, section 2. */
const RECORD_BYTES = 16 * 1024;
const ACK_BYTES = 16 * 1024;
const LAST_CHANNEL = 0xffff_fff0;
/** Interactive frames may use this much more than the budget. */
const INTERACTIVE_ALLOWANCE = 0.25;

/**
 * One link: turns messages of a wire into frames and back, shares it fairly between its streams, keeps what is in flight
 * within its budget, and finds out when the peer is gone. It knows nothing of what a stream means.
 */
export class Link implements Port {
  readonly id: string;
  /** Who takes the frames of streams; set by the owner in `onOpen`. */
  streams: PortUser | undefined;
  readonly #wire: Wire;
  readonly #role: LinkOptions['role'];
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #user: LinkUser;
  readonly #limits: TunnelLimits;
  readonly #decoder: FrameDecoder;
  readonly #scheduler: Scheduler;
  readonly #inflight: InflightBudget;
  readonly #liveness: Liveness;
  readonly #openRate: OpenRate;
  readonly #openedAt: number;
  #phase: 'handshake' | 'open' | 'closed' = 'handshake';
  /** The dialer's, once it has come. */
  #hello: LinkBody | undefined;
  #peerChannel: number;
  #ownChannel: number;
  /** Sent before all else, in order. */
  #control: Frame[] = [];
  readonly #credits = new Set<Source>();
  /** The nonce of the last PING that is not answered: a flood of them makes one PONG. */
  #pong: number | undefined;
  #receivedBytes = 0;
  #ackedBytes = 0;
  #ackElicited = false;
  #flushing = false;
  /** Something went out in this turn already: what comes now waits for the turn's end, and goes out together. */
  #flushed = false;
  readonly #onFlush = (): void => {
    this.#flushing = false;
    if (this.closed) return;
    if (!this.#flushed) {
      this.#flushed = true;
      this.#clock.afterInput(this.#onTurnEnd);
    }
    this.#flush();
  };
  readonly #onTurnEnd = (): void => {
    this.#flushed = false;
  };
  #lazy: Timer | undefined;
  #parts: Buffer[] = [];
  #partBytes = 0;
  readonly #messageBytes: number;
  #sentBytes = 0;
  #heardAt: number;

  constructor(options: LinkOptions) {
    this.id = options.id;
    this.#wire = options.wire;
    this.#messageBytes = RECORD_BYTES - options.wire.headerBytes;
    this.#role = options.role;
    this.#clock = options.clock;
    this.#ticker = options.ticker;
    this.#user = options.user;
    this.#limits = options.limits ?? defaultLimits;
    const now = this.#clock.now();
    this.#openedAt = now;
    this.#heardAt = now;
    this.#decoder = new FrameDecoder(this.#limits, this.#wire.peerHeaderBytes);
    this.#scheduler = new Scheduler(this.#clock);
    this.#inflight = new InflightBudget(this.#limits);
    this.#liveness = new Liveness(this.#limits, now);
    this.#openRate = new OpenRate(this.#limits, now);
    this.#ownChannel = this.#role === 'dialer' ? -1 : 0;
    this.#peerChannel = this.#role === 'dialer' ? 0 : -1;
    this.#wire.user = {
      onMessage: (message) => this.#onMessage(message),
      onDrain: () => {
        if (!this.#scheduler.idle) this.#schedule();
      },
      onText: () => this.close(tunnelError('text-message')),
      onClose: (reason) => this.#end(tunnelError('link-closed', { detail: reason })),
    };
    this.#ticker.add(this);
    if (this.#role === 'dialer') this.#tell(FrameType.HELLO, options.hello ?? {});
  }

  get closed(): boolean {
    return this.#phase === 'closed';
  }

  get open(): boolean {
    return this.#phase === 'open';
  }

  get remote(): string {
    return this.#wire.remote;
  }

  /** What an operator wants to know: bytes both ways, round trip, rate, what waits. */
  get stats(): LinkStats {
    return {
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
      rttMs: this.#liveness.rttMs ?? this.#inflight.minRttMs,
      bytesPerSecond: this.#inflight.bytesPerSecond,
      inflightBytes: this.#inflight.inflightBytes,
      inflightBudgetBytes: this.#inflight.budgetBytes,
      silentMs: this.#clock.now() - this.#heardAt,
    };
  }

  /** Acceptor: takes the dialer's HELLO. */
  welcome(body: LinkBody): void {
    if (this.#phase !== 'handshake' || this.#role !== 'acceptor') return;
    this.#phase = 'open';
    this.#tell(FrameType.WELCOME, body);
    this.#user.onOpen(this.#hello ?? {});
  }

  update(body: LinkBody): void {
    this.#tell(FrameType.UPDATE, body);
  }

  /** Asks the peer to leave; the link goes on until one of the two closes it. */
  goaway(body: LinkBody): void {
    this.#tell(FrameType.GOAWAY, body);
  }

  close(reason: CodedError): void {
    if (this.#phase === 'closed') return;
    this.#tell(FrameType.GOAWAY, {
      code: reason.code,
      reason: reason.message.slice(0, this.#limits.maxReasonBytes),
      final: true,
      ...(reason.retryAfterMs === undefined ? {} : { retryAfterMs: reason.retryAfterMs }),
    });
    this.#sendPrompt();
    this.#sendMessage();
    this.#end(reason);
    this.#wire.close(reason.code);
  }

  nextChannel(): Channel {
    this.#ownChannel += 2;
    if (this.#ownChannel >= LAST_CHANNEL) this.close(tunnelError('link-closed', { detail: 'all channels are used' }));
    return this.#ownChannel;
  }

  send(frame: PromptFrame): void {
    if (this.closed) return;
    this.#control.push(frame);
    this.#schedule();
  }

  ready(source: Source): void {
    if (this.closed) return;
    this.#scheduler.add(source);
    this.#schedule();
  }

  credit(source: Source, urgent: boolean): void {
    if (this.closed) return;
    this.#credits.add(source);
    if (urgent) this.#schedule();
    else this.#scheduleLazy();
  }

  remove(source: Source): void {
    this.#scheduler.remove(source);
    this.#credits.delete(source);
  }

  probe(): void {
    this.#liveness.ask();
  }

  /** For the ticker. */
  tick(now: number, lagMs: number): void {
    if (this.#phase === 'handshake') {
      if (now - this.#openedAt >= this.#limits.handshakeMs) this.close(tunnelError('handshake-timeout'));
      return;
    }
    const step = this.#liveness.step(now, lagMs);
    switch (step.kind) {
      case 'wait':
        return;
      case 'probe':
        this.#control.push({ type: FrameType.PING, channel: 0, nonce: step.nonce });
        this.#schedule();
        return;
      case 'dead':
        this.#end(tunnelError('link-silent'));
        this.#wire.destroy();
        return;
    }
  }

  // Out.

  #tell(type: BodyFrame['type'], body: LinkBody): void {
    if (this.closed) return;
    this.#control.push({ type, channel: 0, body });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    // The first to ask in a turn is served at once, since it may be the only one.
    if (this.#flushed) this.#clock.afterInput(this.#onFlush);
    else this.#clock.defer(this.#onFlush);
  }

  /** What nobody waits for goes out together, a little later, or with the next message. */
  #scheduleLazy(): void {
    this.#lazy ??= this.#clock.after(this.#limits.ackDelayMs, () => {
      this.#lazy = undefined;
      this.#schedule();
    });
  }

  #flush(): void {
    this.#sendPrompt();
    this.#sendData();
    this.#sendMessage();
    // Data keeps to the budget: beyond its maximum there are only answers that the peer asks for and does not read.
    if (
      this.#inflight.inflightBytes >
      this.#limits.maxInflightBytes * (1 + INTERACTIVE_ALLOWANCE) + this.#limits.maxControlBytes
    ) {
      this.#end(tunnelError('control-flood'));
      this.#wire.destroy();
    }
  }

  #sendPrompt(): void {
    if (this.#control.length > 0) {
      const frames = this.#control;
      this.#control = [];
      for (const frame of frames) this.#put(frame);
    }
    if (this.#pong !== undefined) {
      this.#put({ type: FrameType.PONG, channel: 0, nonce: this.#pong });
      this.#pong = undefined;
    }
    if (this.#credits.size > 0) {
      for (const source of this.#credits) {
        this.#credits.delete(source);
        const frame = source.takeCredit();
        if (frame !== undefined) this.#put(frame);
      }
    }
    if (this.#receivedBytes > this.#ackedBytes && (this.#ackElicited || this.#partBytes > 0)) {
      this.#ackedBytes = this.#receivedBytes;
      this.#ackElicited = false;
      this.#put({ type: FrameType.LINK_ACK, channel: 0, bytes: this.#receivedBytes });
    }
  }

  #sendData(): void {
    if (this.#phase !== 'open' || this.#scheduler.idle) return;
    const allowance = this.#inflight.budgetBytes * INTERACTIVE_ALLOWANCE;
    let any = false;
    for (;;) {
      const room = this.#inflight.room - this.#partBytes;
      if (room + allowance <= 0 || this.#wire.full) break;
      const frame = this.#scheduler.next(this.#limits.maxDataBytes, room <= 0);
      if (frame === undefined) break;
      any = true;
      this.#put(frame);
    }
    if (any) this.#liveness.sent();
  }

  #put(frame: Frame): void {
    if (frame.type === FrameType.DATA && frame.payload.length === this.#limits.maxDataBytes) {
      this.#putFull(frame);
      return;
    }
    const bytes = encodeFrame(frame, this.#limits.maxFrameBytes);
    if (this.#partBytes > 0 && this.#partBytes + bytes.length > this.#messageBytes) this.#sendMessage();
    this.#parts.push(bytes);
    this.#partBytes += bytes.length;
  }

  /**
   * The message of a full DATA frame is one TLS record exactly: so records and messages stay in step however many a socket
   * writes at once, and the reader need never join two pieces. Before the frame there is room for the short frames that are
   * to go out anyway, and a PAD for what they leave. What passes through a switch is sent from the memory that it came in,
   * what begins here by reference.
   */
  #putFull(frame: DataFrame): void {
    const { payload, raw, spare = 0 } = frame;
    const { headerBytes } = this.#wire;
    const room = headerBytes === 0 ? 0 : this.#messageBytes - DATA_HEADER_BYTES - payload.length;
    if (this.#partBytes > room - FRAME_HEADER_BYTES) this.#sendMessage();
    const before = headerBytes + room;
    if (raw !== undefined && spare >= before) {
      rechannel(raw, frame.channel);
      const message = Buffer.from(raw.buffer, raw.byteOffset - before, before + raw.length);
      this.#fillRoom(message, before);
      this.#sendWhole(message);
    } else {
      const head = Buffer.allocUnsafe(before + DATA_HEADER_BYTES);
      this.#fillRoom(head, before);
      writeDataHeader(head, before, frame);
      this.#sendWhole(head, payload);
    }
  }

  /** Puts what waits to go out between the wire's header and `end`, and a PAD before it. */
  #fillRoom(message: Buffer, end: number): void {
    const { headerBytes } = this.#wire;
    const pad = end - headerBytes - this.#partBytes;
    if (pad > 0) writePad(message, headerBytes, pad);
    let at = headerBytes + pad;
    for (const part of this.#parts) at += part.copy(message, at);
    this.#parts = [];
    this.#partBytes = 0;
  }

  #sendMessage(): void {
    if (this.#partBytes === 0) return;
    const message = Buffer.allocUnsafe(this.#wire.headerBytes + this.#partBytes);
    let at = this.#wire.headerBytes;
    for (const part of this.#parts) at += part.copy(message, at);
    this.#parts = [];
    this.#partBytes = 0;
    this.#sendWhole(message);
  }

  #sendWhole(message: Buffer, rest?: Buffer): void {
    const bytes = message.length - this.#wire.headerBytes + (rest?.length ?? 0);
    this.#sentBytes += bytes;
    this.#inflight.sent(bytes, this.#clock.now());
    this.#wire.send(message, rest);
  }

  // In.

  #onMessage(message: Buffer): void {
    if (this.closed) return;
    const now = this.#clock.now();
    this.#heardAt = now;
    this.#liveness.heard(now);
    this.#receivedBytes += message.length;
    try {
      this.#decoder.decode(message, (frame) => {
        this.#onFrame(frame, now);
        return !this.closed;
      });
    } catch (error) {
      this.close(
        error instanceof CodedError
          ? error
          : tunnelError('frame-unexpected', { detail: messageOf(error), cause: error }),
      );
      return;
    }
    if (!this.#ackElicited) return;
    if (this.#receivedBytes - this.#ackedBytes >= ACK_BYTES) this.#schedule();
    else this.#scheduleLazy();
  }

  #onFrame(frame: Frame, now: number): void {
    switch (frame.type) {
      case FrameType.PING:
        this.#pong = frame.nonce;
        this.#schedule();
        return;
      case FrameType.PONG: {
        const rttMs = this.#liveness.pong(frame.nonce, now);
        if (rttMs !== undefined) this.#inflight.measured(rttMs, now);
        return;
      }
      case FrameType.LINK_ACK:
        if (!this.#inflight.acked(frame.bytes, now)) {
          throw tunnelError('frame-unexpected', { detail: 'LINK_ACK of bytes that were not sent' });
        }
        if (!this.#scheduler.idle) this.#schedule();
        return;
      case FrameType.HELLO:
        this.#ackElicited = true;
        if (this.#phase !== 'handshake' || this.#role !== 'acceptor' || this.#hello !== undefined)
          throw unexpected('HELLO');
        this.#hello = frame.body;
        this.#user.onHello(frame.body);
        return;
      case FrameType.WELCOME:
        this.#ackElicited = true;
        if (this.#phase !== 'handshake' || this.#role !== 'dialer') throw unexpected('WELCOME');
        this.#phase = 'open';
        this.#user.onOpen(frame.body);
        return;
      case FrameType.GOAWAY:
        this.#onGoaway(frame.body);
        return;
      case FrameType.UPDATE:
        this.#ackElicited = true;
        if (this.#phase !== 'open') throw unexpected('UPDATE');
        this.#user.onUpdate(frame.body);
        return;
      case FrameType.OPEN:
      case FrameType.RESUME:
      case FrameType.ACCEPT:
      case FrameType.RESUMED:
      case FrameType.REFUSE:
      case FrameType.DATA:
      case FrameType.FIN:
      case FrameType.CREDIT:
      case FrameType.RESET:
      case FrameType.DETACH:
        this.#ackElicited = true;
        if (this.#phase !== 'open') throw unexpected('a stream frame before the handshake');
        this.#onStreamFrame(frame, now);
        return;
    }
  }

  #onStreamFrame(frame: StreamFrame, now: number): void {
    const { channel } = frame;
    const byPeer = channel % 2 === (this.#role === 'dialer' ? 0 : 1);
    if (frame.type === FrameType.OPEN || frame.type === FrameType.RESUME) {
      if (!byPeer || channel <= this.#peerChannel) throw unexpected(`OPEN on channel ${channel}`);
      this.#peerChannel = channel;
      const verdict = this.#openRate.take(now);
      if (verdict === 'close') throw tunnelError('open-flood');
      if (verdict === 'refuse') {
        const { message } = tunnelError('overloaded', { detail: 'streams are opened too fast' });
        this.send({ type: FrameType.REFUSE, channel, code: 'overloaded', message, instance: '', retryAfterMs: 1000 });
        return;
      }
    } else if (channel > (byPeer ? this.#peerChannel : this.#ownChannel)) {
      throw unexpected(`a frame on channel ${channel}, which was never opened`);
    }
    this.streams?.onFrame(frame);
  }

  #onGoaway(body: LinkBody): void {
    if (body['final'] !== true) {
      this.#user.onGoaway(body);
      return;
    }
    const code = typeof body['code'] === 'string' ? body['code'] : 'link-closed';
    const reason = typeof body['reason'] === 'string' ? body['reason'] : '';
    const retryAfterMs = typeof body['retryAfterMs'] === 'number' ? body['retryAfterMs'] : undefined;
    this.#end(tunnelErrorFromWire(code, reason, retryAfterMs));
    this.#wire.close('link-closed');
  }

  #end(reason: CodedError): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#ticker.remove(this);
    this.#lazy?.cancel();
    this.#control = [];
    this.#credits.clear();
    // Deferred, so that nobody is told in the middle of what it does.
    this.#clock.defer(() => {
      this.streams?.onClose(reason);
      this.#user.onClose(reason);
    });
  }
}

export interface LinkStats {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly rttMs: number | undefined;
  readonly bytesPerSecond: number | undefined;
  readonly inflightBytes: number;
  readonly inflightBudgetBytes: number;
  readonly silentMs: number;
}

function unexpected(detail: string): CodedError {
  return tunnelError('frame-unexpected', { detail });
}
