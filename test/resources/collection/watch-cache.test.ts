import t from 'tap';

import { systemClock, type Clock } from '../../../base/index.ts';
import { heldObject } from '../../../resources/collection/held-object.ts';
import { parseFieldSelector } from '../../../resources/collection/field-selector.ts';
import { parseLabelSelector } from '../../../resources/collection/label-selector.ts';
import type { ListQuery } from '../../../resources/collection/collection.ts';
import { everything } from '../../../resources/collection/selector.ts';
import { WatchCache } from '../../../resources/collection/watch-cache.ts';
import { waitFor } from '../../support/wait-for.ts';
import { EventLog } from './event-log.ts';
import { drain, heldPod, nodeType, pod, podType } from './sample.ts';

const all: ListQuery = { selector: everything, at: { match: 'newest' } };
const ignore = (): void => undefined;

/** With `count` pods `p0` ..., versions 1 to `count`. */
function filled(count: number, options: ConstructorParameters<typeof WatchCache>[1] = {}): WatchCache {
  const cache = new WatchCache(podType, { version: 0, ...options });
  for (let i = 0; i < count; i++) cache.put(heldPod(`p${i}`, i + 1, { labels: { odd: String(i % 2) } }));
  return cache;
}

async function names(cache: WatchCache, query: Partial<ListQuery> = {}): Promise<string[]> {
  return (await cache.list({ ...all, ...query })).objects.map(({ name }) => name);
}

t.test('what was put is read back; what is removed is gone', async (t) => {
  const cache = filled(2);
  const p0 = await cache.get('default', 'p0');
  t.match(p0, { name: 'p0', version: 1 });
  t.equal(cache.size, 2);
  t.equal(cache.bytes, (p0?.json.length ?? 0) * 2);
  t.equal(cache.remove('default', 'p0', 3), true);
  t.equal(await cache.get('default', 'p0'), undefined);
  t.equal(cache.remove('default', 'p0', 4), false);
  t.match(cache, { version: 4, size: 1, events: 3 });
  t.strictSame(await names(cache), ['p1']);
});

t.test('a list is in order, by namespace and then by name', async (t) => {
  const cache = new WatchCache(podType, { version: 0 });
  let version = 0;
  for (const [namespace, name] of [
    ['b', 'a'],
    ['a-b', 'x'],
    ['a', 'y'],
    ['a', 'Z'],
    ['a', 'x-1'],
    ['a', 'x'],
  ] as const)
    cache.put(heldPod(name, ++version, { namespace }));
  const { objects } = await cache.list(all);
  t.strictSame(
    objects.map(({ namespace, name }) => `${namespace}/${name}`),
    ['a/Z', 'a/x', 'a/x-1', 'a/y', 'a-b/x', 'b/a'],
  );
  t.strictSame(await names(cache, { namespace: 'a' }), ['Z', 'x', 'x-1', 'y']);
  t.strictSame(await names(cache, { namespace: 'a-' }), []);
});

t.test('a list holds what is selected and visible', async (t) => {
  const cache = filled(4);
  const labels = parseLabelSelector('odd=1');
  t.strictSame(await names(cache, { selector: { labels, fields: [] } }), ['p1', 'p3']);
  const fields = parseFieldSelector('metadata.name=p1', podType);
  for (const namespace of [undefined, 'default'])
    t.strictSame(
      await names(cache, { selector: { labels, fields }, ...(namespace === undefined ? {} : { namespace }) }),
      ['p1'],
    );
  t.strictSame(await names(cache, { selector: { labels: [], fields }, namespace: 'other' }), []);
  t.strictSame(await names(cache, { visible: ({ name }) => name !== 'p2' }), ['p0', 'p1', 'p3']);
  const nodes = new WatchCache(nodeType, { version: 0 });
  for (const name of ['n1', 'n2'])
    nodes.put(heldObject({ apiVersion: 'v1', kind: 'Node', metadata: { name, resourceVersion: '1' } }, nodeType));
  t.strictSame(
    await names(nodes, { selector: { labels: [], fields: parseFieldSelector('metadata.name=n2', nodeType) } }),
    ['n2'],
  );
});

