import { messageOf, validate, z } from '../../base/index.ts';
import { hashOfSecret } from '../../certs/index.ts';
import { storeError, type Entry, type Store } from '../../store/index.ts';
import { enrolmentError } from './enrolment-error.ts';

/** Beside the objects and not among them: whoever may read JoinTokens does not see this. */
const PREFIX = '/causeway/join-tokens/';

/** Compared with where there is no token: no secret has this hash. */
export const hashOfNothing = hashOfSecret('');

/** Enrolments that a record remembers, so that an edge whose answer was lost can ask once more. */
const MAX_REMEMBERED = 16;

/** How long an edge may ask once more. */
const REPEAT_WITHIN_MS = 10 * 60_000;

const recordSchema = z.strictObject({
  /** `hashOfSecret`. */
  hash: z.string(),
  /** Of the JoinToken object that it belongs to: one of the same name that was made later is another. */
  uid: z.string(),
  used: z.int().min(0),
  /** The last ones. */
  enrolled: z.array(z.strictObject({ edge: z.string(), keyPin: z.string(), at: z.number() })),
});

export type TokenRecord = z.output<typeof recordSchema>;

/** Who takes a use of a token. */
export interface TokenUse {
  readonly edge: string;
  readonly keyPin: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What the store holds of join tokens that no object shows: the hash of the secret, and the uses, counted by compare-and-set. */
export class TokenRecords {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async create(id: string, { hash, uid }: Pick<TokenRecord, 'hash' | 'uid'>): Promise<void> {
    const key = PREFIX + id;
    const value = bytesOf({ hash, uid, used: 0, enrolled: [] });
    const result = await this.#store.txn({ if: [{ key, modRevision: 0 }], then: [{ type: 'put', key, value }] });
    if (!result.applied) throw storeError('store-invalid', 'a join token of this id is there already');
  }

  async find(id: string): Promise<TokenRecord | undefined> {
    const entry = await this.#store.get(PREFIX + id);
    return entry === undefined ? undefined : recordIn(entry);
  }

  async delete(id: string): Promise<void> {
    await this.#store.txn({ then: [{ type: 'delete', key: PREFIX + id }] });
  }

  /**
   * Takes one use; of several who take the last one at the same time, one gets it. Returns how many are used then. Throws
   * `token-used`, and `token-unknown` when the token has been deleted.
   */
  async take(id: string, use: TokenUse, maxUses: number): Promise<number> {
    const { used } = await this.#change(id, (record) => {
      if (record.used >= maxUses)
        throw enrolmentError('token-used', { detail: `${record.used} of ${maxUses} times, ${lastOf(record)}` });
      return { ...record, used: record.used + 1, enrolled: [...record.enrolled, use].slice(-MAX_REMEMBERED) };
    });
    return used;
  }

  /** Gives back a use that came to nothing. */
  async giveBack(id: string, use: TokenUse): Promise<void> {
    await this.#change(id, (record) => {
      const enrolled = record.enrolled.filter((known) => !isSame(known, use) || known.at !== use.at);
      return { ...record, used: Math.max(0, record.used - 1), enrolled };
    });
  }

  async #change(id: string, change: (record: TokenRecord) => TokenRecord): Promise<TokenRecord> {
    const key = PREFIX + id;
    let entry = await this.#store.get(key);
    for (;;) {
      if (entry === undefined) throw enrolmentError('token-unknown', { detail: 'it was deleted' });
      const next = change(recordIn(entry));
      const result = await this.#store.txn({
        if: [{ key, modRevision: entry.modRevision }],
        then: [{ type: 'put', key, value: bytesOf(next) }],
      });
      if (result.applied) return next;
      // Somebody else took one: what is left is looked at again.
      entry = result.found[0];
    }
  }
}

/** Whether this edge has got just this, a short while ago: its answer was lost, or it asks once more. */
export function isRepeated({ enrolled }: TokenRecord, use: TokenUse): boolean {
  return enrolled.some((known) => isSame(known, use) && use.at - known.at <= REPEAT_WITHIN_MS);
}

function isSame(known: TokenUse, { edge, keyPin }: TokenUse): boolean {
  return known.edge === edge && known.keyPin === keyPin;
}

function lastOf({ enrolled }: TokenRecord): string {
  const last = enrolled.at(-1);
  return last === undefined ? 'nobody is known' : `last by ${last.edge} at ${new Date(last.at).toISOString()}`;
}

function recordIn({ key, value }: Entry): TokenRecord {
  try {
    const result = validate(recordSchema, JSON.parse(value.toString('utf8')));
    if ('value' in result) return result.value;
    throw new Error(result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  } catch (error) {
    throw storeError('store-failed', `${key} cannot be read: ${messageOf(error)}`, error);
  }
}

function bytesOf(record: TokenRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}
