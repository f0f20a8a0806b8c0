import t, { type Test } from 'tap';

import type { Op, Store } from '../../store/index.ts';
import { put } from './store-contract.ts';
import { WatchLog } from './watch-log.ts';

/** Opens the store of one test, each time the same. */
export type Reopen = () => Promise<Store>;

/**
 * What etcd guarantees (its "API guarantees", and what its robustness tests check of watches), of every store: one test each.
 * Where the contract suite says the same of one case, here it is said of many changes at once. `prepare` makes an empty store.
 */
export function watchGuarantees(name: string, prepare: (t: Test) => Promise<Reopen>): void {
  const guaranteed = (title: string, run: (t: Test, store: Store, reopen: Reopen) => Promise<void>): void => {
    t.test(`${name}: etcd guarantee, ${title}`, async (t) => {
      const open = await prepare(t);
      const store = await open();
      try {
        await run(t, store, open);
      } finally {
        await store.close();
      }
    });
  };

  guaranteed('ordered: a watch tells events in the order of revisions', async (t, store) => {
    const log = new WatchLog(store, { prefix: 'k' });
    await writeAtOnce(store);
    const { revision } = await store.range('');
    await log.until(() => log.batches.at(-1)?.revision === revision);
    const revisions = log.batches.map(({ revision }) => revision);
    t.strictSame(
      revisions,
      revisions.toSorted((a, b) => a - b),
    );
    for (const { revision, events } of log.batches)
      for (const event of events) t.equal(event.type === 'put' ? event.entry.modRevision : event.modRevision, revision);
  });

  guaranteed('unique: no event is told twice', async (t, store) => {
    const log = new WatchLog(store, { prefix: 'k' });
    await writeAtOnce(store);
    const { revision } = await store.range('');
    await log.until(() => log.batches.at(-1)?.revision === revision);
    t.equal(new Set(log.lines).size, log.lines.length);
    t.equal(new Set(log.batches.map(({ revision }) => revision)).size, log.batches.length);
  });

  guaranteed('reliable: no event between two others is left out', async (t, store) => {
    const first = (await store.range('')).revision + 1;
    const log = new WatchLog(store, { prefix: 'k', fromRevision: 1 });
    await writeAtOnce(store);
    const { revision, entries } = await store.range('');
    await log.until(() => log.batches.at(-1)?.revision === revision);
    t.strictSame(
      log.batches.map(({ revision }) => revision),
      Array.from({ length: log.batches.length }, (_, i) => first + i),
      'each revision wrote a key of the prefix',
    );
    const replayed = new Map<string, string>();
    for (const event of log.batches.flatMap(({ events }) => events)) {
      if (event.type === 'put') replayed.set(event.entry.key, event.entry.value.toString());
      else replayed.delete(event.key);
    }
    t.strictSame(
      [...replayed].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      entries.map(({ key, value }) => [key, value.toString()]),
    );
  });

  guaranteed('atomic: what one revision changed comes in one piece', async (t, store) => {
    const log = new WatchLog(store, { prefix: 'k' });
    for (let round = 0; round < 20; round++) {
      await store.txn({
        then: Array.from({ length: 5 }, (_, i): Op => ({
          type: 'put',
          key: `k${i}`,
          value: Buffer.from(String(round)),
        })),
      });
    }
    await log.until(() => log.batches.length === 20);
    for (const [round, { events }] of log.batches.entries()) {
      t.equal(events.length, 5);
      t.ok(events.every((event) => event.type === 'put' && event.entry.value.toString() === String(round)));
    }
  });

  guaranteed('resumable: a watch that broke goes on behind the last revision that it told', async (t, store) => {
    const whole = new WatchLog(store, { prefix: 'k', fromRevision: 1 });
    const parts: string[] = [];
    let from = 1;
    for (let part = 0; part < 10; part++) {
      const log = new WatchLog(store, { prefix: 'k', fromRevision: from });
      await writeAtOnce(store, 3);
      await log.until(() => log.batches.length >= 2);
      log.watch.close();
      parts.push(...log.lines);
      from = (log.batches.at(-1)?.revision ?? 0) + 1;
    }
    const rest = new WatchLog(store, { prefix: 'k', fromRevision: from });
    const { revision } = await store.range('');
    await whole.until(() => whole.batches.at(-1)?.revision === revision);
    await rest.until(() => parts.length + rest.lines.length >= whole.lines.length);
    t.strictSame([...parts, ...rest.lines], whole.lines);
  });

  guaranteed('bookmarkable: once a revision has been told, all events before it have been', async (t, store) => {
    const log = new WatchLog(store, { prefix: 'k' });
    const fence = new WatchLog(store, { prefix: '' });
    await writeAtOnce(store);
    // A key of its own says how far the watch is, as a progress notification does.
    const revision = await put(store, 'fence', '');
    await fence.until(() => fence.batches.at(-1)?.revision === revision);
    const before = fence.lines.filter((line) => !line.endsWith('fence '));
    await log.until(() => log.lines.length >= before.length);
    t.strictSame(before, log.lines, 'and the two watches agree on what is before it');
    const again = new WatchLog(store, { prefix: 'k', fromRevision: revision + 1 });
    const next = await put(store, 'k', 'next');
    await again.until(() => again.lines.length > 0);
    t.strictSame(again.lines, [`${next} put k next`], 'a watch behind it gets nothing from before');
  });

  guaranteed('filter: a watch tells of its keys and of no others', async (t, store) => {
    const log = new WatchLog(store, { prefix: 'k1' });
    await writeAtOnce(store);
    await put(store, 'k0', 'no');
    await put(store, 'k', 'no');
    await put(store, 'k2', 'no');
    const last = await put(store, 'k19', 'yes');
    await log.until(() => log.batches.at(-1)?.revision === last);
    t.ok(log.lines.every((line) => / k1/.test(line)));
  });

  guaranteed('create: an event says whether its key was there before', async (t, store) => {
    const log = new WatchLog(store, { prefix: 'k', fromRevision: 1 });
    await writeAtOnce(store);
    const { revision } = await store.range('');
    await log.until(() => log.batches.at(-1)?.revision === revision);
    const created = new Map<string, number>();
    for (const event of log.batches.flatMap(({ events }) => events)) {
      if (event.type === 'delete') {
        created.delete(event.key);
        continue;
      }
      const { key, createRevision, modRevision } = event.entry;
      const expected = created.get(key) ?? modRevision;
      created.set(key, expected);
      if (createRevision !== expected) t.equal(createRevision, expected, `${key} at ${modRevision}`);
    }
    t.ok(created.size > 0);
  });

  guaranteed(
    'previous value: what an event replaced is what the event of the revision before it said',
    async (t, store) => {
      const log = new WatchLog(store, { prefix: 'k', fromRevision: 1 });
      const previous = new Map<number, string | undefined>();
      for (let i = 0; i < 50; i++) {
        const before = await store.get('k');
        const { revision } = await store.txn({
          if: [{ key: 'k', modRevision: before?.modRevision ?? 0 }],
          then: [i % 7 === 6 ? { type: 'delete', key: 'k' } : { type: 'put', key: 'k', value: Buffer.from(String(i)) }],
        });
        previous.set(revision, before?.value.toString());
      }
      await log.until(() => log.batches.length === 50);
      let last: string | undefined;
      for (const { revision, events } of log.batches) {
        const [event] = events;
        if (previous.get(revision) !== last) t.equal(previous.get(revision), last, `at ${revision}`);
        last = event?.type === 'put' ? event.entry.value.toString() : undefined;
      }
      t.equal(previous.size, 50);
    },
  );

  guaranteed('durable: what was told or read is there after a restart', async (t, store, reopen) => {
    const log = new WatchLog(store, { prefix: 'k', fromRevision: 1 });
    await writeAtOnce(store);
    const { revision, entries } = await store.range('');
    await log.until(() => log.batches.at(-1)?.revision === revision);
    await store.close();
    const reopened = await reopen();
    t.strictSame(await reopened.range(''), { revision, entries });
    const again = new WatchLog(reopened, { prefix: 'k', fromRevision: 1 });
    await again.until(() => again.lines.length === log.lines.length);
    t.strictSame(again.lines, log.lines);
    await reopened.close();
  });

  guaranteed(
    'strictly serializable: transactions are in one order, each sees all that were answered before it',
    async (t, store) => {
      await put(store, 'k', '0');
      let answered = 0;
      const revisions: number[] = [];
      const add = async (): Promise<void> => {
        for (;;) {
          const floor = answered;
          const entry = await store.get('k');
          const value = Number(entry?.value.toString());
          if (value < floor) t.fail(`read ${value} when ${floor} had been answered`);
          const result = await store.txn({
            if: [{ key: 'k', modRevision: entry?.modRevision ?? 0 }],
            then: [{ type: 'put', key: 'k', value: Buffer.from(String(value + 1)) }],
          });
          if (!result.applied) continue;
          revisions.push(result.revision);
          answered = Math.max(answered, value + 1);
          return;
        }
      };
      await Promise.all(Array.from({ length: 50 }, add));
      t.equal((await store.get('k'))?.value.toString(), '50');
      t.equal(new Set(revisions).size, 50);
    },
  );
}

/** Puts and deletes of keys `k...` by several writers at once, each of which makes a revision. */
async function writeAtOnce(store: Store, rounds = 30): Promise<void> {
  await Promise.all(
    Array.from({ length: 4 }, async (_, writer) => {
      for (let round = 0; round < rounds; round++) {
        const key = `k${(writer * 7 + round) % 12}`;
        const op: Op =
          round % 5 === 4 && (await store.get(key)) !== undefined
            ? { type: 'delete', key }
            : { type: 'put', key, value: Buffer.from(`${writer}.${round}`) };
        // A put of its own, so that a delete of what somebody else has just deleted makes a revision too.
        await store.txn({ then: [op, { type: 'put', key: `k-${writer}`, value: Buffer.from(String(round)) }] });
      }
    }),
  );
}
