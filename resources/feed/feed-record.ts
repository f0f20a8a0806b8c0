import { feedMalformed } from './feed-error.ts';
import { parseKind, parseStart, parseState, type FeedStart, type KindRecord, type KindState } from './fed-kind.ts';
import { feedLimits } from './feed-limits.ts';
import { decodeFingerprints, encodeFingerprints, FINGERPRINT_BYTES, type Fingerprint } from './fingerprint.ts';

/** What an agent tells a replica, in this order for each kind: `kind`, then changes, each run of them closed by a `mark`. */
export type FeedRecord =
  /** The first of a stream. */
  | ({ readonly type: 'start' } & FeedStart)
  /** A kind that the edge feeds, or a new description of one. */
  | ({ readonly type: 'kind' } & KindRecord)
  /** A whole object: new, or a new state. */
  | { readonly type: 'put'; readonly kind: number; readonly json: Buffer }
  /** A new state of an object, as what it differs in from the one with that fingerprint. */
  | {
      readonly type: 'delta';
      readonly kind: number;
      readonly base: Fingerprint;
      readonly key: ObjectKey;
      readonly delta: Buffer;
    }
  | { readonly type: 'delete'; readonly kind: number; readonly version: number; readonly key: ObjectKey }
  /** Everything that the replica has not has been sent; and of what it said that it has, these are nowhere at the edge. */
  | {
      readonly type: 'absent';
      readonly kind: number;
      /** The question that this answers. */
      readonly round: number;
      readonly version: number;
      readonly fingerprints: readonly Fingerprint[];
    }
  /** Everything of a kind up to this sequence has been sent. */
  | {
      readonly type: 'mark';
      readonly kind: number;
      readonly sequence: number;
      /** Nothing newer was known when it was sent, and the edge's API was well. */
      readonly isCurrent: boolean;
      /** What comes behind it, up to the next that does not say so, are newest states: changes between were left out. It is no cursor. */
      readonly isLeaping: boolean;
      /** The newest version of the edge's API that is contained; 0 where that is not known. */
      readonly version: number;
    }
  /** How the kinds stand, those that have changed. */
  | { readonly type: 'state'; readonly kinds: readonly KindState[] }
  /** All is as the last state said, and nothing is newer than what was sent. */
  | { readonly type: 'alive' };

export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

const Type = { START: 1, KIND: 2, PUT: 3, DELTA: 4, DELETE: 5, ABSENT: 6, MARK: 7, STATE: 8, ALIVE: 9 } as const;
/** From here up an unknown record is skipped, below it is an error. */
const FIRST_SKIPPABLE_TYPE = 0x80;
/** Bits of a mark. */
const CURRENT = 1;
const LEAPING = 2;
const HEADER_BYTES = 5;
const MAX_KEY_BYTES = 2 * 253 + 1;

/** `length u32 · type u8 · body`, big-endian; the length is the body's. Returned in parts, so that an object's bytes are not copied. */
export function encodeFeedRecord(record: FeedRecord): readonly Buffer[] {
  switch (record.type) {
    case 'start':
      return framed(Type.START, json({ version: record.version, feed: record.feed }));
    case 'kind':
      return framed(Type.KIND, json({ index: record.index, resumed: record.resumed, kind: record.kind }));
    case 'put':
      return framed(Type.PUT, numbers(record.kind), record.json);
    case 'delta': {
      const base = Buffer.alloc(FINGERPRINT_BYTES);
      base.writeBigUInt64BE(record.base);
      return framed(Type.DELTA, numbers(record.kind), base, keyBytes(record.key), record.delta);
    }
    case 'delete':
      return framed(Type.DELETE, numbers(record.kind, record.version), keyBytes(record.key));
    case 'absent':
      return framed(
        Type.ABSENT,
        numbers(record.kind, record.version, record.round),
        encodeFingerprints(record.fingerprints),
      );
    case 'mark':
      return framed(
        Type.MARK,
        numbers(record.kind, record.sequence, record.version),
        Buffer.of((record.isCurrent ? CURRENT : 0) | (record.isLeaping ? LEAPING : 0)),
      );
    case 'state':
      return framed(Type.STATE, json({ kinds: record.kinds }));
    case 'alive':
      return framed(Type.ALIVE);
  }
}

