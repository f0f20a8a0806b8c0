import { resourceError } from '../../resources/index.ts';
import type { Store } from '../../store/index.ts';

const TAGS = '/causeway/fleet-cursor';
/** 2^13 tags by 2^40 changes: below 2^53, so that every reader of JSON keeps it exact. */
const TAG_COUNT = 2 ** 13;
const SEQUENCE_COUNT = 2 ** 40;

/**
 * The versions of the fleet view. Edges count their changes each for itself, so a replica counts anew what reaches it: a cursor
 * is the tag of its process times 2^40, and a sequence. Tags are taken from the store, so no two replicas have the same, and
 * a restart has a higher one. They repeat after 8191 starts: no watch is as old as that.
 */
export class FleetCursor {
  readonly #base: number;
  #last: number;

  /** Takes the next tag. */
  static async open(store: Store): Promise<FleetCursor> {
    for (;;) {
      const entry = await store.get(TAGS);
      // 0 is left out: no small number, such as an edge's own version, may look like a cursor.
      const tag = entry === undefined ? 1 : (Number(entry.value.toString('utf8')) % (TAG_COUNT - 1)) + 1;
      const { applied } = await store.txn({
        if: [{ key: TAGS, modRevision: entry?.modRevision ?? 0 }],
        then: [{ type: 'put', key: TAGS, value: Buffer.from(String(tag)) }],
      });
      if (applied) return new FleetCursor(tag);
    }
  }

  /** `tag` from 1 to 8191. */
  constructor(tag: number) {
    this.#base = tag * SEQUENCE_COUNT;
    this.#last = this.#base;
  }

  /** The newest that was issued. */
  get last(): number {
    return this.#last;
  }

  /** A higher one than any before. */
  next(): number {
    return ++this.#last;
  }

  /** Throws `version-expired` for a version that another process issued, or no process at all. */
  check(version: number): void {
    if (version >= this.#base && version < this.#base + SEQUENCE_COUNT) return;
    throw resourceError('version-expired', { detail: 'another replica issued it, or this one before its restart' });
  }
}
