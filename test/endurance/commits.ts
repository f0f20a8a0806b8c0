/** What a writer did, and whether an informer heard of it as it should. */

/** The labels of what a writer writes: the number of the commit, and of the one before it of the same object. */
export const COMMIT = 'endurance.test/commit';
export const BEFORE = 'endurance.test/before';

/** One change of one object. Its number is its place in the writer's log, from 1. */
export interface Commit {
  readonly name: string;
  readonly isDelete: boolean;
  /** The number of the change before it of the same object; 0: there was none. */
  readonly before: number;
}

/** An object as somebody saw it: whose commit it is. */
export interface Sighting {
  /** The writer. */
  readonly writer: string;
  readonly name: string;
  readonly commit: number;
}

/** From one commit to another. */
export type Leap = readonly [from: number, to: number];

/** What an informer met on the wire. Versions are of the server that it asked. */
export type Met =
  | { readonly met: 'list'; readonly version: number; readonly objects: readonly Sighting[] }
  | { readonly met: 'watch'; readonly from: number }
  | { readonly met: 'event'; readonly type: string; readonly version: number; readonly object: Sighting | undefined }
  | { readonly met: 'expired' | 'failed' };

export interface Verdict {
  readonly events: number;
  readonly lists: number;
  /** Lists after a 410. */
  readonly relists: number;
  readonly watches: number;
  /** Commits that were never told between two that were, without a list between. */
  readonly lost: number;
  readonly doubled: number;
  /** Told behind a later one; also events whose version is not higher than the one before. */
  readonly disordered: number;
  /** That no writer wrote. */
  readonly unknown: number;
  /** Faults of these kinds within the leaps that were allowed. */
  readonly leapt: number;
  /** The first few faults, in words. */
  readonly examples: readonly string[];
}

/**
 * Judges what an informer met by the logs of all writers: between two lists, the commits of each writer have to come one by one,
 * each once, in their order, whatever objects they are of; save within `leaps`, by writers, where newest states are enough.
 */
export function judge(
  log: readonly Met[],
  writers: Readonly<Record<string, readonly Commit[]>>,
  leaps: Readonly<Record<string, readonly Leap[]>> = {},
): Verdict {
  const counts = {
    events: 0,
    lists: 0,
    relists: 0,
    watches: 0,
    lost: 0,
    doubled: 0,
    disordered: 0,
    unknown: 0,
    leapt: 0,
  };
  const examples: string[] = [];
  const readers = new Map(Object.entries(writers).map(([name, commits]) => [name, new WriterReading(commits)]));
  let version = 0;
  let isExpired = false;
  const fault = (kind: 'lost' | 'doubled' | 'disordered' | 'unknown', text: string, count = 1): void => {
    counts[kind] += count;
    if (count > 0 && examples.length < 20) examples.push(`${kind}: ${text}`);
  };
  for (const [index, entry] of log.entries()) {
    switch (entry.met) {
      case 'list':
        counts.lists++;
        if (isExpired) counts.relists++;
        isExpired = false;
        version = entry.version;
        for (const [writer, reading] of readers)
          reading.restart(entry.objects.filter((object) => object.writer === writer));
        break;
      case 'watch':
        counts.watches++;
        break;
      case 'expired':
        isExpired = true;
        break;
      case 'failed':
        break;
      case 'event': {
        counts.events++;
        const at = `#${index} ${entry.type} @${entry.version}`;
        if (entry.version <= version) fault('disordered', `${at} behind @${version}`);
        version = Math.max(version, entry.version);
        if (entry.object === undefined) break;
        const { writer, name, commit } = entry.object;
        const reading = readers.get(writer);
        const number = reading?.numberOf(entry.type, entry.object);
        const words = `${at} ${writer}/${name} commit ${number ?? commit}`;
        const isAllowed = (one: number): boolean =>
          leaps[writer]?.some(([from, to]) => one >= from && one <= to) === true;
        if (reading === undefined || number === undefined) {
          // Of a deletion within a leap the last state that was told is of before the leap.
          const deletion = entry.type === 'DELETED' ? reading?.deletionAfter(entry.object) : undefined;
          if (isAllowed(commit) || (deletion !== undefined && isAllowed(deletion))) counts.leapt++;
          else fault('unknown', words);
          break;
        }
        const { missing, isRepeated } = reading.read(number);
        const lost = missing.filter((one) => !isAllowed(one));
        counts.leapt += missing.length - lost.length;
        fault('lost', `${words}: before it ${lost.slice(0, 5).join()}`, lost.length);
        if (isRepeated && isAllowed(number)) counts.leapt++;
        else if (isRepeated) fault('doubled', `${words} after ${reading.last}`);
      }
    }
  }
  return { ...counts, examples };
}

/** How far one writer's commits have been told. */
class WriterReading {
  readonly #commits: readonly Commit[];
  readonly #deletions = new Map<number, number>();
  /** Since a list, before the first event: what the list had. */
  #listed: ReadonlyMap<string, number> | undefined;
  last = 0;

  constructor(commits: readonly Commit[]) {
    this.#commits = commits;
    for (const [index, { isDelete, before }] of commits.entries()) if (isDelete) this.#deletions.set(before, index + 1);
  }

  restart(objects: readonly Sighting[]): void {
    this.#listed = new Map(objects.map(({ name, commit }) => [name, commit]));
    this.last = Math.max(0, ...this.#listed.values());
  }

  /** Which commit an event tells of. */
  numberOf(type: string, { name, commit }: Sighting): number | undefined {
    const number = type === 'DELETED' ? this.#deletions.get(commit) : commit;
    return number !== undefined && this.#commits[number - 1]?.name === name ? number : undefined;
  }

  /** The first deletion of an object since a state of it. */
  deletionAfter({ name, commit }: Sighting): number | undefined {
    const index = this.#commits.findIndex((one, at) => at >= commit && one.name === name && one.isDelete);
    return index === -1 ? undefined : index + 1;
  }

  read(number: number): { readonly missing: readonly number[]; readonly isRepeated: boolean } {
    if (number <= this.last) return { missing: [], isRepeated: true };
    const missing: number[] = [];
    for (let each = this.last + 1; each < number; each++) if (!this.#isInList(each, number)) missing.push(each);
    this.last = number;
    this.#listed = undefined;
    return { missing, isRepeated: false };
  }

  /** A list shows of a deletion, and of what was before it, only that there is nothing. */
  #isInList(number: number, told: number): boolean {
    const name = this.#commits[number - 1]?.name;
    if (name === undefined || this.#listed === undefined || this.#listed.has(name)) return false;
    return this.#commits.slice(number - 1, told - 1).some((commit) => commit.name === name && commit.isDelete);
  }
}
