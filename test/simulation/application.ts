import type { Clock, CodedError } from '../../base/index.ts';
import type { AcceptorCore } from '../../tunnel/acceptor-core.ts';
import type { OpenerCore } from '../../tunnel/opener-core.ts';
import type { StreamUser } from '../../tunnel/stream-core.ts';
import { tunnelError } from '../../tunnel/tunnel-error.ts';
import { PATTERN_BYTES, type DirectionPlan } from './plan.ts';
import { Random } from './random.ts';

/** What every stream's bytes are taken from. */
const pattern = ((): Buffer => {
  const random = new Random(4711);
  const bytes = Buffer.alloc(PATTERN_BYTES);
  for (let at = 0; at < PATTERN_BYTES; at += 4) bytes.writeUInt32BE(random.int(0, 0xffff_ffff), at);
  return bytes;
})();

export interface EndHost {
  /** The faults are over: readers hurry. */
  readonly calm: boolean;
  /** A promise of the protocol is broken; the first one counts. */
  fail(message: string): void;
  trace(message: string): void;
}

export interface EndOptions {
  readonly name: string;
  readonly host: EndHost;
  readonly clock: Clock;
  readonly core: OpenerCore | AcceptorCore;
  readonly writes: DirectionPlan;
  readonly reads: DirectionPlan;
  readonly onClosed: (error: CodedError | undefined) => void;
}

/** The application at one end of a stream: writes what the plan says, and checks every byte that it reads. */
export class End implements StreamUser {
  readonly name: string;
  readonly core: OpenerCore | AcceptorCore;
  closed = false;
  /** It gave up by itself. */
  aborted = false;
  error: CodedError | undefined;
  written = 0;
  read = 0;
  /** The other end's FIN was read. */
  atEnd = false;
  readonly #options: EndOptions;
  readonly #stalledUntil: number;
  #pausing = false;
  #ended = false;
  #readingLater = false;
  #writing = false;

  constructor(options: EndOptions) {
    this.name = options.name;
    this.core = options.core;
    this.#options = options;
    this.#stalledUntil = options.clock.now() + options.reads.stallMs;
    this.core.user = this;
  }

  /** Begins to write and to read. */
  start(): void {
    this.#writing = true;
    this.#write();
    this.onReadable();
  }

  abort(code: 'canceled' | 'upstream-failed'): void {
    if (this.closed) return;
    this.aborted = true;
    this.#options.host.trace(`${this.name} gives up`);
    this.core.abort(tunnelError(code));
  }

  /** Everything was sent, acknowledged and read. */
  get complete(): boolean {
    return this.closed && this.error === undefined && this.atEnd;
  }

  onAccepted(): void {}

  onWritable(): void {
    if (this.#writing && !this.#pausing) this.#write();
  }

  onReadable(): void {
    const { clock, host, reads } = this.#options;
    if (!this.#writing || this.#readingLater) return;
    if (!host.calm) {
      const waitMs = clock.now() < this.#stalledUntil ? this.#stalledUntil - clock.now() : reads.readPauseMs;
      if (waitMs > 0) {
        this.#readingLater = true;
        clock.after(waitMs, () => this.#readLater());
        return;
      }
    }
    while (this.#readSome() && this.#options.reads.readPauseMs >= 0);
  }

  onClosed(error: CodedError | undefined): void {
    if (this.closed) this.#options.host.fail(`${this.name} is closed twice`);
    this.closed = true;
    this.error = error;
    this.#options.host.trace(
      `${this.name} is closed: ${error === undefined ? 'complete' : `${error.code} ${error.message}`}`,
    );
    this.#options.onClosed(error);
    if (error === undefined) {
      if (!this.#ended || this.written !== this.#options.writes.length) {
        this.#options.host.fail(`${this.name} is complete before everything was written`);
      }
      this.onReadable();
    }
  }

  /** The faults are over: what was stalled goes on. */
  hurry(): void {
    if (this.#readingLater) this.#readLater();
  }

  #readLater(): void {
    this.#readingLater = false;
    this.#readSome();
    this.onReadableAgain();
  }

  private onReadableAgain(): void {
    if (this.core.retainedBytes > 0 || this.core.atEnd !== this.atEnd) this.onReadable();
  }

  /** One read, checked; false when there is nothing more for now. */
  #readSome(): boolean {
    const { host, reads } = this.#options;
    const bytes = this.core.read(reads.readChunk);
    if (bytes.length > 0) {
      const from = reads.start + this.read;
      if (pattern.compare(bytes, 0, bytes.length, from, from + bytes.length) !== 0) {
        host.fail(`${this.name} reads wrong bytes at ${this.read}`);
      }
      this.read += bytes.length;
      if (this.read > reads.length) host.fail(`${this.name} reads more than was written`);
      return true;
    }
    if (this.core.atEnd && !this.atEnd) {
      this.atEnd = true;
      if (this.read !== reads.length) host.fail(`${this.name} reads an end at ${this.read} of ${reads.length}`);
    }
    return false;
  }

  #write(): void {
    const { clock, writes, host } = this.#options;
    while (!this.core.full && !this.closed && this.written < writes.length) {
      const length = Math.min(writes.chunk, writes.length - this.written);
      const from = writes.start + this.written;
      this.written += length;
      this.core.write(writes.owned ? owned(from, length) : pattern.subarray(from, from + length));
      if (writes.pauseMs > 0 && !host.calm) {
        this.#pausing = true;
        clock.after(writes.pauseMs, () => {
          this.#pausing = false;
          this.#write();
        });
        return;
      }
    }
    if (this.closed || this.#ended || this.written < writes.length) return;
    this.#ended = true;
    if (writes.endAfterMs === 0) this.core.end();
    else clock.after(writes.endAfterMs, () => this.core.end());
  }
}

function owned(from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  pattern.copy(bytes, 0, from, from + length);
  return bytes;
}