t.test('pages are of one version, whatever happens between them', async (t) => {
  const cache = filled(10);
  const first = await cache.list({ ...all, limit: 4 });
  t.match(first, { version: 10, remaining: 6, next: { version: 10, namespace: 'default', name: 'p3' } });
  cache.remove('default', 'p5', 11);
  cache.put(heldPod('p4x', 12));
  cache.put(heldPod('p6', 13, { text: 'new' }));
  const second = await cache.list({ ...all, limit: 4, from: first.next ?? { version: 0, namespace: '', name: '' } });
  t.strictSame(
    second.objects.map(({ name, version }) => `${name}@${version}`),
    ['p4@5', 'p5@6', 'p6@7', 'p7@8'],
  );
  cache.remove('default', 'p9', 14);
  const third = await cache.list({ ...all, limit: 4, from: second.next ?? { version: 0, namespace: '', name: '' } });
  t.strictSame(
    third.objects.map(({ name }) => name),
    ['p8', 'p9'],
  );
  t.match([third.version, third.next, third.remaining], [10, undefined, undefined]);
  t.strictSame(await names(cache, { at: { match: 'exact', version: 12 } }), [
    'p0',
    'p1',
    'p2',
    'p3',
    'p4',
    'p4x',
    'p6',
    'p7',
    'p8',
    'p9',
  ]);
  t.equal((await cache.get('default', 'p6', { match: 'exact', version: 12 }))?.version, 7);
});

t.test('how much is left is said only where it is known', async (t) => {
  const cache = filled(10);
  cache.put(heldPod('z', 11, { namespace: 'other' }));
  t.equal((await cache.list({ ...all, limit: 3, namespace: 'default' })).remaining, 7);
  t.equal((await cache.list({ ...all, limit: 3 })).remaining, 8);
  const filtered = await cache.list({ ...all, limit: 3, visible: () => true });
  t.ok(filtered.next);
  t.equal(filtered.remaining, undefined);
  const last = await cache.list({ ...all, limit: 10, namespace: 'default' });
  t.equal(last.next, undefined, 'a page that holds the rest has no next, though other namespaces follow');
  const odd = { labels: parseLabelSelector('odd=1'), fields: [] };
  t.equal((await cache.list({ ...all, limit: 5, selector: odd })).next, undefined);
});

t.test('pages and lists of a past that is not kept are expired', async (t) => {
  const cache = filled(10, { maxEvents: 5 });
  await t.rejects(cache.list({ ...all, at: { match: 'exact', version: 4 } }), { code: 'version-expired', status: 410 });
  t.equal((await cache.list({ ...all, at: { match: 'exact', version: 5 } })).objects.length, 5);
  const { next } = await cache.list({ ...all, limit: 2 });
  for (let version = 11; version < 16; version++) cache.put(heldPod('p0', version));
  if (next === undefined) throw new Error('no next page');
  t.equal((await cache.list({ ...all, limit: 2, from: next })).objects[0]?.name, 'p2');
  cache.put(heldPod('p0', 16));
  await t.rejects(cache.list({ ...all, limit: 2, from: next }), { code: 'version-expired' });
});

t.test('a read waits for a version that is to come, and is told when it does not', async (t) => {
  const clock = new HandClock();
  const cache = filled(1, { clock, maxWaitMs: 3000 });
  const reads = [
    cache.list({ ...all, at: { match: 'not-older-than', version: 3 } }),
    cache.list({ ...all, at: { match: 'exact', version: 3 } }),
    cache.watch({ selector: everything, from: 3 }, ignore),
  ];
  const vain: Promise<unknown>[] = [
    cache.list({ ...all, at: { match: 'not-older-than', version: 4 } }),
    cache.get('default', 'p0', { match: 'not-older-than', version: 4 }),
    cache.watch({ selector: everything, from: 4 }, ignore),
  ];
  cache.put(heldPod('a', 2));
  cache.progress(3);
  for (const { version } of await Promise.all(reads)) t.equal(version, 3);
  clock.advance(3000);
  for (const read of vain)
    await t.rejects(read, { code: 'version-too-new', status: 504, retryAfterMs: 1000, message: /4, the newest is 3/ });
  t.equal(clock.pending, 0);
});

