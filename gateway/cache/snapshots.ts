import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Log, Timer } from '../../base/index.ts';
import { Breather } from './breather.ts';
import type { EdgeCache } from './edge-cache.ts';
import type { KindCopy } from './kind-copy.ts';
import type { ResourceCaches } from './resource-caches.ts';
import { readSnapshot, removeSnapshot, writeSnapshot, type KeptKind } from './snapshot-file.ts';

export interface SnapshotsOptions {
  /** Undefined: none are kept. */
  readonly folder: string | undefined;
  readonly everyMs: number;
  readonly caches: Pick<ResourceCaches, 'edges' | 'edge' | 'find' | 'weigh' | 'counts'>;
  readonly clock: Clock;
  readonly log: Log;
}

const SUFFIX = '.snapshot';
/** At the end, when everything waits for it. */
const AT_ONCE = 4;

/** Copies on local disk, a file an edge, so that cached reads go on after a restart with the age that they have. */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  /** By edge: how often its copies had changed when they were written. */
  readonly #written = new Map<string, number>();
  #timer: Timer | undefined;
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  async load(isKnown: (edge: string) => boolean): Promise<void> {
    const { folder, log } = this.#options;
    if (folder === undefined) return;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const file of await readdir(folder)) {
        const edge = file.endsWith(SUFFIX) ? decodeURIComponent(file.slice(0, -SUFFIX.length)) : undefined;
        if (edge !== undefined && isKnown(edge)) await this.#loadEdge(edge);
        // What was not finished, and what is of an edge that was deleted meanwhile.
        else if (edge !== undefined || file.endsWith(`${SUFFIX}.tmp`)) await rm(join(folder, file), { force: true });
      }
    } catch (error) {
      this.#fail('snapshots-unreadable', error);
      log.warn('snapshots-off', { folder });
      return;
    }
    this.#schedule();
  }

  /** Writes what has changed, and where it stands. May be called twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return this.#work;
    this.#isClosed = true;
    const isOn = this.#timer !== undefined;
    this.#timer?.cancel();
    if (isOn) this.#work = this.#work.then(() => this.#writeAll(true));
    await this.#work;
  }

  async forget(edge: string): Promise<void> {
    const { folder } = this.#options;
    if (folder === undefined) return;
    this.#written.delete(edge);
    this.#work = this.#work.then(() => removeSnapshot(this.#path(folder, edge)).catch(() => undefined));
    await this.#work;
  }

  #schedule(): void {
    this.#timer = this.#options.clock.after(this.#options.everyMs, () => {
      this.#work = this.#work.then(() => this.#writeAll(false));
      void this.#work.then(() => {
        if (!this.#isClosed) this.#schedule();
      });
    });
  }

  async #loadEdge(edge: string): Promise<void> {
    const { folder, caches, log } = this.#options;
    if (folder === undefined) return;
    const breather = new Breather();
    try {
      const { header, objects } = await readSnapshot(this.#path(folder, edge));
      if (header.edge !== edge) throw new Error(`it is of ${header.edge}`);
      const cache = caches.edge(edge);
      const copies = header.kinds.map(({ kind }) => cache.describe(kind));
      for await (const { kind, json } of objects) {
        copies[kind]?.put(json);
        if (breather.isDue) await breather.breathe();
      }
      header.kinds.forEach((kept, index) => copies[index]?.restore(kept.version, kept.syncedAt, kept.cursor));
      caches.weigh(cache.copies);
      this.#written.set(edge, changesOf(cache));
      caches.counts.snapshotsLoaded++;
      log.info('snapshot-loaded', { edge, kinds: header.kinds.length });
    } catch (error) {
      caches.find(edge)?.clear();
      this.#fail('snapshot-ignored', error, edge);
    }
  }

  /** It is the disk's and the compressor's work. While nobody waits for it, one edge comes after the other. */
  async #writeAll(isLast: boolean): Promise<void> {
    const { caches } = this.#options;
    const left = caches.edges.values();
    const work = async (): Promise<void> => {
      for (const cache of left) await this.#writeChanged(cache, isLast);
    };
    await Promise.all(Array.from({ length: isLast ? AT_ONCE : 1 }, work));
  }

  async #writeChanged(cache: EdgeCache, isLast: boolean): Promise<void> {
    const { folder } = this.#options;
    const changes = changesOf(cache);
    // At the end also what has not changed, since it is newer than it was.
    if (folder === undefined || (!isLast && this.#written.get(cache.edge) === changes)) return;
    try {
      await this.#writeEdge(folder, cache);
      this.#written.set(cache.edge, changes);
    } catch (error) {
      this.#fail('snapshot-failed', error, cache.edge);
    }
  }

  async #writeEdge(folder: string, cache: EdgeCache): Promise<void> {
    const copies = cache.copies.filter((copy) => copy.isComplete && !isSecret(copy));
    if (copies.length === 0) return;
    this.#options.caches.counts.snapshotsWritten++;
    // What is taken here is of one moment; the bytes do not change any more.
    const objects = copies.map((copy) => [...copy.objects]);
    const kinds = copies.map(keptKind);
    await writeSnapshot(this.#path(folder, cache.edge), { edge: cache.edge, kinds }, flat(objects));
  }

  #path(folder: string, edge: string): string {
    return join(folder, `${encodeURIComponent(edge)}${SUFFIX}`);
  }

  #fail(event: string, error: unknown, edge?: string): void {
    this.#options.caches.counts.snapshotFailures++;
    this.#options.log.warn(event, { error, ...(edge === undefined ? {} : { edge }) });
  }
}

/** Never on disk: they are fed again. */
function isSecret({ group, resource }: KindCopy): boolean {
  return group === '' && resource === 'secrets';
}

function keptKind({ description, version, freshness, cursor }: KindCopy): KeptKind {
  const { syncedAt } = freshness;
  return {
    kind: description,
    version,
    ...(syncedAt === undefined ? {} : { syncedAt }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

function* flat(objects: readonly (readonly { readonly json: Buffer }[])[]): Generator<{ kind: number; json: Buffer }> {
  for (const [kind, list] of objects.entries()) for (const { json } of list) yield { kind, json };
}

function changesOf({ copies }: EdgeCache): number {
  return copies.reduce((sum, { changes }) => sum + changes, 0);
}
