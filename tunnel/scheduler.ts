import type { Clock } from '../base/index.ts';
import { FrameType, StreamClass, type DataFrame, type FinFrame, type OpenFrame } from './frame.ts';
import type { Source } from './port.ts';

const QUANTUM_BYTES = 16 * 1024;
/** Of the bytes that the two classes share while both have something to send. */
const INTERACTIVE_WEIGHT = 8;
const BULK_WEIGHT = 1;
/** A stream that sends more than this for a second becomes bulk, a quieter one interactive again. */
const BULK_BYTES_PER_SECOND = 64 * 1024;
const RATE_WINDOW_MS = 1000;
/** What a frame costs beside its data, so that a flood of empty ones is not free. */
const FRAME_COST_BYTES = 32;

interface Entry {
  readonly source: Source;
  deficit: number;
  queued: boolean;
  windowStart: number;
  windowBytes: number;
  bulk: boolean;
}

interface ClassQueue {
  readonly weight: number;
  readonly entries: Entry[];
  deficit: number;
}

/**
 * Whose turn it is on a link: weighted deficit round robin between the classes and between the streams of a class
 * (Shreedhar and Varghese, "Efficient Fair Queueing Using Deficit Round Robin", 1995). Control frames are not here: the
 * link sends them first.
 */
export class Scheduler {
  readonly #clock: Clock;
  readonly #entries = new Map<Source, Entry>();
  readonly #interactive: ClassQueue = { weight: INTERACTIVE_WEIGHT, entries: [], deficit: 0 };
  readonly #bulk: ClassQueue = { weight: BULK_WEIGHT, entries: [], deficit: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get idle(): boolean {
    return this.#interactive.entries.length === 0 && this.#bulk.entries.length === 0;
  }

  /** Something of the interactive class waits. */
  get hasInteractive(): boolean {
    return this.#interactive.entries.length > 0;
  }

  /** Puts a source into the round; one that is there already stays where it is. */
  add(source: Source): void {
    let entry = this.#entries.get(source);
    if (entry === undefined) {
      const bulk = source.class === StreamClass.BULK;
      entry = { source, deficit: 0, queued: false, windowStart: this.#clock.now(), windowBytes: 0, bulk };
      this.#entries.set(source, entry);
    }
    if (entry.queued) return;
    entry.queued = true;
    this.#queueOf(entry).entries.push(entry);
  }

  remove(source: Source): void {
    const entry = this.#entries.get(source);
    if (entry === undefined) return;
    this.#entries.delete(source);
    if (!entry.queued) return;
    entry.queued = false;
    const { entries } = this.#queueOf(entry);
    entries.splice(entries.indexOf(entry), 1);
  }

  /** The next frame in turn, with at most `maxBytes` of data; undefined when nobody (of the class) has anything. */
  next(maxBytes: number, interactiveOnly = false): OpenFrame | DataFrame | FinFrame | undefined {
    for (;;) {
      const queue = interactiveOnly ? this.#interactive : this.#turn();
      const entry = queue?.entries[0];
      if (queue === undefined || entry === undefined) return undefined;
      if (entry.deficit <= 0) {
        entry.deficit += QUANTUM_BYTES;
        if (queue.entries.length > 1) this.#rotate(queue);
        continue;
      }
      const frame = entry.source.next(maxBytes);
      if (frame === undefined) {
        this.#leave(queue, entry);
        continue;
      }
      const cost = FRAME_COST_BYTES + (frame.type === FrameType.DATA ? frame.payload.length : 0);
      entry.deficit -= cost;
      queue.deficit -= cost;
      this.#account(queue, entry, cost);
      return frame;
    }
  }

  #turn(): ClassQueue | undefined {
    if (this.#bulk.entries.length === 0 || this.#interactive.entries.length === 0) {
      // Nobody to share with, nothing to remember.
      this.#bulk.deficit = 0;
      this.#interactive.deficit = 0;
      if (this.#bulk.entries.length > 0) return this.#bulk;
      return this.#interactive.entries.length > 0 ? this.#interactive : undefined;
    }
    // Both wait: the interactive class goes first as long as it keeps to its share.
    if (this.#interactive.deficit > 0) return this.#interactive;
    if (this.#bulk.deficit > 0) return this.#bulk;
    this.#interactive.deficit = Math.min(0, this.#interactive.deficit) + QUANTUM_BYTES * this.#interactive.weight;
    this.#bulk.deficit = Math.min(0, this.#bulk.deficit) + QUANTUM_BYTES * this.#bulk.weight;
    return this.#interactive;
  }

  /** Moves a stream between the classes by what it really sends. */
  #account(queue: ClassQueue, entry: Entry, cost: number): void {
    entry.windowBytes += cost;
    const now = this.#clock.now();
    const quiet = now - entry.windowStart >= RATE_WINDOW_MS;
    const heavy = entry.windowBytes > BULK_BYTES_PER_SECOND;
    if (!quiet && !heavy) return;
    // More than a second's allowance within a second says "bulk" at once; "interactive" again takes a whole quiet second.
    const bulk = entry.source.class === StreamClass.BULK || !quiet;
    entry.windowStart = now;
    entry.windowBytes = 0;
    if (bulk === entry.bulk || !entry.queued) return;
    queue.entries.splice(queue.entries.indexOf(entry), 1);
    entry.bulk = bulk;
    this.#queueOf(entry).entries.push(entry);
  }

  #rotate(queue: ClassQueue): void {
    const first = queue.entries.shift();
    if (first !== undefined) queue.entries.push(first);
  }

  #leave(queue: ClassQueue, entry: Entry): void {
    entry.queued = false;
    entry.deficit = Math.min(0, entry.deficit);
    const index = queue.entries.indexOf(entry);
    if (index >= 0) queue.entries.splice(index, 1);
  }

  #queueOf(entry: Entry): ClassQueue {
    return entry.bulk ? this.#bulk : this.#interactive;
  }
}