t.test('before the first list reads wait, rather than say that there is nothing', async (t) => {
  const clock = new HandClock();
  const cache = new WatchCache(podType, { clock });
  t.equal(cache.isLoaded, false);
  const waiting = [cache.list({ ...all, at: { match: 'any' } }), cache.list(all)];
  const watching = cache.watch({ selector: everything, from: 'any' }, ignore);
  cache.put(heldPod('early', 3));
  cache.replace([heldPod('a', 5)], 9);
  for (const { version, objects } of await Promise.all(waiting)) t.match([version, objects.length], [9, 1]);
  t.strictSame(drain(await watching), ['ADDED default/a@5']);
  const never = new WatchCache(podType, { clock });
  const vain = never.get('default', 'a');
  clock.advance(3000);
  await t.rejects(vain, { code: 'version-too-new', message: /nothing has been loaded/ });
  const closed = never.get('default', 'a');
  never.close();
  await t.rejects(closed, { code: 'version-too-new' });
});

t.test('a watch begins with what there is, or behind a version', async (t) => {
  const cache = filled(3);
  for (const from of ['any', 'newest'] as const) {
    const watch = await cache.watch({ selector: everything, from }, ignore);
    t.match([watch.isInitialDone, watch.version], [false, 0]);
    t.equal(watch.read(2).length, 2);
    t.match([watch.isInitialDone, watch.version], [false, 0], 'no bookmark in the middle');
    t.strictSame(drain(watch, 2), ['ADDED default/p2@3']);
    t.match([watch.isInitialDone, watch.version], [true, 3]);
    watch.close();
  }
  const behind = await cache.watch({ selector: everything, from: 2 }, ignore);
  t.match([behind.isInitialDone, behind.version], [true, 2]);
  t.strictSame(drain(behind), ['ADDED default/p2@3']);
  cache.progress(7);
  t.equal(behind.version, 7, 'what changes elsewhere is progress');
  behind.close();
  behind.close();
  t.equal(cache.watchers, 0);
});

t.test('what changes while a watch reads the beginning comes behind it', async (t) => {
  const cache = filled(3);
  const watch = await cache.watch({ selector: everything, from: 'any' }, ignore);
  watch.read(1);
  cache.remove('default', 'p2', 4);
  cache.put(heldPod('p0', 5));
  t.strictSame(drain(watch, 1), [
    'ADDED default/p1@2',
    'ADDED default/p2@3',
    'DELETED default/p2@4',
    'MODIFIED default/p0@5',
  ]);
});

t.test('a watch wakes once it has been read empty, and only for what it selects', async (t) => {
  const cache = filled(0);
  let wakes = 0;
  const labels = parseLabelSelector('odd=1');
  const watch = await cache.watch({ selector: { labels, fields: [] }, from: 'any' }, () => wakes++);
  const other = await EventLog.open(cache);
  cache.put(heldPod('a', 1, { labels: { odd: '1' } }));
  await other.until(1);
  t.equal(wakes, 0, 'not before it was read');
  t.equal(drain(watch).length, 1);
  cache.put(heldPod('b', 2, { labels: { odd: '0' } }));
  await other.until(2);
  t.equal(wakes, 0, 'not for others');
  t.equal(watch.version, 2, 'though they are progress');
  for (let version = 3; version < 10; version++) cache.put(heldPod('a', version, { labels: { odd: '1' } }));
  await other.until(9);
  t.equal(wakes, 1, 'once');
  t.equal(drain(watch).length, 7);
  watch.close();
  cache.put(heldPod('a', 10, { labels: { odd: '1' } }));
  await other.until(10);
  t.equal(wakes, 1, 'not any more');
});

t.test('what a principal may not see is not there, in lists and in watches', async (t) => {
  const cache = filled(3);
  const visible = ({ name }: { readonly name: string }): boolean => name === 'p1';
  t.strictSame(await names(cache, { visible }), ['p1']);
  const watch = await cache.watch({ selector: everything, from: 0, visible }, ignore);
  cache.remove('default', 'p0', 4);
  cache.remove('default', 'p1', 5);
  t.strictSame(drain(watch), ['ADDED default/p1@2', 'DELETED default/p1@5']);
});

t.test('an event is one and the same for all watches, its line too', async (t) => {
  const cache = filled(0);
  const [a, b] = [await EventLog.open(cache), await EventLog.open(cache, { namespace: 'default' })];
  cache.put(heldPod('a', 1));
  cache.put(heldPod('a', 2));
  cache.remove('default', 'a', 3);
  await a.until(3);
  await b.until(3);
  for (const [index, event] of a.events.entries()) {
    t.equal(event, b.events[index]);
    t.equal(event.line, b.events[index]?.line);
    t.equal(event.line.toString(), `{"type":"${event.type}","object":${event.object.json.toString()}}\n`);
  }
  t.match(JSON.parse(a.events[2]?.line.toString() ?? ''), {
    object: { metadata: { name: 'a', resourceVersion: '3' } },
  });
});

