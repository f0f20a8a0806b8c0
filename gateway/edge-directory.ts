import { randomUUID } from 'node:crypto';
import type { EdgeNode } from '../api/index.ts';
import type { Entry, Store, StoreEvent, Watch } from '../store/index.ts';
import { tunnelError } from '../tunnel/index.ts';
import { gatewayError } from './gateway-error.ts';

const NODES = '/causeway/edgenodes/';
const EPOCHS = '/causeway/epochs/';

/** An edge as the store knows it: everything but what replicas see. */
export type EdgeRecord = Pick<EdgeNode, 'metadata' | 'spec'>;

interface Epoch {
  readonly epoch: number;
  readonly instance: string;
}

/**
 * The whitelist and the epochs: decided in the store by compare-and-set, read from memory, which a watch keeps equal. Where
 * the watch ends, the state is read anew, so nothing is missed.
 */
export class EdgeDirectory {
  readonly #store: Store;
  readonly #records = new Map<string, { readonly record: EdgeRecord; readonly revision: number }>();
  readonly #epochs = new Map<string, { readonly epoch: Epoch; readonly revision: number }>();
  #watch: Watch | undefined;
  #denied: (edge: string) => void = () => {};
  #closed = false;
  #revision = 0;

  static async open(store: Store): Promise<EdgeDirectory> {
    const directory = new EdgeDirectory(store);
    await directory.#load();
    return directory;
  }

  private constructor(store: Store) {
    this.#store = store;
  }

  /** Told of each edge that may not register any more: denied, or deleted. */
  onDenied(denied: (edge: string) => void): void {
    this.#denied = denied;
  }

  admission(edge: string): 'allowed' | 'denied' | 'unknown' {
    const found = this.#records.get(edge);
    if (found === undefined) return 'unknown';
    return found.record.spec.admission === 'Allowed' ? 'allowed' : 'denied';
  }

  get edges(): readonly EdgeRecord[] {
    return [...this.#records.values()]
      .map(({ record }) => record)
      .sort((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
  }

  /** The store's revision that memory has seen. */
  get revision(): number {
    return this.#revision;
  }

  find(edge: string): EdgeRecord | undefined {
    return this.#records.get(edge)?.record;
  }

  /** Adds an edge. Errors: `already-exists`. */
  async create(
    name: string,
    spec: EdgeRecord['spec'],
    labels: Readonly<Record<string, string>> = {},
  ): Promise<EdgeRecord> {
    const metadata = { name, uid: randomUUID(), creationTimestamp: new Date().toISOString(), labels };
    const written = await this.#put(name, { metadata, spec }, 0);
    if (written === undefined) throw gatewayError('already-exists', { detail: name });
    return written;
  }

  /** Replaces an edge's spec and labels. With `resourceVersion`, only that version. Errors: `not-found`, `conflict`. */
  async update(
    name: string,
    spec: EdgeRecord['spec'],
    labels: Readonly<Record<string, string>>,
    resourceVersion?: string,
  ): Promise<EdgeRecord> {
    const found = this.#records.get(name);
    if (found === undefined) throw gatewayError('not-found', { detail: `EdgeNode ${name}` });
    if (resourceVersion !== undefined && resourceVersion !== String(found.revision))
      throw gatewayError('conflict', { detail: name });
    const written = await this.#put(name, { metadata: { ...found.record.metadata, labels }, spec }, found.revision);
    if (written === undefined) throw gatewayError('conflict', { detail: name });
    return written;
  }

  /** Errors: `not-found`, `conflict`. */
  async delete(name: string): Promise<EdgeRecord> {
    const found = this.#records.get(name);
    if (found === undefined) throw gatewayError('not-found', { detail: `EdgeNode ${name}` });
    const key = NODES + name;
    const result = await this.#store.txn({
      if: [{ key, modRevision: found.revision }],
      then: [{ type: 'delete', key }],
    });
    if (!result.applied) throw gatewayError('conflict', { detail: name });
    this.#apply({ type: 'delete', key, modRevision: result.revision });
    return found.record;
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
      const result = await this.#store.txn({
        if: [{ key, modRevision: found?.revision ?? 0 }],
        then: [{ type: 'put', key, value }],
      });
      // Someone else was faster: the state that the store answered with is newer than the watch's.
      const [current] = result.applied ? [] : result.found;
      if (result.applied) this.#epochs.set(edge, { epoch: next, revision: result.revision });
      else if (current !== undefined) this.#apply({ type: 'put', entry: current });
      if (result.applied) return next.epoch;
    }
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
  }

  async #put(name: string, record: EdgeRecord, modRevision: number): Promise<EdgeRecord | undefined> {
    const key = NODES + name;
    const value = Buffer.from(JSON.stringify(record));
    const result = await this.#store.txn({ if: [{ key, modRevision }], then: [{ type: 'put', key, value }] });
    if (!result.applied) return undefined;
    // Who wrote it sees it at once; the watch brings the same again.
    const createRevision = modRevision === 0 ? result.revision : modRevision;
    this.#apply({ type: 'put', entry: { key, value, createRevision, modRevision: result.revision, lease: undefined } });
    return this.find(name);
  }

  async #load(): Promise<void> {
    const nodes = await this.#store.range(NODES);
    const epochs = await this.#store.range(EPOCHS);
    const gone = new Set(this.#records.keys());
    for (const entry of [...nodes.entries, ...epochs.entries]) {
      gone.delete(entry.key.slice(NODES.length));
      this.#apply({ type: 'put', entry });
    }
    for (const edge of gone) this.#apply({ type: 'delete', key: NODES + edge, modRevision: nodes.revision });
    if (this.#closed) return;
    this.#watch = this.#store.watch(
      { prefix: '/causeway/', fromRevision: Math.min(nodes.revision, epochs.revision) + 1 },
      ({ events }) => events.forEach((event) => this.#apply(event)),
      () => {
        if (!this.#closed) void this.#load();
      },
    );
  }

  #apply(event: StoreEvent): void {
    const { key, modRevision } = event.type === 'put' ? event.entry : event;
    this.#revision = Math.max(this.#revision, modRevision);
    if (key.startsWith(EPOCHS)) {
      const edge = key.slice(EPOCHS.length);
      if ((this.#epochs.get(edge)?.revision ?? 0) >= modRevision) return;
      if (event.type === 'put') this.#epochs.set(edge, { epoch: epochIn(event.entry), revision: modRevision });
      else this.#epochs.delete(edge);
    } else if (key.startsWith(NODES)) {
      const edge = key.slice(NODES.length);
      if ((this.#records.get(edge)?.revision ?? 0) >= modRevision) return;
      if (event.type === 'put') this.#records.set(edge, { record: recordIn(event.entry), revision: modRevision });
      else this.#records.delete(edge);
      if (this.admission(edge) !== 'allowed') this.#denied(edge);
    }
  }
}

function recordIn({ value, modRevision }: Entry): EdgeRecord {
  // What stands in the store was checked when it was written.
  const { metadata, spec } = JSON.parse(value.toString('utf8')) as EdgeRecord;
  return { metadata: { ...metadata, resourceVersion: String(modRevision) }, spec };
}

function epochIn({ value }: Entry): Epoch {
  return JSON.parse(value.toString('utf8')) as Epoch;
}
