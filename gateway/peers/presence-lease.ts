import { codeOf, repeat, type Clock, type Timer } from '../../base/index.ts';
import type { Op, Store } from '../../store/index.ts';

export interface PresenceLeaseOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** How long the store keeps what a replica says that is gone. Default 10 s. */
  readonly ttlMs?: number;
  readonly onFault: (error: unknown) => void;
}

const TTL_MS = 10_000;
/** Keys that are written together. */
const MAX_OPS = 64;
/** After a failure, and at the start. */
const RETRY_MS = 1_000;

/**
 * Keys of this process alone, which the store forgets when the process is gone. What is wanted is set here, and is written as
 * soon as the store can take it; only the store's own word ends the lease, and then everything is written under a new one.
 */
export class PresenceLease {
  readonly #options: PresenceLeaseOptions;
  readonly #wanted = new Map<string, Buffer>();
  readonly #dirty = new Set<string>();
  /** Keys that are in the store under the present lease. */
  readonly #written = new Set<string>();
  readonly #keeper: Timer;
  #lease: string | undefined;
  #writing: Promise<void> | undefined;
  #retry: Timer | undefined;
  #closed = false;

  constructor(options: PresenceLeaseOptions) {
    this.#options = options;
    const { clock, ttlMs = TTL_MS, onFault } = options;
    this.#keeper = repeat(clock, ttlMs / 3, () => this.#keep(), onFault);
  }

  /** Wants a key to hold a value, or not to be there. */
  set(key: string, value: unknown): void {
    const bytes = value === undefined ? undefined : Buffer.from(JSON.stringify(value));
    const known = this.#wanted.get(key);
    if (bytes === undefined ? known === undefined : known?.equals(bytes) === true) return;
    if (bytes === undefined) this.#wanted.delete(key);
    else this.#wanted.set(key, bytes);
    this.#dirty.add(key);
    this.#write();
  }

  /** A key is not in the store any more, whoever deleted it: what is wanted is written again. */
  gone(key: string): void {
    if (!this.#wanted.has(key) || !this.#written.delete(key)) return;
    this.#dirty.add(key);
    this.#write();
  }

  /** Resolves when all that is wanted now is in the store, or cannot be written at the moment. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** Takes everything out of the store, if it answers; else the lease runs out. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#keeper.cancel();
    this.#retry?.cancel();
    await this.#writing;
    if (this.#lease === undefined) return;
    await this.#options.store.revokeLease(this.#lease).catch((error: unknown) => this.#options.onFault(error));
  }

  #write(): void {
    if (this.#closed || this.#writing !== undefined || this.#retry !== undefined) return;
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = undefined;
      // What was set while it came to its end.
      if (this.#dirty.size > 0) this.#write();
    });
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#dirty.size > 0 && !this.#closed) await this.#writeSome();
    } catch (error) {
      if (codeOf(error) === 'lease-unknown') this.#lost();
      else this.#options.onFault(error);
      if (this.#closed) return;
      this.#retry = this.#options.clock.after(codeOf(error) === 'lease-unknown' ? 0 : RETRY_MS, () => {
        this.#retry = undefined;
        this.#write();
      });
    }
  }

  async #writeSome(): Promise<void> {
    const { store, ttlMs = TTL_MS } = this.#options;
    this.#lease ??= (await store.grantLease(ttlMs)).id;
    const keys = [...this.#dirty].slice(0, MAX_OPS);
    for (const key of keys) this.#dirty.delete(key);
    const ops = keys.flatMap((key): Op[] => {
      const value = this.#wanted.get(key);
      if (value !== undefined) return [{ type: 'put', key, value, lease: this.#lease }];
      return this.#written.has(key) ? [{ type: 'delete', key }] : [];
    });
    if (ops.length === 0) return;
    try {
      await store.txn({ then: ops });
    } catch (error) {
      for (const key of keys) this.#dirty.add(key);
      throw error;
    }
    for (const { type, key } of ops)
      if (type === 'put') this.#written.add(key);
      else this.#written.delete(key);
  }

  async #keep(): Promise<void> {
    if (this.#lease === undefined) return;
    try {
      await this.#options.store.keepAlive(this.#lease);
    } catch (error) {
      if (codeOf(error) !== 'lease-unknown') throw error;
      this.#lost();
      this.#write();
    }
  }

  /** The store has ended the lease, and all its keys with it. */
  #lost(): void {
    this.#lease = undefined;
    this.#written.clear();
    for (const key of this.#wanted.keys()) this.#dirty.add(key);
  }
}