t.test('who falls behind what is kept, in count or in bytes, is expired; nobody else notices', async (t) => {
  const size = heldPod('p0', 1).json.length;
  for (const options of [{ maxEvents: 5 }, { maxEventBytes: 5 * size + 10 }]) {
    const cache = filled(1, options);
    const slow = await cache.watch({ selector: everything, from: 1 }, ignore);
    const unread = await cache.watch({ selector: everything, from: 'any' }, ignore);
    const quick = await EventLog.open(cache, { from: 1 });
    for (let version = 2; version < 8; version++) {
      cache.put(heldPod('p0', version));
      await quick.until(version - 1);
    }
    t.throws(() => slow.read(10), { code: 'version-expired', status: 410 });
    t.throws(() => unread.read(10), { code: 'version-expired' });
    t.equal(unread.isInitialDone, false);
    t.equal(quick.error, undefined);
    await t.rejects(cache.watch({ selector: everything, from: 1 }, ignore), {
      code: 'version-expired',
      message: /the oldest that is kept is 2/,
    });
    t.strictSame(drain(await cache.watch({ selector: everything, from: 2 }, ignore)).length, 5);
  }
});

t.test('what went out is counted in bytes, and given back', async (t) => {
  const cache = filled(0, { maxEvents: 2 });
  cache.put(heldPod('p0', 1));
  const log = await EventLog.open(cache, { from: 0 });
  const bytes = cache.bytes;
  const line = log.events[0]?.line.length ?? 0;
  t.equal(cache.bytes, bytes + line);
  for (let version = 2; version < 5; version++) cache.put(heldPod('p0', version));
  t.equal(cache.bytes, 3 * bytes, 'the object, and two superseded ones');
});

t.test('what repeats or is older than what was seen is dropped, and counted', async (t) => {
  const cache = filled(3);
  t.equal(cache.put(heldPod('p2', 3)), false);
  t.equal(cache.put(heldPod('p0', 2)), false, 'newer than held, older than seen');
  cache.remove('default', 'p1', 4);
  t.equal(cache.put(heldPod('p1', 2)), false, 'a deleted object does not come back');
  t.equal(cache.remove('default', 'p0', 3), false);
  t.match(cache, { repeated: 4, version: 4, size: 2 });
  t.strictSame(drain(await cache.watch({ selector: everything, from: 3 }, ignore)), ['DELETED default/p1@4']);
});

t.test('changes of one version are read together, and bookmarks stay before them until then', async (t) => {
  const cache = filled(1);
  for (const name of ['a', 'b', 'c']) cache.put(heldPod(name, 5));
  cache.put(heldPod('d', 6));
  const watch = await cache.watch({ selector: everything, from: 0 }, ignore);
  t.equal(watch.read(1).length, 1);
  t.equal(watch.version, 4);
  t.equal(watch.read(1).length, 3);
  t.equal(watch.version, 5);
  t.equal(watch.read(1).length, 1);
  t.equal(watch.version, 6);
});

t.test('a complete list makes the difference into events', async (t) => {
  const cache = filled(4);
  const held = cache.peek('default', 'p0');
  const log = await EventLog.open(cache, { from: 4 });
  const changed = cache.replace(
    [
      heldPod('new', 7),
      heldPod('p2', 6),
      heldPod('p1', 2),
      heldPod('p0', 1, { labels: { odd: '0' } }),
      heldPod('p2', 5),
    ],
    9,
  );
  await log.until(4);
  t.equal(changed, 4);
  t.strictSame(
    log.texts,
    ['MODIFIED default/p2@6', 'ADDED default/new@7', 'MODIFIED default/p1@2', 'DELETED default/p3@9'],
    'p1 differs in its labels, though not in its version',
  );
  t.equal(cache.peek('default', 'p0'), held, 'what did not change is not held anew');
  t.match(cache, { version: 9, size: 4 });
  t.equal(cache.replace((await cache.list(all)).objects, 10), 0);
  t.equal(log.watch.version, 10);
});

