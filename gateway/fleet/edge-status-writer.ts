import type { EdgeNodeStatus } from '../../api/index.ts';
import { CodedError, type Clock, type Timer } from '../../base/index.ts';
import type { WritableCollection } from '../../resources/index.ts';
import { nextEdgeStatus, type EdgeObservation } from './edge-status.ts';

/** What happens to an edge within this time is one write. */
const GATHER_MS = 50;
/** How often it is looked for what nobody tells: round trips, kinds that have come to be synced. */
const SWEEP_MS = 15_000;
const RETRY_MS = 1000;

export interface EdgeStatusWriterOptions {
  readonly nodes: WritableCollection;
  readonly observe: (edge: string) => EdgeObservation;
  /** Edges with a link to this replica. */
  readonly linked: () => Iterable<string>;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

/** Writes what this replica sees of edges into their `EdgeNode` objects: when it changes, gathered, one after the other. */
export class EdgeStatusWriter {
  readonly #options: EdgeStatusWriterOptions;
  readonly #changed = new Set<string>();
  #timer: Timer | undefined;
  #sweep: Timer | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(options: EdgeStatusWriterOptions) {
    this.#options = options;
    this.#sweepLater();
  }

  /** Something about the edge may have changed. */
  changed(edge: string): void {
    this.#changed.add(edge);
    if (!this.#closed) this.#timer ??= this.#options.clock.after(GATHER_MS, () => this.#write());
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#sweep?.cancel();
    this.#timer?.cancel();
    await this.#writing;
    await this.#writeAll();
  }

  #write(): void {
    this.#timer = undefined;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      if (this.#changed.size > 0 && !this.#closed)
        this.#timer ??= this.#options.clock.after(RETRY_MS, () => this.#write());
    });
  }

  async #writeAll(): Promise<void> {
    for (const edge of [...this.#changed]) {
      this.#changed.delete(edge);
      try {
        await this.#writeOne(edge);
      } catch (error) {
        // It was deleted meanwhile.
        if (error instanceof CodedError && error.code === 'object-not-found') continue;
        this.#options.onFault(error);
        this.#changed.add(edge);
        return;
      }
    }
  }

  async #writeOne(edge: string): Promise<void> {
    await this.#options.nodes.update('', edge, (node) => {
      // What stands there was written here, or checked by the schema.
      const current = node['status'] as EdgeNodeStatus | undefined;
      const status = nextEdgeStatus(current, this.#options.observe(edge));
      return status === current ? node : { ...node, status };
    });
  }

  #sweepLater(): void {
    this.#sweep = this.#options.clock.after(SWEEP_MS, () => {
      for (const edge of this.#options.linked()) this.changed(edge);
      this.#sweepLater();
    });
  }
}
