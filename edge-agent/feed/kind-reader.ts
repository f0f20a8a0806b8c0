import type { Fingerprint } from '../../resources/index.ts';
import { LogEntry, RingNode, type EntryDelta } from './log-entry.ts';

/** What a reader needs of its log. */
export interface ReadLog {
  readonly end: RingNode;
  /** The sequence of the newest deletion that is not remembered any more. */
  readonly forgotten: number;
  onRead(sequence: number): void;
  onClose(reader: KindReader): void;
  deltaOf(entry: LogEntry): EntryDelta | undefined;
}

export interface ReaderStart {
  /** Tells it from others, before and after. */
  readonly number: number;
  /** Behind this. */
  readonly sequence: number;
  /** Everything is read, and this is what the reader has of it. */
  readonly known?: Set<Fingerprint>;
  /** What was forgotten up to here does not matter. */
  readonly safe: number;
}

/** A place in a log: it keeps its place while entries come, go and move to the end. */
export class KindReader extends RingNode {
  readonly #log: ReadLog;
  /** While everything is read: what the reader said that it has, and has not been met. */
  #known: Set<Fingerprint> | undefined;
  #sequence: number;
  readonly #safe: number;
  readonly number: number;
  /** What was there up to here when it began is known to be held. */
  readonly #begin: number;

  constructor(log: ReadLog, { number, sequence, known, safe }: ReaderStart) {
    super();
    this.number = number;
    this.#begin = sequence;
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

  /** The next change, with the difference where the reader has its base. While everything is read, what was known is `skipped`. */
  read(): { readonly entry: LogEntry; readonly delta: EntryDelta | undefined } | 'skipped' | undefined {
    const entry = this.#ahead();
    if (entry === undefined) return undefined;
    this.moveBehind(entry);
    this.#sequence = entry.sequence;
    this.#log.onRead(entry.sequence);
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
    return absent;
  }

  close(): void {
    this.leave();
    this.#log.onClose(this);
  }

  #deltaOf(entry: LogEntry): EntryDelta | undefined {
    const delta = this.#log.deltaOf(entry);
    if (delta === undefined) return undefined;
    const { fingerprint, sequence, readers, isCommon } = delta.base;
    const hasBase =
      readers.includes(this.number) ||
      (isCommon && this.#begin >= sequence) ||
      this.#known?.delete(fingerprint) === true;
    return hasBase ? delta : undefined;
  }

  #ahead(): LogEntry | undefined {
    for (let node = this.next; node !== this.#log.end; node = node.next) if (node instanceof LogEntry) return node;
    return undefined;
  }
}
