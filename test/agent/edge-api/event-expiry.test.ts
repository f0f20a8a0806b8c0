import { test } from 'tap';
import { silentLog, systemClock } from '../../../base/index.ts';
import { EventExpiry } from '../../../edge-agent/edge-api/event-expiry.ts';
import { embeddedTypes, everything, fullAccess, ResourceApi, StoreFeed } from '../../../resources/index.ts';
import { openEmbeddedStore } from '../../../store/index.ts';

test('an event that was not seen for an hour goes, the others stay', async (t) => {
  const store = openEmbeddedStore();
  const feed = new StoreFeed({ store });
  await feed.start();
  const type = embeddedTypes.find(({ kind }) => kind === 'Event');
  if (type === undefined) throw new Error('no events');
  const events = new ResourceApi({ collection: await feed.collection(type), wallClock: () => 0 });
  const now = Date.parse('2026-01-01T12:00:00Z');
  const make = async (name: string, lastTimestamp: string): Promise<void> => {
    const involvedObject = { kind: 'Node', name: 'n' };
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'default' },
      involvedObject,
      lastTimestamp,
    };
    await events.create(fullAccess('test'), 'default', event);
  };
  await make('old', '2026-01-01T10:59:00Z');
  await make('young', '2026-01-01T11:30:00Z');
  const expiry = new EventExpiry({ events, clock: systemClock, wallClock: () => now, log: silentLog });
  await expiry.sweep();
  const { objects } = await events.collection.list({ selector: everything, at: { match: 'any' } });
  t.strictSame(
    objects.map(({ name }) => name),
    ['young'],
  );
  expiry.close();
  feed.close();
  await store.close();
});
