import { Digest, encodeDelta, fingerprintOf, type Fingerprint } from '../../resources/index.ts';
import { KindReader, type ReadLog } from './kind-reader.ts';
import { LogEntry, RingNode, type EntryBase, type EntryDelta } from './log-entry.ts';

export interface KindLogOptions {
  /** Gives the next sequence of the feed. */
  readonly nextSequence: () => number;
  /** Deletions that are remembered. Default 10,000. A reader behind a forgotten one reads everything, but for what it has. */
  readonly maxTombstones?: number;
  /** Superseded states that are kept for readers that have not read them, bytes. Default 4 MiB. */
  readonly maxHistoryBytes?: number;
  /** States before others, kept until somebody wants the difference, bytes. Default 4 MiB. */
  readonly maxBaseBytes?: number;
}

/** Of a superseded state beside its JSON. */
const ENTRY_BYTES = 256;

/**
 * One kind's changes, in their order: the newest state of every object, the newest deletions, and behind a floor that moves up with
 * the limit of its bytes every state that was superseded. Who reads on from a sequence above the floor gets each change;
 * who comes from below gets the newest states there, and is told that this is a leap.
 */
export class KindLog implements ReadLog {
  readonly #options: Required<KindLogOptions>;
  /** The newest of each object. */
  readonly #entries = new Map<string, LogEntry>();
  readonly #tombstones = new Set<LogEntry>();
  /** Those with a base, the oldest first. */
  readonly #based = new Set<LogEntry>();
  readonly #digest = new Digest();
  /** Stands between the newest and the oldest entry. */
  readonly end = new RingNode();
  /** Before it there is no history. */
  readonly #floor = new RingNode();
  #floorSequence = 0;
  #bytes = 0;
  #historyBytes = 0;
  #baseBytes = 0;
  #last = 0;
  #forgotten = 0;
  #dropped = 0;
  #leapTo = 0;
  /** Somebody has read, and may go on. */
  #isRead = false;

  constructor(options: KindLogOptions) {
    const mib = 1024 * 1024;
    this.#options = { maxTombstones: 10_000, maxHistoryBytes: 4 * mib, maxBaseBytes: 4 * mib, ...options };
    this.#floor.moveBehind(this.end);
  }

  /** Of the newest states. */
  get objectBytes(): number {
    return this.#bytes;
  }

