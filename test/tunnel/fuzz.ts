import type { CodedError } from '../../base/index.ts';
import type { AcceptorCore } from '../../tunnel/acceptor-core.ts';
import { encodeFrame } from '../../tunnel/codec.ts';
import { Endpoint } from '../../tunnel/endpoint.ts';
import { FrameType, StreamClass, type Frame, type StreamTarget } from '../../tunnel/frame.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import type { Link } from '../../tunnel/link.ts';
import { MemoryWire } from '../../tunnel/memory-wire.ts';
import type { OpenerCore } from '../../tunnel/opener-core.ts';
import type { PortUser } from '../../tunnel/port.ts';
import { Switch } from '../../tunnel/switch.ts';
import { Ticker } from '../../tunnel/ticker.ts';
import { isTunnelCode, tunnelError } from '../../tunnel/tunnel-error.ts';
import { Random } from '../simulation/random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { HostilePeer, linkEnd, run } from './hostile-peer.ts';
import { randomFrame } from './random-frame.ts';

const limits: TunnelLimits = {
  ...defaultLimits,
  windowBytes: 4000,
  openCreditBytes: 1000,
  maxWindowBytes: 16_000,
  windowGrowthBytes: 100_000,
  switchQueueBytes: 200_000,
  maxLinkStreams: 50,
  maxTombstones: 500,
  keepDetachedMs: 500,
  tombstoneMs: 700,
};

export interface FuzzResult {
  readonly frames: number;
  /** Links that the attackers lost, by the reason. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Bytes that the stream beside them carried there and back. */
  readonly echoed: number;
  readonly problems: readonly string[];
}

/**
 * Attackers in the place of a client and of an agent at a switch, and of a peer at an endpoint, send what no honest peer
 * would: frames out of order, with wrong numbers, cut and changed. A stream between honest parties goes on beside them.
 */
export function fuzz(frames: number, seed: number): FuzzResult {
  return new Fuzz(seed).play(frames);
}

class Fuzz {
  readonly #clock = new VirtualClock();
  readonly #ticker = new Ticker(this.#clock);
  readonly #random: Random;
  readonly #problems: string[] = [];
  readonly #reasons = new Map<string, number>();
  readonly #hub: Switch;
  readonly #links = new Map<string, Link>();
  readonly #agent: Endpoint;
  readonly #client: Endpoint;
  readonly #attackers: Attacker[];

