import {
  encodeFeedRecord,
  feedLimits,
  feedMalformed,
  qualifiedName,
  type FedKind,
  type FeedRecord,
  type Fingerprint,
  type KindState,
} from '../../resources/index.ts';
import type { SourceKind } from './feed-source.ts';
import type { KindLog } from './kind-log.ts';
import type { KindReader } from './kind-reader.ts';

type Mark = Extract<FeedRecord, { readonly type: 'mark' }>;

/** A difference takes 50 µs to make, and a batch has room for a thousand. */
const SLICE_MS = 8;

/** Collects the records of a batch. */
export class Batch {
  readonly parts: Buffer[] = [];
  readonly #since = performance.now();
  bytes = 0;

  /** Long enough, or long in the making: others have their turn. */
  get isFull(): boolean {
    return this.bytes >= feedLimits.batchBytes || performance.now() - this.#since >= SLICE_MS;
  }

  add(record: FeedRecord): void {
    for (const part of encodeFeedRecord(record)) {
      this.parts.push(part);
      this.bytes += part.length;
    }
  }
}

/** One kind on one stream: what its replica has been told of it. */
export class StreamKind {
  readonly #index: number;
  readonly #source: SourceKind;
  /** By qualified name, what the replica had when it came; good for the first log. */
  readonly #cursors: Readonly<Record<string, number>>;
  #announced: FedKind | undefined;
  #log: KindLog | undefined;
  #reader: KindReader | undefined;
  #collecting: Set<Fingerprint> | undefined;
  #round = 0;
  #mark: Mark | undefined;
  /** The replica has been told that what comes does not follow. */
  #isLeaping = false;
  #state = '';

  constructor(index: number, source: SourceKind, cursors: Readonly<Record<string, number>>) {
    this.#index = index;
    this.#source = source;
    this.#cursors = cursors;
  }

  /** Nothing is left to send, for now. */
  get isInStep(): boolean {
    const reader = this.#reader;
    // Whoever reads everything waits, at the end of what there is, until it is complete.
    return reader === undefined || (reader.atEnd && !(reader.isWhole && this.#source.health.isSynced));
  }

  /** Throws `feed-malformed`. */
  have(round: number, fingerprints: readonly Fingerprint[], isLast: boolean): void {
    if (this.#announced === undefined) throw feedMalformed('a kind that was not announced');
    // A new question is in place of one that was not finished.
    if (round !== this.#round) this.#collecting = undefined;
    this.#round = round;
    const known = (this.#collecting ??= new Set());
    if (known.size + fingerprints.length > feedLimits.maxObjects) throw feedMalformed('too many fingerprints');
    for (const fingerprint of fingerprints) known.add(fingerprint);
    if (!isLast) return;
    this.#collecting = undefined;
    this.#readWith(this.#source.log.readAll(known));
  }

  drop(): void {
    this.#collecting = undefined;
    this.#readWith(undefined);
  }

  /** Adds what the replica has to know before any change. */
  describe(batch: Batch): void {
    const { kind, log } = this.#source;
    if (kind === undefined) return;
    const isLost = this.#log !== log || this.#reader?.isBehind === true;
    if (this.#announced !== kind || isLost) {
      if (isLost) {
        const cursor = this.#log === undefined ? this.#cursors[qualifiedName(kind)] : undefined;
        this.#readWith(cursor === undefined ? undefined : log.readFrom(cursor));
        this.#log = log;
        this.#collecting = undefined;
      }
      this.#announced = kind;
      const resumed = this.#reader !== undefined || this.#collecting !== undefined;
      batch.add({ type: 'kind', index: this.#index, resumed, kind });
    }
  }

  /** Adds changes until the batch is full, or there are none. */
  read(batch: Batch): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    for (let isFirst = true; isFirst || !batch.isFull; isFirst = false) {
      if (reader.leaps !== this.#isLeaping) this.#close(batch, reader);
      const next = reader.read();
      if (next === undefined) break;
      if (next === 'skipped') continue;
      const { entry, delta } = next;
      const { namespace, name, version, json } = entry;
      const [kind, key] = [this.#index, { namespace, name }];
      if (json === undefined) batch.add({ type: 'delete', kind, version, key });
      else if (delta === undefined) batch.add({ type: 'put', kind, json });
      else batch.add({ type: 'delta', kind, base: delta.base.fingerprint, key, delta: delta.bytes });
    }
    this.#close(batch, reader);
  }

  /** How the kind stands, where that is news, or in any case and with its digest. */
  state(isDigestWanted: boolean): KindState | undefined {
    const { health, log, kind } = this.#source;
    if (kind === undefined) return undefined;
    const state = { index: this.#index, ...health };
    // How long ago something began is news only when it is another thing.
    const text = JSON.stringify({ ...state, problem: { ...health.problem, sinceMs: 0 } });
    if (text === this.#state && !isDigestWanted) return undefined;
    this.#state = text;
    const isComparable = this.#reader?.atEnd === true && !this.#reader.isWhole;
    return isDigestWanted && isComparable ? { ...state, digest: log.digest } : state;
  }

  #readWith(reader: KindReader | undefined): void {
    this.#reader?.close();
    this.#reader = reader;
    this.#mark = undefined;
    this.#isLeaping = false;
  }

  #close(batch: Batch, reader: KindReader): void {
    const { health, version } = this.#source;
    const { atEnd } = reader;
    if (reader.isWhole) {
      // Before there is a complete list nobody can say what is absent.
      if (!atEnd || !health.isSynced) return;
      batch.add({ type: 'absent', kind: this.#index, version, round: this.#round, fingerprints: reader.finishWhole() });
    }
    this.#isLeaping = reader.leaps;
    const mark: Mark = {
      type: 'mark',
      kind: this.#index,
      sequence: reader.sequence,
      isLeaping: reader.leaps,
      isCurrent: atEnd && health.isLive,
      version: atEnd && health.isSynced ? version : 0,
    };
    const last = this.#mark;
    if (
      last?.sequence === mark.sequence &&
      last.isCurrent === mark.isCurrent &&
      last.isLeaping === mark.isLeaping &&
      (last.version === mark.version || mark.version === 0)
    )
      return;
    this.#mark = mark;
    batch.add(mark);
  }
}