t.test('an older list, or one after a reset, is another history', async (t) => {
  for (const begin of [(): void => undefined, (cache: WatchCache): void => cache.reset()]) {
    const cache = filled(4);
    let wakes = 0;
    const watch = await cache.watch({ selector: everything, from: 4 }, () => wakes++);
    t.strictSame(drain(watch), []);
    begin(cache);
    t.equal((await cache.list({ ...all, at: { match: 'any' } })).objects.length, 4, 'a reset leaves what is there');
    cache.replace([heldPod('a', 1)], 2);
    await waitFor('the watch to wake', () => wakes === 1);
    t.throws(() => watch.read(1), { code: 'version-expired' });
    t.match(await cache.list(all), { version: 2, objects: [{ name: 'a' }] });
    await t.rejects(cache.list({ ...all, at: { match: 'exact', version: 1 } }), { code: 'version-expired' });
    await t.rejects(cache.watch({ selector: everything, from: 1 }, ignore), { code: 'version-expired' });
    cache.put(heldPod('b', 3));
    t.strictSame(drain(await cache.watch({ selector: everything, from: 2 }, ignore)), ['ADDED default/b@3']);
    t.ok(cache.bytes > 0);
  }
});

t.test('lists, watches and wakes of very many have others take their turn', async (t) => {
  const clock = new SteppingClock();
  const cache = new WatchCache(podType, { version: 0, clock });
  cache.replace(
    Array.from({ length: 30_000 }, (_, i) => ({ ...template, name: `p${i}`, version: i + 1 })),
    30_000,
  );
  clock.turns = 0;
  const none = { labels: parseLabelSelector('odd=1'), fields: [] };
  t.strictSame(await names(cache, { selector: none }), []);
  t.ok(clock.turns > 20, `a list of ${clock.turns} turns`);

  let wakes = 0;
  const watch = await cache.watch({ selector: none, from: 'any' }, () => wakes++);
  t.strictSame(watch.read(10), []);
  t.equal(watch.isInitialDone, false, 'there is more to look at');
  await waitFor('the watch to wake by itself', () => wakes === 1);
  t.strictSame(watch.read(10), []);
  t.equal(watch.isInitialDone, true);
  watch.close();

  const logs = await Promise.all(Array.from({ length: 500 }, () => EventLog.open(cache, { from: 30_000 })));
  clock.turns = 0;
  cache.put(heldPod('p0', 30_001));
  await waitFor('all to hear', () => logs.every(({ events }) => events.length === 1));
  t.ok(clock.turns > 10, `wakes in ${clock.turns} turns`);
});

const template = heldObject(
  { ...pod('p'), metadata: { name: 'p', namespace: 'default', resourceVersion: '1' } },
  podType,
);

/** Time that moves when it is told. */
class HandClock implements Clock {
  readonly #timers = new Map<() => void, number>();
  #now = 0;

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    this.#timers.set(run, this.#now + delayMs);
    return { cancel: () => this.#timers.delete(run) };
  }

  defer(run: () => void): void {
    queueMicrotask(run);
  }

  afterInput(run: () => void): void {
    setImmediate(run);
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const [run, at] of [...this.#timers]) if (at <= this.#now && this.#timers.delete(run)) run();
  }
}

/** Time that passes with each look at it: 10 ms. */
class SteppingClock implements Clock {
  turns = 0;
  #now = 0;

  now(): number {
    return (this.#now += 10);
  }

  after(delayMs: number, run: () => void): ReturnType<Clock['after']> {
    return systemClock.after(delayMs, run);
  }

  defer(run: () => void): void {
    systemClock.defer(run);
  }

  afterInput(run: () => void): void {
    this.turns++;
    setImmediate(run);
  }
}

t.test('while nobody watches less of the past is kept', async (t) => {
  for (const isWatched of [true, false]) {
    const cache = new WatchCache(podType, { version: 0, maxEventBytes: 1_000_000, idleEventBytes: 0 });
    const watch = isWatched ? await cache.watch({ selector: everything, from: 0 }, ignore) : undefined;
    for (let version = 1; version <= 10; version++) cache.put(heldPod('p', version));
    const past = cache.list({ ...all, at: { match: 'exact', version: 5 } });
    if (isWatched) t.match(await past, { version: 5 });
    else await t.rejects(past, { code: 'version-expired' });
    watch?.close();
  }
});