  constructor(seed: number) {
    this.#random = new Random(seed);
    const clock = this.#clock;
    this.#hub = new Switch({
      clock,
      limits,
      route: (open, from) => {
        const port = this.#links.get(open.target.edge === 'evil' ? 'agent' : 'edge');
        return port === undefined || port === from ? { refuse: tunnelError('not-here') } : { port, principal: 'p' };
      },
    });
    this.#agent = new Endpoint({ clock, limits, instance: 'me', onStream: (core) => this.#take(core) });
    this.#client = new Endpoint({ clock, limits });
    this.#join('edge', this.#agent);
    this.#join('client', this.#client);
    const toSwitch = (link: Link): PortUser => this.#hub.attach(link);
    this.#attackers = [
      new Attacker(this.#random, () => this.#dial('attacker', toSwitch)),
      new Attacker(this.#random, () => this.#dial('agent', toSwitch)),
      new Attacker(this.#random, () => this.#dial('direct', (link) => this.#agent.attach(link, false))),
    ];
  }

  play(frames: number): FuzzResult {
    const stream = this.#client.open(target('edge'));
    const echo = new Echo(stream);
    stream.user = {
      onAccepted() {},
      onReadable: () => echo.read(),
      onWritable() {},
      onClosed: (error) => this.#problem(`the honest stream ends: ${error?.code}`),
    };
    let sent = 0;
    for (let round = 0; sent < frames && this.#problems.length === 0; round++) {
      for (const attacker of this.#attackers) sent += attacker.attack();
      if (round % 20 === 0) echo.write();
      // Someone honest opens streams to the hostile agent; they may end in any coded way.
      if (round % 50 === 0) this.#openEvil();
      run(this.#clock, 1);
      this.#checkBounds();
    }
    run(this.#clock, 2000);
    if (echo.problem !== undefined) this.#problem(echo.problem);
    if (echo.got < echo.written) this.#problem(`the honest stream got ${echo.got} of ${echo.written} bytes back`);
    return { frames: sent, reasons: this.#reasons, echoed: echo.got, problems: this.#problems };
  }

  /** An honest endpoint on a link of its own. */
  #join(name: string, endpoint: Endpoint): void {
    const [one, other] = MemoryWire.pair(this.#clock);
    const common = { clock: this.#clock, limits, ticker: this.#ticker };
    const mine = linkEnd({ ...common, wire: one, role: 'dialer', streams: (link) => endpoint.attach(link) });
    const end = linkEnd({ ...common, wire: other, role: 'acceptor', streams: (link) => this.#hub.attach(link) });
    this.#links.set(name, end.link);
    run(this.#clock, 1);
    if (!mine.link.open) this.#problem(`${name} does not come up`);
  }

  #dial(name: string, streams: (link: Link) => PortUser): HostilePeer {
    const [mine, wire] = MemoryWire.pair(this.#clock);
    const end = linkEnd({ clock: this.#clock, wire, role: 'acceptor', limits, streams, ticker: this.#ticker });
    this.#links.set(name, end.link);
    const peer = new HostilePeer(mine);
    peer.onClose = () => {
      const reason = end.closed;
      if (reason === undefined) return;
      this.#reasons.set(reason.code, (this.#reasons.get(reason.code) ?? 0) + 1);
      this.#checkReason(reason);
    };
    if (this.#random.chance(0.95)) peer.send({ type: FrameType.HELLO, channel: 0, body: {} });
    return peer;
  }

  #take(core: AcceptorCore): void {
    core.user = {
      onAccepted() {},
      onReadable: () => {
        for (let bytes = core.read(10_000); bytes.length > 0; bytes = core.read(10_000)) core.write(bytes);
        if (core.atEnd) core.end();
      },
      onWritable() {},
      onClosed: (error) => this.#checkReason(error),
    };
    core.accept();
  }

  #openEvil(): void {
    const core = this.#client.open(target('evil'));
    core.user = {
      onAccepted() {},
      onReadable: () => core.read(1000),
      onWritable() {},
      onClosed: (error) => this.#checkReason(error),
    };
    core.write(Buffer.alloc(this.#random.int(1, 2000)));
    if (this.#random.chance(0.5)) core.end();
    this.#clock.after(300, () => core.abort(tunnelError('canceled')));
  }

  #checkReason(error: CodedError | undefined): void {
    if (error === undefined) return;
    if (!isTunnelCode(error.code)) this.#problem(`an end without a code of the table: ${error.code}`);
    // Whatever is not foreseen has a cause: a TypeError, say. That JSON may be broken is foreseen.
    const { cause } = error;
    if (cause instanceof Error && !(cause instanceof SyntaxError)) this.#problem(cause.stack ?? cause.message);
  }

  #checkBounds(): void {
    const { crossings, queuedBytes } = this.#hub;
    if (queuedBytes > limits.switchQueueBytes) this.#problem(`the switch queues ${queuedBytes} bytes`);
    if (crossings > 4 * limits.maxLinkStreams) this.#problem(`the switch holds ${crossings} streams`);
    if (this.#agent.streams > 1000) this.#problem(`the endpoint holds ${this.#agent.streams} streams`);
    if (this.#agent.tombstones > 2 * limits.maxTombstones + 1000)
      this.#problem(`the endpoint holds ${this.#agent.tombstones} tombstones`);
    for (const name of ['edge', 'client'])
      if (this.#links.get(name)?.open !== true) this.#problem(`the honest link of ${name} is gone`);
  }

  #problem(text: string): void {
    this.#problems.push(text);
  }
}

/** Writes bytes, and compares what comes back. */
class Echo {
  written = 0;
  got = 0;
  problem: string | undefined;
  readonly #core: OpenerCore;

  constructor(core: OpenerCore) {
    this.#core = core;
  }

  write(): void {
    for (let left = 300; left > 0 && !this.#core.full; left -= 100) {
      this.#core.write(Buffer.from(Array.from({ length: 100 }, () => this.written++ % 251)));
    }
  }

  read(): void {
    for (const byte of this.#core.read(100_000)) {
      if (byte !== this.got++ % 251) this.problem ??= `the honest stream gets another byte at ${this.got}`;
    }
  }
}

/** Keeps a link, and abuses it. */
class Attacker {
  readonly #random: Random;
  readonly #dial: () => HostilePeer;
  #peer: HostilePeer | undefined;
  #channel = -1;

  constructor(random: Random, dial: () => HostilePeer) {
    this.#random = random;
    this.#dial = dial;
  }

  /** Sends a message; says of how many frames. */
  attack(): number {
    const random = this.#random;
    if (this.#peer === undefined || this.#peer.closed !== undefined) {
      this.#peer = this.#dial();
      this.#channel = -1;
    }
    const peer = this.#peer;
    // What came is not kept.
    peer.frames.splice(0, Math.max(0, peer.frames.length - 100));
    const frames = Array.from({ length: random.int(1, 12) }, () => this.#frame(peer));
    if (random.chance(0.02)) frames.push(...frames.toReversed());
    const message = Buffer.concat(frames.map((frame) => encodeFrame(frame, 4000)));
    if (random.chance(0.02)) {
      for (let left = random.int(1, 5); left > 0; left--)
        message[random.int(0, message.length - 1)] = random.int(0, 255);
    }
    peer.raw(random.chance(0.01) ? message.subarray(0, random.int(0, message.length)) : message);
    return frames.length;
  }

  #frame(peer: HostilePeer): Frame {
    const random = this.#random;
    if (random.chance(0.004)) return randomFrame(random);
    const theirs = peer.frames.findLast(({ type }) => type === FrameType.OPEN || type === FrameType.RESUME)?.channel;
    const channel =
      theirs !== undefined && random.chance(0.5)
        ? Math.max(2, theirs - 2 * random.int(0, 4))
        : this.#channel - 2 * random.int(0, 4);
    if (channel < 1 || random.chance(0.2)) return this.#open();
    const offset = random.pick(0, 1, 100, random.int(0, 3000), 2 ** 53 - 1);
    const text = { code: random.pick('canceled', 'gone', 'other-instance', 'x'), message: '' };
    switch (random.int(0, 11)) {
      case 0:
        return { type: FrameType.FIN, channel, offset };
      case 1:
        return {
          type: random.pick(FrameType.ACCEPT, FrameType.RESUMED),
          channel,
          received: offset,
          limit: random.pick(0, 5000, 2 ** 53 - 1),
        };
      case 2:
      case 3:
        return {
          type: FrameType.CREDIT,
          channel,
          received: random.pick(0, 1, offset),
          limit: random.pick(0, 5000, 2 ** 53 - 1),
        };
      case 4:
        return { type: FrameType.RESET, channel, ack: random.chance(0.5), ...text };
      case 5:
        return {
          type: FrameType.REFUSE,
          channel,
          ...text,
          instance: random.pick('', 'me', 'you'),
          retryAfterMs: random.int(0, 300),
        };
      case 6:
        return { type: FrameType.DETACH, channel, code: random.pick('moved', 'finished', 'superseded') };
      case 7:
        return { type: FrameType.PING, channel: 0, nonce: random.int(0, 9) };
      default:
        return {
          type: FrameType.DATA,
          channel,
          offset: random.pick(0, offset),
          blocked: random.chance(0.3),
          payload: Buffer.alloc(random.int(1, 1200)),
        };
    }
  }

  #open(): Frame {
    const random = this.#random;
    this.#channel += 2;
    return {
      type: random.chance(0.7) ? FrameType.OPEN : FrameType.RESUME,
      channel: this.#channel,
      id: random.int(0, 300).toString(16).padStart(32, '0'),
      instance: random.pick('me', 'me', 'you', ''),
      attempt: random.int(1, 5),
      class: random.pick(StreamClass.INTERACTIVE, StreamClass.BULK),
      received: random.pick(0, 0, 100, 2 ** 53 - 1),
      limit: random.pick(0, 4000, 2 ** 53 - 1),
      target: target(random.pick('edge', 'evil', 'nowhere')),
      head: Buffer.alloc(random.pick(0, 0, 10, 5000)),
    };
  }
}

function target(edge: string): StreamTarget {
  return { edge, service: 's', kind: 'tcp', verb: 'connect', path: '', principal: 'p' };
}
