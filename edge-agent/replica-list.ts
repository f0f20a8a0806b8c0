import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LinkTarget } from '../tunnel/index.ts';

const MAX_TARGETS = 64;

/**
 * Where replicas can be dialed: what the configuration says, and what replicas said since, which is kept on disk so that
 * an agent finds its way back when every configured address has moved.
 */
export class ReplicaList {
  readonly #configured: readonly string[];
  readonly #file: string | undefined;
  #learned: readonly LinkTarget[] = [];

  /** `file`: the name of what is kept in the directory. */
  constructor(configured: readonly string[], directory: string | undefined, file = 'replicas.json') {
    this.#configured = configured;
    this.#file = directory === undefined ? undefined : join(directory, file);
  }

  /** What was learned first; the configured ones, of which no site is known, after that. */
  get targets(): readonly LinkTarget[] {
    const known = new Set(this.#learned.map(({ address }) => address));
    const others = [...new Set(this.#configured)].filter((address) => !known.has(address));
    return [...this.#learned, ...others.map((address) => ({ address }))];
  }

  async load(): Promise<void> {
    if (this.#file === undefined) return;
    try {
      this.#learned = targetsIn(JSON.parse(await readFile(this.#file, 'utf8')));
    } catch {
      // Missing or damaged: the configured ones do, and the next WELCOME writes it anew.
    }
  }

  /** Takes what a WELCOME or an UPDATE says; anything that is not a list of targets is ignored. Returns whether it was news. */
  learn(said: unknown): boolean {
    const targets = targetsIn(said);
    if (targets.length === 0 || JSON.stringify(targets) === JSON.stringify(this.#learned)) return false;
    this.#learned = targets;
    if (this.#file !== undefined) void save(this.#file, targets);
    return true;
  }
}

/** `host:port`, or an object with that as `address`, and the `site`. */
function targetsIn(said: unknown): readonly LinkTarget[] {
  if (!Array.isArray(said)) return [];
  return said.slice(0, MAX_TARGETS).flatMap((entry: unknown): LinkTarget[] => {
    const { address, site } =
      typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>) : { address: entry };
    if (typeof address !== 'string' || !/^[\w.:[\]-]{1,260}:\d{1,5}$/u.test(address)) return [];
    return [typeof site === 'string' && site.length <= 63 ? { address, site } : { address }];
  });
}

async function save(file: string, targets: readonly LinkTarget[]): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.new`, JSON.stringify(targets));
    await rename(`${file}.new`, file);
  } catch {
    // A full or read-only disk must not cost a link; the list is only a convenience.
  }
}
