import { BoundedMap } from '../../base/index.ts';
import type { RawEvent, RawObject } from './reflector-sink.ts';

/** What an event means for who has heard all before it. */
export type Verdict =
  | RawEvent['type']
  /** Known already. */
  | 'repeated'
  /** The deletion of what is not there. */
  | 'stray'
  /** Older than what was heard before, of an object that is not known: what is known may be wrong. */
  | 'disordered';

/** Deletions that are remembered, to know them again when they are repeated. */
const MAX_DELETIONS = 10_000;

/**
 * Which objects are known in which version; tells what is new from what a server repeats, skips or mixes up. No I/O.
 */
export class VersionLedger {
  #versions = new Map<string, number>();
  #deleted = new BoundedMap<string, number>(MAX_DELETIONS);
  #last = 0;
  /** False while only changes behind some version are known, so that an unknown object may well be there. */
  #isComplete = false;

  get size(): number {
    return this.#versions.size;
  }

  /** The newest version that everything is known of. */
  get last(): number {
    return this.#last;
  }

  /** The state is this, as of `version`. The objects' keys must differ. */
  reset(objects: readonly RawObject[], version: number): void {
    this.#versions = new Map(objects.map((object) => [keyOf(object), object.version]));
    this.#deleted = new BoundedMap(MAX_DELETIONS);
    this.#last = version;
    this.#isComplete = true;
  }

  /** Only what changes behind `version` is known. */
  resume(version: number): void {
    this.#versions = new Map();
    this.#last = version;
    this.#isComplete = false;
  }

  /** Takes an event in, unless the verdict says that it is dropped. */
  enter(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: RawObject): Verdict {
    const key = keyOf(object);
    const { version } = object;
    const known = this.#versions.get(key);
    if (known === undefined) {
      if (version <= (this.#deleted.get(key) ?? 0)) return 'repeated';
      // Several objects may change in one version.
      if (version < this.#last) return 'disordered';
      this.#last = version;
      if (type !== 'DELETED') {
        this.#versions.set(key, version);
        return this.#isComplete || type === 'ADDED' ? 'added' : 'modified';
      }
      this.#deleted.set(key, version);
      return this.#isComplete ? 'stray' : 'deleted';
    }
    if (type === 'DELETED') {
      // Some servers send the last state with its own version, instead of the deletion's.
      if (version < known) return 'repeated';
      this.#versions.delete(key);
      this.#deleted.set(key, version);
    } else {
      if (version <= known) return 'repeated';
      this.#versions.set(key, version);
    }
    this.#last = Math.max(this.#last, version);
    return type === 'DELETED' ? 'deleted' : 'modified';
  }

  /** Everything up to `version` has been heard. */
  advance(version: number): void {
    this.#last = Math.max(this.#last, version);
  }

  /**
   * How many objects a list of the same version has otherwise than they are known here; `ignored` changed meanwhile.
   */
  differences(objects: readonly RawObject[], ignored: ReadonlySet<string>): number {
    let count = 0;
    let both = 0;
    for (const object of objects) {
      const key = keyOf(object);
      const known = this.#versions.get(key);
      if (known !== undefined) both++;
      if (known !== object.version && !ignored.has(key)) count++;
    }
    if (both === this.#versions.size) return count;
    const listed = new Set(objects.map(keyOf));
    for (const key of this.#versions.keys()) if (!listed.has(key) && !ignored.has(key)) count++;
    return count;
  }
}

export function keyOf({ namespace, name }: Pick<RawObject, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}
