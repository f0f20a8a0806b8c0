import { codeOf } from '../../base/index.ts';
import type { Store } from '../../store/index.ts';
import { WatchLog } from './watch-log.ts';

interface Write {
  readonly key: string;
  /** Unique, so that an event says of which write it is. */
  readonly value: string;
  /** `applied`, `refused`, or the code that the store threw. */
  readonly outcome: string;
  readonly revision: number;
  readonly tookMs: number;
}

/**
 * Compare-and-set writes by several clients at once, and what two watches told of them: a history that is checked afterwards.
 * The watches are of stores of their own, which may lose their members too.
 */
export class RecordedWrites {
  readonly writes: Write[] = [];
  /** What broke a promise as it happened. */
  readonly faults: string[] = [];
  readonly logs: readonly WatchLog[];
  readonly #writers: readonly Promise<void>[];
  #stopped = false;

  constructor({ writers, watchers }: { readonly writers: readonly Store[]; readonly watchers: readonly Store[] }) {
    this.logs = watchers.map((store) => new WatchLog(store, { prefix: 'k', fromRevision: 1 }));
    this.#writers = writers.map((store, index) => this.#write(store, index));
  }

  /** Writes that were acknowledged so far. */
  get applied(): number {
    return this.writes.filter(({ outcome }) => outcome === 'applied').length;
  }

  /** The longest time without an acknowledged write, ms, that ended since `since`. */
  slowest(): number {
    return Math.max(...this.writes.map(({ tookMs }) => tookMs));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#writers);
  }

  /** What is wrong with the history. `store`: one that works, to read the last state from. */
  async check(store: Store): Promise<string[]> {
    const { entries, revision } = await store.range('k');
    const last = Math.max(0, ...entries.map(({ modRevision }) => modRevision));
    const wrong = [...this.faults];
    for (const [index, log] of this.logs.entries()) {
      await log.until(() => (log.batches.at(-1)?.revision ?? 0) >= last);
      wrong.push(...this.#checkLog(log).map((text) => `watch ${index}: ${text}`));
      const state = new Map<string, string>();
      for (const event of log.batches.flatMap(({ events }) => events)) {
        if (event.type === 'put') state.set(event.entry.key, event.entry.value.toString());
        else state.delete(event.key);
      }
      for (const { key, value } of entries)
        if (state.get(key) !== value.toString())
          wrong.push(`watch ${index}: another last value of ${key} at ${revision}`);
      if (state.size !== entries.length) wrong.push(`watch ${index}: ${state.size} keys, there are ${entries.length}`);
    }
    return wrong;
  }

  #checkLog(log: WatchLog): string[] {
    const wrong: string[] = log.ended.map((error) => `ended: ${error.message}`);
    const told = new Map<string, number>();
    let before = 0;
    for (const { revision, events } of log.batches) {
      if (revision <= before) wrong.push(`revision ${revision} behind ${before}`);
      before = revision;
      for (const event of events) {
        if (event.type === 'delete') continue;
        const value = event.entry.value.toString();
        if (told.has(value)) wrong.push(`${value} at ${told.get(value)} and at ${revision}`);
        told.set(value, revision);
      }
    }
    for (const { value, outcome, revision } of this.writes) {
      const at = told.get(value);
      if (outcome === 'applied' && at !== revision) wrong.push(`${value} was applied at ${revision}, told at ${at}`);
      const mayBeDone = outcome === 'applied' || outcome === 'store-outcome-unknown';
      if (!mayBeDone && at !== undefined) wrong.push(`${value} was told at ${at}, and is ${outcome}`);
      told.delete(value);
    }
    for (const [value, revision] of told) wrong.push(`${value} at ${revision} was never written`);
    return wrong;
  }

  async #write(store: Store, writer: number): Promise<void> {
    const newest = new Map<string, number>();
    for (let count = 0; !this.#stopped; count++) {
      const key = `k${count % 3}`;
      const value = `${writer}.${count}`;
      const beganAt = performance.now();
      const floor = newest.get(key) ?? 0;
      let [outcome, revision] = ['', 0];
      try {
        const entry = await store.get(key);
        if ((entry?.modRevision ?? 0) < floor && entry !== undefined)
          this.faults.push(`${key} read at ${entry.modRevision}, after ${floor} was answered`);
        const result = await store.txn({
          if: [{ key, modRevision: entry?.modRevision ?? 0 }],
          // Deletes too, and with them keys that were absent when they were compared.
          then:
            count % 5 === 4 && entry !== undefined
              ? [
                  { type: 'delete', key },
                  { type: 'put', key: `kd${writer}`, value: Buffer.from(value) },
                ]
              : [{ type: 'put', key, value: Buffer.from(value) }],
        });
        [outcome, revision] = [result.applied ? 'applied' : 'refused', result.revision];
        if (result.applied) newest.set(key, revision);
      } catch (error) {
        outcome = codeOf(error);
      }
      this.writes.push({ key, value, outcome, revision, tookMs: performance.now() - beganAt });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}
