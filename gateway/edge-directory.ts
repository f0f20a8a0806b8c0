import { parseEdgeNode, type EdgeNode } from '../api/index.ts';
import { codeOf } from '../base/index.ts';
import { everything, type Collection, type HeldObject, type ObjectWatch } from '../resources/index.ts';
import type { Entry, Store, StoreEvent, Watch } from '../store/index.ts';
import { tunnelError } from '../tunnel/index.ts';

const EPOCHS = '/causeway/epochs/';
/** Events that are read at a time. */
const READ_EVENTS = 500;

interface Epoch {
  readonly epoch: number;
  readonly instance: string;
}

export interface EdgeDirectoryOptions {
  readonly store: Store;
  /** The `EdgeNode` objects: the whitelist. */
  readonly nodes: Collection;
  /** Told of an object that cannot be read: its edge counts as denied. */
  readonly onFault: (error: unknown) => void;
}

/**
 * The whitelist and the epochs, read from memory. The whitelist is the fleet API's collection of `EdgeNode` objects, and nothing
 * else; the epochs are decided in the store by compare-and-set. Where a watch ends, the state is read anew, so nothing is missed.
 */
export class EdgeDirectory {
  readonly #options: EdgeDirectoryOptions;
  readonly #nodes = new Map<string, EdgeNode | undefined>();
  readonly #epochs = new Map<string, { readonly epoch: Epoch; readonly revision: number }>();
  #nodeWatch: ObjectWatch | undefined;
  /** Edges that were there before the objects are read anew; what is left of them is gone. */
  #unconfirmed: Set<string> | undefined;
  #epochWatch: Watch | undefined;
  #changed: (edge: string) => void = () => {};
  #closed = false;

  static async open(options: EdgeDirectoryOptions): Promise<EdgeDirectory> {
    const directory = new EdgeDirectory(options);
    await directory.#loadEpochs();
    await directory.#watchNodes();
    return directory;
  }

  private constructor(options: EdgeDirectoryOptions) {
    this.#options = options;
  }

  /** Told of each edge whose object was made, changed or deleted. */
  onChange(changed: (edge: string) => void): void {
    this.#changed = changed;
  }

  admission(edge: string): 'allowed' | 'denied' | 'unknown' {
    if (!this.#nodes.has(edge)) return 'unknown';
    return this.#nodes.get(edge)?.spec.admission === 'Allowed' ? 'allowed' : 'denied';
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
    for (;;) {
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
      if (result.applied) this.#epochs.set(edge, { epoch: next, revision: result.revision });
      else if (current !== undefined) this.#applyEpoch({ type: 'put', entry: current });
      if (result.applied) return next.epoch;
    }
  }

  close(): void {
    this.#closed = true;
    this.#nodeWatch?.close();
    this.#epochWatch?.close();
  }

  async #watchNodes(): Promise<void> {
    this.#nodeWatch?.close();
    this.#unconfirmed = new Set(this.#nodes.keys());
    const watch = await this.#options.nodes.watch({ selector: everything, from: 'any' }, () => this.#readNodes());
    if (this.#closed) {
      watch.close();
      return;
    }
    this.#nodeWatch = watch;
    this.#readNodes();
  }

  #readNodes(): void {
    const watch = this.#nodeWatch;
    if (watch === undefined || this.#closed) return;
    try {
      for (;;) {
        const events = watch.read(READ_EVENTS);
        if (events.length === 0) break;
        for (const { type, object } of events) this.#applyNode(type === 'DELETED', object);
      }
    } catch (error) {
      if (codeOf(error) !== 'version-expired') this.#options.onFault(error);
      void this.#watchNodes().catch((cause: unknown) => this.#options.onFault(cause));
      return;
    }
    if (this.#unconfirmed === undefined || !watch.isInitialDone) return;
    const gone = this.#unconfirmed;
    this.#unconfirmed = undefined;
    for (const edge of gone) this.#set(edge, 'gone');
  }

  #applyNode(isDeleted: boolean, { name, json }: HeldObject): void {
    this.#unconfirmed?.delete(name);
    if (isDeleted) return this.#set(name, 'gone');
    try {
      this.#set(name, parseEdgeNode(JSON.parse(json.toString('utf8'))));
    } catch (error) {
      // Written by another version, perhaps: who cannot be read is not let in.
      this.#options.onFault(error);
      this.#set(name, undefined);
    }
  }

  #set(edge: string, node: EdgeNode | undefined | 'gone'): void {
    if (node === 'gone') this.#nodes.delete(edge);
    else this.#nodes.set(edge, node);
    this.#changed(edge);
  }

  async #loadEpochs(): Promise<void> {
    const { store } = this.#options;
    const { entries, revision } = await store.range(EPOCHS);
    const gone = new Set(this.#epochs.keys());
    for (const entry of entries) {
      gone.delete(entry.key.slice(EPOCHS.length));
      this.#applyEpoch({ type: 'put', entry });
    }
    for (const edge of gone) this.#applyEpoch({ type: 'delete', key: EPOCHS + edge, modRevision: revision });
    if (this.#closed) return;
    this.#epochWatch = store.watch(
      { prefix: EPOCHS, fromRevision: revision + 1 },
      ({ events }) => events.forEach((event) => this.#applyEpoch(event)),
      () => {
        if (!this.#closed) void this.#loadEpochs();
      },
    );
  }

  #applyEpoch(event: StoreEvent): void {
    const { key, modRevision } = event.type === 'put' ? event.entry : event;
    const edge = key.slice(EPOCHS.length);
    if ((this.#epochs.get(edge)?.revision ?? 0) >= modRevision) return;
    if (event.type === 'put') this.#epochs.set(edge, { epoch: epochIn(event.entry), revision: modRevision });
    else this.#epochs.delete(edge);
  }
}

function epochIn({ value }: Entry): Epoch {
  // What stands in the store was checked when it was written.
  return JSON.parse(value.toString('utf8')) as Epoch;
}
