import t from 'tap';
import { FleetCursor } from '../../../gateway/kube/fleet-cursor.ts';
import { openEmbeddedStore } from '../../../store/index.ts';

t.test('cursors rise, and are exact in JSON', async (t) => {
  const cursor = new FleetCursor(8191);
  const first = cursor.next();
  t.ok(Number.isSafeInteger(first) && cursor.next() > first);
  t.equal(cursor.last, first + 1);
});

t.test('a process knows its own cursors from all others', async (t) => {
  const store = openEmbeddedStore();
  t.teardown(() => store.close());
  const [one, other] = [await FleetCursor.open(store), await FleetCursor.open(store)];
  const [mine, foreign] = [one.next(), other.next()];
  t.ok(foreign > mine, 'a later start has higher ones');
  t.doesNotThrow(() => one.check(mine));
  for (const version of [foreign, 1, 123_456, 2 ** 40 - 1])
    t.throws(() => one.check(version), { code: 'version-expired', status: 410 });
});

t.test('two that start at once take two tags, and after the last comes the first', async (t) => {
  const store = openEmbeddedStore();
  t.teardown(() => store.close());
  const cursors = await Promise.all([FleetCursor.open(store), FleetCursor.open(store), FleetCursor.open(store)]);
  t.equal(new Set(cursors.map((cursor) => cursor.next())).size, 3);
  await store.txn({ then: [{ type: 'put', key: '/causeway/fleet-cursor', value: Buffer.from('8191') }] });
  const wrapped = await FleetCursor.open(store);
  t.equal(wrapped.next(), 2 ** 40 + 1);
});
