import { feedMalformed } from './feed-error.ts';
import { feedLimits } from './feed-limits.ts';
import { decodeFingerprints, encodeFingerprints, FINGERPRINT_BYTES, type Fingerprint } from './fingerprint.ts';

/** What a replica tells an agent. */
export type FeedRequest =
  /** This is what it has of a kind: send what differs, and go on from there. It may take several; `isLast` closes it. */
  | {
      readonly type: 'have';
      readonly kind: number;
      /** Names the question: its answer, `absent`, repeats it. */
      readonly round: number;
      readonly isLast: boolean;
      readonly fingerprints: readonly Fingerprint[];
    }
  /** Send no more of this kind. */
  | { readonly type: 'drop'; readonly kind: number };

const Type = { HAVE: 1, DROP: 2 } as const;
const HEADER_BYTES = 5;
const HAVE_HEADER_BYTES = 7;
const FINGERPRINTS_A_RECORD = Math.floor((feedLimits.maxRequestBytes - HAVE_HEADER_BYTES) / FINGERPRINT_BYTES);

/** What a replica has of a kind, as records within the bound. */
export function* haveRecords(
  kind: number,
  round: number,
  fingerprints: readonly Fingerprint[],
): Generator<Buffer, void, undefined> {
  let from = 0;
  do {
    const part = fingerprints.slice(from, from + FINGERPRINTS_A_RECORD);
    from += part.length;
    yield encodeFeedRequest({ type: 'have', kind, round, isLast: from === fingerprints.length, fingerprints: part });
  } while (from < fingerprints.length);
}

/** `length u32 · type u8 · kind u16 ...`, big-endian; the length is that of what follows the type. */
export function encodeFeedRequest(request: FeedRequest): Buffer {
  const rest =
    request.type === 'have'
      ? Buffer.concat([haveHeader(request.round, request.isLast), encodeFingerprints(request.fingerprints)])
      : Buffer.alloc(0);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + 2);
  bytes.writeUInt32BE(2 + rest.length);
  bytes.writeUInt8(request.type === 'have' ? Type.HAVE : Type.DROP, 4);
  bytes.writeUInt16BE(request.kind, HEADER_BYTES);
  return Buffer.concat([bytes, rest]);
}

function haveHeader(round: number, isLast: boolean): Buffer {
  const bytes = Buffer.alloc(HAVE_HEADER_BYTES - 2);
  bytes.writeUInt32BE(round);
  bytes.writeUInt8(isLast ? 1 : 0, 4);
  return bytes;
}

/** Puts requests together from the pieces in which a stream brings them; holds at most one. */
export class FeedRequestReader {
  #pending: Buffer = Buffer.alloc(0);

  /** Throws `feed-malformed`. */
  *push(bytes: Buffer): Generator<FeedRequest, void, undefined> {
    let rest = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE();
      if (length > feedLimits.maxRequestBytes) throw feedMalformed(`a request of ${length} bytes`);
      if (rest.length < HEADER_BYTES + length) break;
      yield decode(rest.readUInt8(4), rest.subarray(HEADER_BYTES, HEADER_BYTES + length));
      rest = rest.subarray(HEADER_BYTES + length);
    }
    this.#pending = rest;
  }
}

function decode(type: number, body: Buffer): FeedRequest {
  if (body.length < 2) throw feedMalformed('a request that is too short');
  const kind = body.readUInt16BE();
  if (type === Type.DROP && body.length === 2) return { type: 'drop', kind };
  if (type !== Type.HAVE || body.length < HAVE_HEADER_BYTES) throw feedMalformed(`a request of type ${type}`);
  const fingerprints = body.subarray(HAVE_HEADER_BYTES);
  if (fingerprints.length % FINGERPRINT_BYTES !== 0) throw feedMalformed('half a fingerprint');
  const [round, isLast] = [body.readUInt32BE(2), body[6] === 1];
  return { type: 'have', kind, round, isLast, fingerprints: decodeFingerprints(fingerprints) };
}
