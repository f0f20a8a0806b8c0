import { Digest, encodeDelta, fingerprintOf, type Fingerprint } from '../../resources/index.ts';
import { KindReader, type ReadLog } from './kind-reader.ts';
import { LogEntry, RingNode, type EntryDelta } from './log-entry.ts';

export interface KindLogOptions {
  /** Gives the next sequence of the feed. */
  readonly nextSequence: () => number;
  /** Deletions that are remembered. Default 10,000. A reader behind a forgotten one reads everything, but for what it has. */
  readonly maxTombstones?: number;
  /** Older states, kept until somebody wants the difference, bytes. Default 4 MiB. */
  readonly maxBaseBytes?: number;
}

/**
 * One kind's objects in the order in which they changed last. A change takes its object to the end, so that the log is never
 * longer than there are objects and remembered deletions, and whoever reads on from a sequence gets what is newer, each object once.
 */
export class KindLog implements ReadLog {
  readonly #options: Required<KindLogOptions>;
  readonly #entries = new Map<string, LogEntry>();
  readonly #tombstones = new Set<LogEntry>();
  /** Those with a base, the oldest first. */
  readonly #based = new Set<LogEntry>();
  readonly #readers = new Set<KindReader>();
  readonly #digest = new Digest();
  /** Stands between the newest and the oldest entry. */
  readonly end = new RingNode();
  #bytes = 0;
  #baseBytes = 0;
  #nextReader = 1;
  #last = 0;
  #forgotten = 0;
  /** How far anybody has ever read: states newer than this nobody has. */
  #read = 0;

  constructor(options: KindLogOptions) {
    this.#options = { maxTombstones: 10_000, maxBaseBytes: 4 * 1024 * 1024, ...options };
  }

  get bytes(): number {
    return this.#bytes + this.#baseBytes;
  }

  /** Objects. */
  get size(): number {
    return this.#digest.count;
  }

  get digest(): string {
    return this.#digest.toString();
  }

  get forgotten(): number {
    return this.#forgotten;
  }

  /** Where objects stand that there are. */
  *objects(): Generator<LogEntry, void, undefined> {
    for (const entry of this.#entries.values()) if (entry.json !== undefined) yield entry;
  }

  /** Takes a state; one that is byte by byte what there is changes nothing. */
  put(namespace: string, name: string, version: number, json: Buffer): boolean {
    const key = `${namespace}/${name}`;
    const fingerprint = fingerprintOf(json);
    const old = this.#entries.get(key);
    if (old?.json !== undefined && old.fingerprint === fingerprint) return false;
    const entry = new LogEntry({ namespace, name }, this.#next(), version, json, fingerprint);
    if (old !== undefined) {
      const base = this.#baseAfter(old);
      this.#drop(old);
      if (base !== undefined) this.#keepBase(entry, base);
    }
    this.#append(entry);
    return true;
  }

  delete(namespace: string, name: string, version: number): boolean {
    const old = this.#entries.get(`${namespace}/${name}`);
    if (old?.json === undefined) return false;
    this.#drop(old);
    this.#append(new LogEntry({ namespace, name }, this.#next(), version, undefined, 0n));
    for (const oldest of this.#tombstones) {
      if (this.#tombstones.size <= this.#options.maxTombstones) break;
      this.#forgotten = Math.max(this.#forgotten, oldest.sequence);
      this.#drop(oldest);
    }
    return true;
  }

  /** Reads on behind a sequence; undefined when deletions since then are forgotten. */
  readFrom(sequence: number): KindReader | undefined {
    if (sequence < this.#forgotten) return undefined;
    let place = this.end.previous;
    while (place !== this.end && !(place instanceof LogEntry && place.sequence <= sequence)) place = place.previous;
    return this.#readerBehind(place, new KindReader(this, { number: this.#nextReader++, sequence, safe: 0 }));
  }

  /** Reads everything but what is known. */
  readAll(known: Set<Fingerprint>): KindReader {
    const start = { number: this.#nextReader++, sequence: 0, known, safe: this.#last };
    return this.#readerBehind(this.end, new KindReader(this, start));
  }

  onRead(sequence: number): void {
    this.#read = Math.max(this.#read, sequence);
  }

  /** The difference from the newest state that somebody may have; it is made once for all readers. */
  deltaOf(entry: LogEntry): EntryDelta | undefined {
    const { base, json } = entry;
    if (base !== undefined && json !== undefined) {
      const bytes = encodeDelta(base.json, json);
      const isShort = bytes.length * 2 < json.length;
      const { fingerprint, sequence, readers, isCommon } = base;
      if (isShort) entry.delta = { base: { fingerprint, sequence, readers, isCommon }, bytes };
      this.#forgetBase(entry);
    }
    return entry.delta;
  }

  onClose(reader: KindReader): void {
    this.#readers.delete(reader);
  }

  #readerBehind(place: RingNode, reader: KindReader): KindReader {
    reader.moveBehind(place);
    this.#readers.add(reader);
    return reader;
  }

  #next(): number {
    this.#last = this.#options.nextSequence();
    return this.#last;
  }

  #append(entry: LogEntry): void {
    this.#entries.set(`${entry.namespace}/${entry.name}`, entry);
    entry.moveBehind(this.end.previous);
    if (entry.json === undefined) {
      this.#tombstones.add(entry);
    } else {
      this.#digest.add(entry.fingerprint);
      this.#bytes += entry.json.length;
    }
  }

  #drop(entry: LogEntry): void {
    this.#entries.delete(`${entry.namespace}/${entry.name}`);
    entry.leave();
    this.#forgetBase(entry);
    if (entry.json === undefined) {
      this.#tombstones.delete(entry);
    } else {
      this.#digest.remove(entry.fingerprint);
      this.#bytes -= entry.json.length;
    }
  }

  /** What of an object's states somebody may have: this one, or the one that was kept when nobody had read this one. */
  #baseAfter({ json, sequence, fingerprint, base }: LogEntry): LogEntry['base'] {
    if (json === undefined || sequence > this.#read) return base;
    const readers: number[] = [];
    for (const reader of this.#readers) if (reader.sequence >= sequence) readers.push(reader.number);
    return { json, fingerprint, sequence, readers, isCommon: readers.length === this.#readers.size };
  }

  #keepBase(entry: LogEntry, base: NonNullable<LogEntry['base']>): void {
    entry.base = base;
    this.#based.add(entry);
    this.#baseBytes += base.json.length;
    for (const oldest of this.#based) {
      if (this.#baseBytes <= this.#options.maxBaseBytes) break;
      this.#forgetBase(oldest);
    }
  }

  #forgetBase(entry: LogEntry): void {
    if (entry.base !== undefined && this.#based.delete(entry)) this.#baseBytes -= entry.base.json.length;
    entry.base = undefined;
  }
}