  /** Of all that is kept. */
  get bytes(): number {
    return this.#bytes + this.#historyBytes + this.#baseBytes;
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

  get dropped(): number {
    return this.#dropped;
  }

  get leapTo(): number {
    return this.#leapTo;
  }

  get last(): number {
    return this.#last;
  }

  /** Where objects stand that there are. */
  *objects(): Generator<LogEntry, void, undefined> {
    for (const entry of this.#entries.values()) if (entry.json !== undefined) yield entry;
  }

  /**
   * Takes a state; one that is byte by byte what there is changes nothing. `isLeap`: others may have been between it and the one before,
   * or changes of other objects between this change and the last.
   */
  put(namespace: string, name: string, version: number, json: Buffer, isLeap = false): boolean {
    const fingerprint = fingerprintOf(json);
    const old = this.#entries.get(`${namespace}/${name}`);
    if (old?.json !== undefined && old.fingerprint === fingerprint) return false;
    const entry = new LogEntry({ namespace, name }, this.#next(), version, json, fingerprint);
    if (old !== undefined) this.#supersede(old, entry.sequence);
    this.#append(entry, isLeap);
    if (old?.json !== undefined) {
      const { json: before, fingerprint: known, sequence } = old;
      this.#keepBase(entry, { json: before, fingerprint: known, sequence });
    }
    return true;
  }

  delete(namespace: string, name: string, version: number, isLeap = false): boolean {
    const old = this.#entries.get(`${namespace}/${name}`);
    if (old?.json === undefined) return false;
    const entry = new LogEntry({ namespace, name }, this.#next(), version, undefined, 0n);
    this.#supersede(old, entry.sequence);
    this.#append(entry, isLeap);
    for (const oldest of this.#tombstones) {
      if (this.#tombstones.size <= this.#options.maxTombstones) break;
      this.#forgotten = Math.max(this.#forgotten, oldest.sequence);
      this.#tombstones.delete(oldest);
      this.#entries.delete(`${oldest.namespace}/${oldest.name}`);
      oldest.leave();
    }
    return true;
  }

  /** Reads on behind a sequence; undefined when deletions since then are forgotten. */
  readFrom(sequence: number): KindReader | undefined {
    if (sequence < this.#forgotten) return undefined;
    let place = this.end.previous;
    while (place !== this.end && !(place instanceof LogEntry && place.sequence <= sequence)) place = place.previous;
    return readerBehind(place, new KindReader(this, { sequence, safe: 0 }));
  }

  /** Reads everything but what is known. */
  readAll(known: Set<Fingerprint>): KindReader {
    return readerBehind(this.end, new KindReader(this, { sequence: 0, known, safe: this.#last }));
  }

  onRead(): void {
    this.#isRead = true;
  }

  /** The difference from the state before; it is made once for all readers. */
  deltaOf(entry: LogEntry): EntryDelta | undefined {
    const { base, json } = entry;
    if (base !== undefined && json !== undefined) {
      const bytes = encodeDelta(base.json, json);
      const isShort = bytes.length * 2 < json.length;
      const { fingerprint, sequence } = base;
      if (isShort) entry.delta = { base: { fingerprint, sequence }, bytes };
      this.#forgetBase(entry);
    }
    return entry.delta;
  }

  #next(): number {
    this.#last = this.#options.nextSequence();
    return this.#last;
  }

  #append(entry: LogEntry, isLeap: boolean): void {
    if (isLeap) this.#leap(entry.sequence, entry.sequence);
    this.#entries.set(`${entry.namespace}/${entry.name}`, entry);
    entry.moveBehind(this.end.previous);
    if (entry.json === undefined) {
      this.#tombstones.add(entry);
    } else {
      this.#digest.add(entry.fingerprint);
      this.#bytes += entry.json.length;
    }
  }

  /** There is a newer one. While nobody has read anything nobody goes on from anywhere, and there is no history. */
  #supersede(entry: LogEntry, by: number): void {
    this.#tombstones.delete(entry);
    if (entry.json !== undefined) {
      this.#digest.remove(entry.fingerprint);
      this.#bytes -= entry.json.length;
    }
    entry.supersededBy = by;
    this.#historyBytes += historyBytesOf(entry);
    if (!this.#isRead || entry.sequence <= this.#floorSequence) this.#drop(entry, by);
    while (this.#historyBytes > this.#options.maxHistoryBytes && this.#floor.next !== this.end) this.#raiseFloor();
  }

  #raiseFloor(): void {
    const node = this.#floor.next;
    this.#floor.moveBehind(node);
    if (!(node instanceof LogEntry)) return;
    this.#floorSequence = node.sequence;
    if (node.supersededBy !== undefined) this.#drop(node, node.supersededBy);
  }

  /** Whoever has not read it does not get it any more. */
  #drop(entry: LogEntry, successor: number): void {
    this.#historyBytes -= historyBytesOf(entry);
    this.#leap(entry.sequence, successor);
    this.#forgetBase(entry);
    entry.leave();
  }

  #leap(missing: number, to: number): void {
    this.#dropped = Math.max(this.#dropped, missing);
    this.#leapTo = Math.max(this.#leapTo, to);
  }

  #keepBase(entry: LogEntry, base: EntryBase): void {
    if (!this.#isRead) return;
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

function historyBytesOf({ json }: LogEntry): number {
  return ENTRY_BYTES + (json?.length ?? 0);
}

function readerBehind(place: RingNode, reader: KindReader): KindReader {
  reader.moveBehind(place);
  return reader;
}
