import { Backoff, type Clock, type Log, type Timer } from '../../base/index.ts';
import type { AuditOutcome } from '../../api/index.ts';
import type { Audit, AuditEvent } from './audit-event.ts';
import { AuditFile, type AuditFileOptions, type ReadableFile } from './audit-file.ts';
import { encodeRecord } from './audit-record.ts';
import { RefusalGate } from './refusal-gate.ts';

export interface AuditLogOptions extends AuditFileOptions {
  /** `SITE/NAME`, in every line. */
  readonly replica: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Default `Date.now`. */
  readonly wallClock?: () => number;
}

/** What there is at one moment, and what comes after it, with nothing between. */
export interface AuditReading {
  /** The newest first; the caller closes them (`closeAll`). */
  readonly files: readonly ReadableFile[];
  readonly follow: Following;
}

/** Takes each line, with its `\n`, as it is recorded. */
export interface Follower {
  line(line: string): void;
  /** The log is closed. */
  end(): void;
}

export interface Following {
  stop(): void;
}

/** So much waits in memory for a disk that is slow or full, in bytes; what comes then is lost, and counted. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** What is written at once. */
const BATCH_BYTES = 256 * 1024;
/** A machine that loses its power loses no more than this. */
const SYNC_MS = 1000;
const RETRY_MAX_MS = 15_000;

/**
 * The audit log of a replica: one JSON line an event. `record` only puts a line into a bounded queue; writing happens behind it. While the
 * disk fails the replica goes on: what the queue cannot hold is counted, logged, and told in the log itself once it can be
 * written again.
 */
export class AuditLog implements Audit {
  readonly #options: AuditLogOptions;
  readonly #file: AuditFile;
  readonly #gate: RefusalGate;
  readonly #followers = new Set<Follower>();
  readonly #counts: Record<AuditOutcome, number> = { allowed: 0, refused: 0, done: 0, failed: 0 };
  #waiting: string[] = [];
  #waitingBytes = 0;
  /** Lost since the last line that says so, and at all. */
  #untold = 0;
  #lost = 0;
  #failing = false;
  #backoff = new Backoff({ maxMs: RETRY_MAX_MS });
  #retry: Timer | undefined;
  #sync: Timer | undefined;
  #isScheduled = false;
  /** Ends when everything that was asked of the files is done. */
  #files: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#file = new AuditFile(options);
    this.#gate = new RefusalGate({ clock: options.clock, emit: (event) => this.#take(event) });
  }

  /** Events by outcome, those that were counted together too. */
  get counts(): Readonly<Record<AuditOutcome, number>> {
    return this.#counts;
  }

  /** Events that are in no file and never will be. */
  get lost(): number {
    return this.#lost;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get isFailing(): boolean {
    return this.#failing;
  }

  record(event: AuditEvent): void {
    this.#counts[event.outcome]++;
    if (this.#gate.passes(event)) this.#take(event);
  }

  /** All that was recorded until now, and from now on. Rejects when the files cannot be read. */
  async read(follower: Follower): Promise<AuditReading> {
    return await this.#serially(async () => {
      // A full disk can be read.
      await this.#writeAll().catch(() => undefined);
      const files = await this.#file.snapshot();
      // What could not be written, and what came while the files were opened: it is in none of them.
      for (const line of this.#waiting) follower.line(line);
      if (this.#closing === undefined) this.#followers.add(follower);
      else follower.end();
      return { files, follow: { stop: () => void this.#followers.delete(follower) } };
    });
  }

  /** Ends all followers: they would keep a listener open. */
  endFollowers(): void {
    for (const follower of this.#followers) follower.end();
    this.#followers.clear();
  }

  /** Writes what is left, as far as the disk takes it. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.endFollowers();
    this.#gate.flush();
    this.#retry?.cancel();
    this.#sync?.cancel();
    await this.#serially(async () => {
      await this.#writeAll();
      await this.#file.close();
    }).catch((error: unknown) => {
      this.#options.log.error('audit-lost', { events: this.#waiting.length + this.#untold, error });
    });
  }

  #take(event: AuditEvent): void {
    const { wallClock = Date.now, replica } = this.#options;
    const line = encodeRecord(event, new Date(wallClock()).toISOString(), replica);
    if (this.#waitingBytes + line.length > MAX_WAITING_BYTES) {
      this.#lose();
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    for (const follower of this.#followers) follower.line(line);
    this.#schedule();
  }

  #lose(): void {
    if (this.#untold++ === 0) this.#options.log.error('audit-full', { waitingBytes: this.#waitingBytes });
    this.#lost++;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#retry !== undefined || this.#closing !== undefined) return;
    this.#isScheduled = true;
    // What one turn brings is written at once.
    this.#options.clock.afterInput(() => {
      this.#serially(async () => {
        this.#isScheduled = false;
        await this.#writeAll();
      }).catch(() => {
        // It was logged, and is tried again.
      });
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      try {
        await this.#file.append(Buffer.from(batch.join('')));
      } catch (error) {
        this.#failed(error);
        throw error;
      }
      this.#waiting.splice(0, batch.length);
      this.#waitingBytes -= batch.reduce((sum, line) => sum + line.length, 0);
      this.#written();
    }
  }

  /** The lines stay in the queue until they are written. */
  #nextBatch(): readonly string[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((line) => (bytes += line.length) > BATCH_BYTES);
    return this.#waiting.slice(0, end === -1 ? undefined : Math.max(1, end));
  }

  #failed(error: unknown): void {
    const { clock, log } = this.#options;
    if (!this.#failing) log.error('audit-failed', { file: this.#options.file, error });
    this.#failing = true;
    if (this.#closing !== undefined) return;
    this.#retry?.cancel();
    this.#retry = clock.after(this.#backoff.next(), () => {
      this.#retry = undefined;
      this.#schedule();
    });
  }

  #written(): void {
    const { clock, log, file, replica } = this.#options;
    if (this.#failing) {
      this.#failing = false;
      this.#backoff = new Backoff({ maxMs: RETRY_MAX_MS });
      log.warn('audit-recovered', { file, lost: this.#untold });
    }
    const lost = this.#untold;
    this.#untold = 0;
    const reason = 'events that could not be written are lost';
    if (lost > 0)
      this.#take({ action: 'audit', outcome: 'failed', principal: `replica/${replica}`, reason, count: lost });
    if (this.#closing !== undefined) return;
    this.#sync ??= clock.after(SYNC_MS, () => {
      this.#sync = undefined;
      this.#serially(() => this.#file.sync()).catch((error: unknown) => this.#failed(error));
    });
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#files.then(task);
    this.#files = done.catch(() => undefined);
    return done;
  }
}
