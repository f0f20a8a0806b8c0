import type { CodedError } from '../../base/index.ts';
import { encodeFrame, FrameDecoder } from '../../tunnel/codec.ts';
import { FrameType, StreamClass, type Frame, type OpenFrame } from '../../tunnel/frame.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import { Link, type LinkBody } from '../../tunnel/link.ts';
import type { MemoryWire } from '../../tunnel/memory-wire.ts';
import type { PortUser } from '../../tunnel/port.ts';
import { Ticker } from '../../tunnel/ticker.ts';
import type { VirtualClock } from '../simulation/virtual-clock.ts';

/** Runs a clock for so long. */
export function run(clock: VirtualClock, ms: number): void {
  clock.settle();
  const until = clock.now() + ms;
  while (clock.step(until));
}

export interface LinkEnd {
  readonly link: Link;
  /** What its owner was told, in order. */
  readonly events: string[];
  closed: CodedError | undefined;
}

export interface EndOptions {
  readonly clock: VirtualClock;
  readonly wire: MemoryWire;
  readonly role: 'dialer' | 'acceptor';
  readonly limits?: TunnelLimits;
  readonly hello?: LinkBody;
  readonly id?: string;
  /** Who takes the streams. */
  readonly streams?: (link: Link) => PortUser;
  readonly ticker?: Ticker;
}

export function linkEnd({
  clock,
  wire,
  role,
  limits = defaultLimits,
  hello = {},
  id = 'link',
  streams,
  ticker,
}: EndOptions): LinkEnd {
  const events: string[] = [];
  const link: Link = new Link({
    id,
    wire,
    role,
    clock,
    ticker: ticker ?? new Ticker(clock),
    limits,
    hello,
    user: {
      onHello: (body) => {
        events.push(`hello ${JSON.stringify(body)}`);
        link.welcome({ from: 'acceptor' });
      },
      onOpen: (body) => {
        events.push(`open ${JSON.stringify(body)}`);
        if (streams !== undefined) link.streams = streams(link);
      },
      onUpdate: (body) => events.push(`update ${JSON.stringify(body)}`),
      onGoaway: (body) => events.push(`goaway ${JSON.stringify(body)}`),
      onClose: (reason) => {
        end.closed = reason;
        events.push(`close ${reason.code}`);
      },
    },
  });
  const end: LinkEnd = { link, events, closed: undefined };
  return end;
}

/** The other end of a link as a test plays it: sends what it likes, and keeps what it gets. */
export class HostilePeer {
  readonly frames: Frame[] = [];
  closed: string | undefined;
  /** Told once, when the link is gone. */
  onClose: () => void = () => {};
  readonly #wire: MemoryWire;
  readonly #decoder = new FrameDecoder(defaultLimits);
  readonly #maxFrameBytes: number;

  constructor(wire: MemoryWire, maxFrameBytes = defaultLimits.maxFrameBytes) {
    this.#wire = wire;
    this.#maxFrameBytes = maxFrameBytes;
    wire.user = {
      onMessage: (message) => this.#decoder.decode(Buffer.from(message), (frame) => this.frames.push(frame) > 0),
      onDrain() {},
      onText() {},
      onClose: (reason) => {
        this.closed = reason;
        this.onClose();
      },
    };
  }

  send(...frames: Frame[]): void {
    this.raw(Buffer.concat(frames.map((frame) => encodeFrame(frame, this.#maxFrameBytes))));
  }

  raw(bytes: Buffer): void {
    this.#wire.send(bytes);
  }

  of<T extends Frame['type']>(type: T): (Frame & { type: T })[] {
    return this.frames.filter((frame): frame is Frame & { type: T } => frame.type === type);
  }

  /** The code of the GOAWAY with which the other end left. */
  get reason(): unknown {
    return this.of(FrameType.GOAWAY).find(({ body }) => body['final'] === true)?.body['code'];
  }
}

let ids = 0;

export function openFrame(fields: Partial<OpenFrame> = {}): OpenFrame {
  return {
    type: FrameType.OPEN,
    channel: 1,
    id: (++ids).toString(16).padStart(32, '0'),
    instance: '',
    attempt: 1,
    class: StreamClass.INTERACTIVE,
    received: 0,
    limit: 100_000,
    target: { edge: 'edge-1', service: 'hello', kind: 'tcp', verb: 'connect', path: '', principal: 'p' },
    head: Buffer.alloc(0),
    ...fields,
  };
}
