import type { CodedError } from '../../base/index.ts';
import { FrameType, type StreamFrame } from '../../tunnel/frame.ts';
import { Link, type LinkBody } from '../../tunnel/link.ts';
import type { TunnelLimits } from '../../tunnel/limits.ts';
import { MemoryWire } from '../../tunnel/memory-wire.ts';
import type { PortUser } from '../../tunnel/port.ts';
import type { Ticker } from '../../tunnel/ticker.ts';
import { nobody } from '../../tunnel/wire.ts';
import type { Random } from './random.ts';
import type { Process, VirtualClock } from './virtual-clock.ts';

/** Codes that may end a link between honest parties. */
const EXPECTED = new Set(['link-closed', 'link-silent', 'handshake-timeout', 'endpoint-closed', 'draining']);

export interface CableEnd {
  readonly process: Process;
  readonly ticker: Ticker;
  readonly limits: TunnelLimits;
  /** The handshake is over. */
  onOpen(link: Link, body: LinkBody): void;
  onUpdate(link: Link, body: LinkBody): void;
  onClose(link: Link): void;
}

export interface CableOptions {
  readonly id: string;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly hello: LinkBody;
  readonly dialer: CableEnd;
  readonly acceptor: CableEnd;
  readonly fail: (message: string) => void;
  readonly trace: (message: string) => void;
  /** Also each frame of a stream. */
  readonly tracing: boolean;
}

/** A link with both its ends, and what can happen to it. */
export class Cable {
  readonly id: string;
  readonly dialer: Process;
  readonly acceptor: Process;
  /** Messages take this much longer at the moment. */
  slownessMs = 0;
  readonly #wires: readonly [MemoryWire, MemoryWire];
  readonly #links: readonly [Link, Link];

  constructor(options: CableOptions) {
    const { clock, random, dialer, acceptor } = options;
    this.id = options.id;
    this.dialer = dialer.process;
    this.acceptor = acceptor.process;
    const delayMs = random.pick(1, 5, 40);
    this.#wires = MemoryWire.pair(clock, () => delayMs * (0.5 + random.next()) + this.slownessMs);
    // What one process sends is another's memory when it arrives, as large as the message.
    for (const wire of this.#wires) {
      const send = wire.send.bind(wire);
      wire.send = (message, rest) => send(copyOf(message, rest));
    }
    const end = (
      role: 'dialer' | 'acceptor',
      wire: MemoryWire,
      { process, ticker, limits, ...told }: CableEnd,
    ): Link => {
      const link: Link = new Link({
        id: options.id,
        wire,
        role,
        clock: process,
        ticker,
        limits,
        hello: options.hello,
        user: {
          onHello: () => link.welcome({}),
          onOpen: (body) => {
            told.onOpen(link, body);
            if (options.tracing)
              link.streams = traced(link.streams, (text) => options.trace(`${process.name} < ${options.id} ${text}`));
          },
          onUpdate: (body) => told.onUpdate(link, body),
          onGoaway() {},
          onClose: (reason: CodedError) => {
            options.trace(`${process.name} loses ${options.id}: ${reason.code} ${reason.message}`);
            if (!EXPECTED.has(reason.code)) options.fail(`${options.id} ends with ${reason.code}: ${reason.message}`);
            told.onClose(link);
          },
        },
      });
      return link;
    };
    this.#links = [end('dialer', this.#wires[0], dialer), end('acceptor', this.#wires[1], acceptor)];
  }

  get over(): boolean {
    const [dialer, acceptor] = this.#links;
    return (dialer.closed || !this.dialer.alive) && (acceptor.closed || !this.acceptor.alive);
  }

  /** The end of a process is no more. The other end is told, or has to find out. */
  die(process: Process, told: boolean): void {
    const mine = this.dialer === process ? this.#wires[0] : this.#wires[1];
    mine.user = nobody;
    if (told) mine.cut();
    else this.blackHole();
  }

  /** Both ends are told at once; what is under way is lost. */
  cut(): void {
    this.#wires[0].cut();
  }

  /** Nobody is told. */
  blackHole(): void {
    for (const wire of this.#wires) wire.silent = true;
  }

  /** One direction carries nothing any more, and nobody is told. */
  silenceOneWay(dialers: boolean): void {
    this.#wires[dialers ? 0 : 1].silent = true;
  }

  /** One end is told, the other has to find out. */
  tellOne(dialer: boolean): void {
    this.blackHole();
    this.#wires[dialer ? 0 : 1].destroy();
  }

  close(reason: CodedError, dialer: boolean): void {
    // Who is no more closes nothing.
    if ((dialer ? this.dialer : this.acceptor).alive) this.#links[dialer ? 0 : 1].close(reason);
  }
}

function copyOf(message: Buffer, rest: Buffer | undefined): Buffer {
  const copy = Buffer.allocUnsafeSlow(message.length + (rest?.length ?? 0));
  message.copy(copy);
  rest?.copy(copy, message.length);
  return copy;
}

function traced(user: PortUser | undefined, trace: (text: string) => void): PortUser {
  return {
    onFrame: (frame) => {
      trace(describe(frame));
      user?.onFrame(frame);
    },
    onClose: (reason) => user?.onClose(reason),
  };
}

const names: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(FrameType).map(([name, type]) => [type, name]),
);

function describe(frame: StreamFrame): string {
  const fields: string[] = [];
  for (const [name, value] of Object.entries(frame)) {
    if (name === 'type' || name === 'channel' || name === 'raw' || name === 'head' || name === 'target') continue;
    fields.push(`${name}=${Buffer.isBuffer(value) ? value.length : String(value)}`);
  }
  return `${names[frame.type]} ${frame.channel} ${fields.join(' ')}`;
}
