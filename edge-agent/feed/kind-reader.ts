import type { Fingerprint } from '../../resources/index.ts';
import { LogEntry, RingNode, type EntryDelta } from './log-entry.ts';

/** What a reader needs of its log. */
export interface ReadLog {
  readonly end: RingNode;
  /** The sequence of the newest deletion that is not remembered any more. */
  readonly forgotten: number;
  /** The newest sequence that is missing: who has not read that far leaps, up to where the newest of what is missing was superseded. */
  readonly dropped: number;
  readonly leapTo: number;
  /** The newest sequence. */
  readonly last: number;
  onRead(): void;
  deltaOf(entry: LogEntry): EntryDelta | undefined;
}

export interface ReaderStart {
  /** Behind this. */
  readonly sequence: number;
  /** Everything is read, and this is what the reader has of it. */
  readonly known?: Set<Fingerprint>;
  /** What was forgotten up to here does not matter. */
  readonly safe: number;
}

/** A place in a log: it keeps its place while entries come and go. */
export class KindReader extends RingNode {
  readonly #log: ReadLog;
  /** While everything is read: what the reader said that it has, and has not been met. */
  #known: Set<Fingerprint> | undefined;
  #sequence: number;
  readonly #safe: number;
  /** Between these changes were left out, in the last leap: at its end the reader has every state of then. */
  #leapFrom = 0;
  #leapTo = 0;

  constructor(log: ReadLog, { sequence, known, safe }: ReaderStart) {
    super();
    this.#log = log;
    this.#sequence = sequence;
    this.#known = known;
    this.#safe = safe;
  }

  /** Everything up to here has been read. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Nothing is left for now. */
  get atEnd(): boolean {
    return this.#ahead() === undefined;
  }

  /** Everything is being read, except what was known. */
  get isWhole(): boolean {
    return this.#known !== undefined;
  }

  /** Deletions were forgotten before they were read: everything has to be read. */
  get isBehind(): boolean {
    return this.#log.forgotten > Math.max(this.#safe, this.#sequence);
  }

  /** What comes next does not follow what was read: some of the changes between are not kept. */
  get leaps(): boolean {
    return !this.isWhole && Math.max(this.#log.dropped, this.#leapTo) > this.#sequence;
  }

  /**
   * The next change, with the difference where the reader has the state before. `skipped`: one that is known, and while everything is
   * read, or in a leap, history.
   */
  read(): { readonly entry: LogEntry; readonly delta: EntryDelta | undefined } | 'skipped' | undefined {
    const entry = this.#ahead();
    if (entry === undefined) return undefined;
    if (!this.isWhole && this.#log.dropped > this.#sequence) this.#leap(this.#log.leapTo);
    this.moveBehind(entry);
    this.#sequence = entry.sequence;
    this.#log.onRead();
    const isInLeap = entry.sequence <= this.#leapTo;
    if (entry.supersededBy !== undefined && (this.isWhole || isInLeap)) {
      if (isInLeap) this.#leapTo = Math.max(this.#leapTo, entry.supersededBy);
      return 'skipped';
    }
    if (entry.json !== undefined && this.#known?.delete(entry.fingerprint) === true) return 'skipped';
    return { entry, delta: this.#deltaOf(entry) };
  }

  /**
   * Ends the reading of everything; returns what was said to be there and is not. Only at the end, where what was replaced has
   * been read in its new state: nothing is taken for deleted that is not.
   */
  finishWhole(): readonly Fingerprint[] {
    const absent = [...(this.#known ?? [])];
    this.#known = undefined;
    this.#sequence = this.#log.last;
    this.#log.onRead();
    return absent;
  }

  close(): void {
    this.leave();
  }

  #leap(to: number): void {
    if (this.#sequence >= this.#leapTo) this.#leapFrom = this.#sequence;
    this.#leapTo = Math.max(this.#leapTo, to);
  }

  #deltaOf(entry: LogEntry): EntryDelta | undefined {
    const delta = this.#log.deltaOf(entry);
    if (delta === undefined) return undefined;
    const { fingerprint, sequence } = delta.base;
    if (this.#known !== undefined) return this.#known.delete(fingerprint) ? delta : undefined;
    // In a leap, what was before may be one of those that were left out.
    return entry.sequence > this.#leapTo || sequence <= this.#leapFrom ? delta : undefined;
  }

  #ahead(): LogEntry | undefined {
    for (let node = this.next; node !== this.#log.end; node = node.next) if (node instanceof LogEntry) return node;
    return undefined;
  }
}
