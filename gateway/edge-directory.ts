import { parseEdgeNode, type EdgeNode } from '../api/index.ts';
import { z, type Clock } from '../base/index.ts';
import type { Collection } from '../resources/index.ts';
import { storeError, type Store } from '../store/index.ts';
import { tunnelError } from '../tunnel/index.ts';
import { CollectionMirror } from './collection-mirror.ts';
import type { EdgeBan } from './revocation/index.ts';
import { StoreMirror } from './store-mirror.ts';

const EPOCHS = '/causeway/epochs/';

const epochRecord = z.object({ epoch: z.number().int().min(0), instance: z.string() });

type Epoch = z.output<typeof epochRecord>;

const noEpoch: Epoch = { epoch: 0, instance: '' };

/** Somebody wrote between each read and its write: two agents with one identity do that for a moment, not for so long. */
const MAX_TRIES = 16;

export interface EdgeDirectoryOptions {
  readonly store: Store;
  /** The `EdgeNode` objects: the whitelist. */
  readonly nodes: Collection;
  /** What overrules the whitelist. */
  readonly bans?: readonly EdgeBan[];
  readonly clock: Clock;
  /** Told of an object that cannot be read: its edge counts as denied. */
  readonly onFault: (error: unknown) => void;
}

/**
 * The whitelist and the epochs, read from memory. The whitelist is the fleet API's collection of `EdgeNode` objects, and nothing
 * else, except that a ban keeps an edge out that it would let in. The epochs are decided in the store by compare-and-set. Where a
 * watch ends, the state is read anew, so nothing is missed; while the store does not answer, what was known stays.
 */
export class EdgeDirectory {
  readonly #options: EdgeDirectoryOptions;
  readonly #nodes = new Map<string, EdgeNode | undefined>();
  readonly #epochs = new Map<string, { readonly epoch: Epoch; readonly revision: number }>();
  #mirror: CollectionMirror | undefined;
  #epochMirror: StoreMirror<Epoch | 'unreadable'> | undefined;
  #changed: (edge: string) => void = () => {};

  static async open(options: EdgeDirectoryOptions): Promise<EdgeDirectory> {
    const directory = new EdgeDirectory(options);
    const { nodes, bans = [], store, clock, onFault } = options;
    directory.#epochMirror = await StoreMirror.open({
      store,
      clock,
      prefix: EPOCHS,
      parse: epochIn,
      onChange: (edge, epoch, revision) => directory.#setEpoch(edge, epoch, revision),
      onFault,
    });
    directory.#mirror = await CollectionMirror.open({
      collection: nodes,
      onPut: (edge, object) => directory.#put(edge, object),
      onGone: (edge) => directory.#remove(edge),
      onFault,
    });
    for (const ban of bans) {
      ban.onChange((edges) => {
        for (const edge of edges) directory.#changed(edge);
      });
    }
    return directory;
  }

  private constructor(options: EdgeDirectoryOptions) {
    this.#options = options;
  }

  /** Told of each edge whose object was made, changed or deleted, or that was banned, or is not any more. */
  onChange(changed: (edge: string) => void): void {
    this.#changed = changed;
  }

  admission(edge: string): 'allowed' | 'denied' | 'unknown' {
    if (!this.#nodes.has(edge)) return 'unknown';
    const isListed = this.#nodes.get(edge)?.spec.admission === 'Allowed';
    return isListed && this.#options.bans?.some((ban) => ban.denies(edge)) !== true ? 'allowed' : 'denied';
  }

  /** All edges whose objects can be read, in no order. */
  get edges(): Iterable<EdgeNode> {
    return [...this.#nodes.values()].filter((node) => node !== undefined);
  }

  find(edge: string): EdgeNode | undefined {
    return this.#nodes.get(edge);
  }

  /**
   * The epoch of an agent's instance: the one that it has, or, for an instance that is new, the next. An instance that had
   * one before (`said`) and is not the latest any more has been superseded. Errors: `instance-superseded`.
   */
  async claimEpoch(edge: string, instance: string, said: number): Promise<number> {
    const key = EPOCHS + edge;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const found = this.#epochs.get(edge);
      if (found?.epoch.instance === instance) return found.epoch.epoch;
      if (said > 0 && said <= (found?.epoch.epoch ?? 0))
        throw tunnelError('instance-superseded', { retryAfterMs: 60_000 });
      const next: Epoch = { epoch: (found?.epoch.epoch ?? 0) + 1, instance };
      const value = Buffer.from(JSON.stringify(next));
      const result = await this.#options.store.txn({
        if: [{ key, modRevision: found?.revision ?? 0 }],
        then: [{ type: 'put', key, value }],
      });
      // Someone else was faster: the state that the store answered with is newer than the watch's.
      const [current] = result.applied ? [] : result.found;
      if (result.applied) this.#setEpoch(edge, next, result.revision);
      else this.#setEpoch(edge, current && epochIn(current.value), current?.modRevision ?? result.revision);
      if (result.applied) return next.epoch;
    }
    throw storeError('store-unavailable', `the epoch of ${edge} changes all the time`, undefined, 1000);
  }

  close(): void {
    this.#mirror?.close();
    this.#epochMirror?.close();
  }

  #put(edge: string, object: unknown): void {
    // Written by another version, perhaps: who cannot be read is not let in.
    this.#nodes.set(edge, undefined);
    try {
      this.#nodes.set(edge, parseEdgeNode(object));
    } finally {
      this.#changed(edge);
    }
  }

  #remove(edge: string): void {
    this.#nodes.delete(edge);
    this.#changed(edge);
  }

  /** Undefined: it is gone. What cannot be read says no less than what was there before. */
  #setEpoch(edge: string, said: Epoch | 'unreadable' | undefined, revision: number): void {
    const known = this.#epochs.get(edge);
    if ((known?.revision ?? 0) >= revision) return;
    if (said === 'unreadable') this.#options.onFault(new TypeError(`the epoch of ${edge} cannot be read`));
    if (said === undefined) this.#epochs.delete(edge);
    else this.#epochs.set(edge, { epoch: said === 'unreadable' ? (known?.epoch ?? noEpoch) : said, revision });
  }
}

/** Written by another version, perhaps. */
function epochIn(value: Buffer): Epoch | 'unreadable' {
  try {
    return epochRecord.parse(JSON.parse(value.toString('utf8')));
  } catch {
    return 'unreadable';
  }
}