/** The records of one batch, one after the other. Throws `feed-malformed`. What they hold is part of `batch`. */
export function* decodeFeedRecords(batch: Buffer): Generator<FeedRecord, void, undefined> {
  let at = 0;
  while (at < batch.length) {
    if (batch.length - at < HEADER_BYTES) throw feedMalformed('half a record');
    const length = batch.readUInt32BE(at);
    const type = batch.readUInt8(at + 4);
    at += HEADER_BYTES;
    if (length > batch.length - at) throw feedMalformed('a record that is longer than its batch');
    const record = decodeBody(type, batch.subarray(at, at + length));
    at += length;
    if (record !== undefined) yield record;
  }
}

function decodeBody(type: number, body: Buffer): FeedRecord | undefined {
  const reader = new BodyReader(body);
  switch (type) {
    case Type.START:
      return { type: 'start', ...parseStart(body) };
    case Type.KIND:
      return { type: 'kind', ...parseKind(body) };
    case Type.PUT: {
      const kind = reader.kind();
      const object = reader.rest();
      if (object.length > feedLimits.maxObjectBytes) throw feedMalformed(`an object of ${object.length} bytes`);
      return { type: 'put', kind, json: object };
    }
    case Type.DELTA:
      return {
        type: 'delta',
        kind: reader.kind(),
        base: reader.fingerprint(),
        key: reader.key(),
        delta: reader.rest(),
      };
    case Type.DELETE:
      return { type: 'delete', kind: reader.kind(), version: reader.number(), key: reader.key() };
    case Type.ABSENT: {
      const [kind, version, round, bytes] = [reader.kind(), reader.number(), reader.number(), reader.rest()];
      if (bytes.length % FINGERPRINT_BYTES !== 0) throw feedMalformed('half a fingerprint');
      return { type: 'absent', kind, version, round, fingerprints: decodeFingerprints(bytes) };
    }
    case Type.MARK: {
      const [kind, sequence, version, flags] = [reader.kind(), reader.number(), reader.number(), reader.rest()];
      const [bits = 0] = flags;
      if (flags.length !== 1 || bits > (CURRENT | LEAPING)) throw feedMalformed('a mark');
      const [isCurrent, isLeaping] = [(bits & CURRENT) !== 0, (bits & LEAPING) !== 0];
      return { type: 'mark', kind, sequence, version, isCurrent, isLeaping };
    }
    case Type.STATE:
      return { type: 'state', ...parseState(body) };
    case Type.ALIVE:
      return { type: 'alive' };
    default:
      if (type < FIRST_SKIPPABLE_TYPE) throw feedMalformed(`a record of type ${type}`);
      return undefined;
  }
}

class BodyReader {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  kind(): number {
    return this.#take(2).readUInt16BE();
  }

  number(): number {
    const value = Number(this.#take(8).readBigUInt64BE());
    if (!Number.isSafeInteger(value)) throw feedMalformed('a number of 2^53 or more');
    return value;
  }

  fingerprint(): Fingerprint {
    return this.#take(FINGERPRINT_BYTES).readBigUInt64BE();
  }

  key(): ObjectKey {
    const length = this.#take(2).readUInt16BE();
    if (length > MAX_KEY_BYTES) throw feedMalformed('a name that is too long');
    const text = this.#take(length).toString('utf8');
    const slash = text.indexOf('/');
    if (slash < 0 || slash === text.length - 1) throw feedMalformed('an object without a name');
    return { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
  }

  rest(): Buffer {
    return this.#take(this.#body.length - this.#at);
  }

  #take(bytes: number): Buffer {
    if (this.#body.length - this.#at < bytes) throw feedMalformed('a record that is too short');
    this.#at += bytes;
    return this.#body.subarray(this.#at - bytes, this.#at);
  }
}

function framed(type: number, ...body: readonly Buffer[]): readonly Buffer[] {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(body.reduce((bytes, part) => bytes + part.length, 0));
  header.writeUInt8(type, 4);
  return [header, ...body];
}

function numbers(kind: number, ...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(2 + 8 * values.length);
  bytes.writeUInt16BE(kind);
  values.forEach((value, index) => bytes.writeBigUInt64BE(BigInt(value), 2 + 8 * index));
  return bytes;
}

function keyBytes({ namespace, name }: ObjectKey): Buffer {
  const text = Buffer.from(`${namespace}/${name}`);
  const length = Buffer.allocUnsafe(2);
  length.writeUInt16BE(text.length);
  return Buffer.concat([length, text]);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
