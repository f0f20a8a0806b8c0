import t from 'tap';

import { compareKeys, SortedObjects, type ObjectSnapshot } from '../../../resources/collection/sorted-objects.ts';
import type { HeldObject } from '../../../resources/collection/collection.ts';
import { heldPod, randomFrom, seedOf } from './sample.ts';

const listed = (snapshot: ObjectSnapshot): HeldObject[] => {
  const objects: HeldObject[] = [];
  for (const cursor = snapshot.cursor(); cursor.object !== undefined; cursor.move()) objects.push(cursor.object);
  return objects;
};

t.test('objects stay in order, and snapshots stay what they were, whatever is set and deleted', async (t) => {
  const seed = seedOf();
  t.comment(`SEED=${seed}`);
  const random = randomFrom(seed);
  const pool = Array.from({ length: 4000 }, (_, i) =>
    heldPod(`p${random(100_000)}`, i + 1, { namespace: `n${random(3)}` }),
  );
  const objects = new SortedObjects();
  const naive = new Map<string, HeldObject>();
  const kept: { readonly snapshot: ObjectSnapshot; readonly expected: readonly HeldObject[] }[] = [];
  const sorted = (): HeldObject[] => [...naive.values()].sort(compareKeys);
  for (let round = 0; round < 12_000; round++) {
    const object = pool[random(pool.length)];
    if (object === undefined) throw new Error('an empty pool');
    const key = `${object.namespace}/${object.name}`;
    // First it grows, then it shrinks.
    const before = random(10) < (round < 6000 ? 8 : 3) ? objects.set(object) : objects.delete(object);
    if (before !== naive.get(key)) t.equal(before, naive.get(key), `round ${round}`);
    const after = objects.get(object);
    if (after === undefined) naive.delete(key);
    else naive.set(key, object);
    if (round % 1000 === 0) kept.push({ snapshot: objects.snapshot(), expected: sorted() });
  }
  t.strictSame(listed(objects.snapshot()), sorted());
  t.equal(objects.size, naive.size);
  for (const { snapshot, expected } of kept) t.ok(same(listed(snapshot), expected), `a snapshot of ${expected.length}`);
});

t.test('a cursor begins at a key or behind it, and what is before a key is counted', async (t) => {
  const all = Array.from({ length: 2000 }, (_, i) =>
    heldPod(`p${String(i).padStart(4, '0')}`, i + 1, { namespace: i < 1000 ? 'a' : 'b' }),
  );
  for (const objects of [
    SortedObjects.of(all),
    all.reduce((sum, object) => (sum.set(object), sum), new SortedObjects()),
  ]) {
    const snapshot = objects.snapshot();
    t.equal(snapshot.size, 2000);
    t.equal(snapshot.cursor({ namespace: 'a', name: 'p0513' }).object, all[513]);
    t.equal(snapshot.cursor({ namespace: 'a', name: 'p0513x' }).object, all[514]);
    t.equal(snapshot.cursor({ namespace: 'a', name: 'z' }).object, all[1000]);
    t.equal(snapshot.cursor({ namespace: 'c', name: '' }).object, undefined);
    t.equal(snapshot.countBefore({ namespace: 'b', name: 'p1700' }), 1700);
    t.equal(snapshot.countBefore({ namespace: 'c', name: '' }), 2000);
    t.equal(snapshot.get({ namespace: 'b', name: 'p1234' }), all[1234]);
    t.equal(snapshot.get({ namespace: 'b', name: 'p0234' }), undefined);
  }
});

t.test('a copy of a snapshot is changed without the original', async (t) => {
  const original = SortedObjects.of([heldPod('a', 1), heldPod('b', 2)]);
  const copy = new SortedObjects(original.snapshot());
  copy.delete({ namespace: 'default', name: 'a' });
  copy.set(heldPod('c', 3));
  t.strictSame(
    listed(original.snapshot()).map(({ name }) => name),
    ['a', 'b'],
  );
  t.strictSame(
    listed(copy.snapshot()).map(({ name }) => name),
    ['b', 'c'],
  );
});

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
