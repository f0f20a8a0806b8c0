import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FILE = 'replicas.json';
const MAX_TARGETS = 64;

/**
 * Where replicas can be dialed: what the configuration says, and what replicas said since, which is kept on disk so that
 * an agent finds its way back when every configured address has moved.
 */
export class ReplicaList {
  readonly #configured: readonly string[];
  readonly #directory: string | undefined;
  #learned: readonly string[] = [];

  constructor(configured: readonly string[], directory: string | undefined) {
    this.#configured = configured;
    this.#directory = directory;
  }

  get targets(): readonly string[] {
    return [...new Set([...this.#learned, ...this.#configured])];
  }

  async load(): Promise<void> {
    if (this.#directory === undefined) return;
    try {
      this.#learned = targetsIn(JSON.parse(await readFile(join(this.#directory, FILE), 'utf8')));
    } catch {
      // Missing or damaged: the configured ones do, and the next WELCOME writes it anew.
    }
  }

  /** Takes what a WELCOME says; anything that is not a list of `host:port` is ignored. */
  learn(said: unknown): void {
    const targets = targetsIn(said);
    if (targets.length === 0 || targets.join() === this.#learned.join()) return;
    this.#learned = targets;
    if (this.#directory !== undefined) void save(this.#directory, targets);
  }
}

function targetsIn(said: unknown): readonly string[] {
  if (!Array.isArray(said)) return [];
  return said
    .filter((entry): entry is string => typeof entry === 'string' && /^[\w.:[\]-]{1,260}:\d{1,5}$/u.test(entry))
    .slice(0, MAX_TARGETS);
}

async function save(directory: string, targets: readonly string[]): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    const file = join(directory, FILE);
    await writeFile(`${file}.new`, JSON.stringify(targets));
    await rename(`${file}.new`, file);
  } catch {
    // A full or read-only disk must not cost a link; the list is only a convenience.
  }
}
