import t from 'tap';

import type { ListPage } from '../../../resources/collection/collection.ts';
import { codeOf } from '../../../base/index.ts';
import { everything } from '../../../resources/collection/selector.ts';
import type { StoreCollection } from '../../../resources/collection/store-collection.ts';
import { StoreFeed } from '../../../resources/collection/store-feed.ts';
import { openEmbeddedStore } from '../../../store/index.ts';
import { within } from '../../support/wait-for.ts';
import { EventLog } from './event-log.ts';
import { FaultyStore } from './faulty-store.ts';
import { pod, podType, randomFrom, seedOf } from './sample.ts';

t.test(
  'two replicas and their watches agree with the store, whatever its watch repeats, delays or breaks off',
  async (t) => {
    const seed = seedOf();
    t.comment(`SEED=${seed}`);
    const random = randomFrom(seed);
    const embedded = openEmbeddedStore();
    const replicas = await Promise.all(
      Array.from({ length: 2 }, async () => {
        const store = new FaultyStore(embedded);
        store.repeats = true;
        const feed = new StoreFeed({ store });
        await feed.start();
        const pods = await feed.collection(podType);
        return { store, feed, pods, log: await EventLog.open(pods) };
      }),
    );
    t.teardown(async () => {
      for (const { feed } of replicas) feed.close();
      await embedded.close();
    });

    let written = 0;
    const write = async (pods: StoreCollection): Promise<void> => {
      const name = `p${random(20)}`;
      try {
        if (random(3) === 0) await pods.create(pod(name, { text: String(random(100)) }));
        else
          await pods.update('default', name, () =>
            random(4) === 0 ? undefined : pod(name, { text: String(random(100)) }),
          );
        written++;
      } catch (error) {
        if (!['object-exists', 'object-not-found'].includes(codeOf(error))) throw error;
      }
    };
    for (let step = 0; step < 600; step++) {
      const replica = replicas[random(2)];
      if (replica === undefined) throw new Error('no replica');
      const { store, pods } = replica;
      switch (random(12)) {
        case 0:
          store.hold();
          break;
        case 1:
          store.release();
          break;
        case 2:
          store.release();
          if (random(8) === 0) store.end();
          break;
        case 3:
          await new Promise((resolve) => setImmediate(resolve));
          break;
        default:
          await Promise.all([write(pods), write(pods)]);
      }
    }
    t.ok(written > 200, `${written} writes`);

    const { revision, entries } = await embedded.range('/resources/core/pods/');
    const expected = entries.map(({ key, modRevision }) => `${key.split('/').at(-1)}@${modRevision}`).sort();
    for (const { store, pods, log, feed } of replicas) {
      store.release();
      const list = await within('a list of the newest', untilSeen(pods, revision));
      t.strictSame(list.objects.map(({ name, version }) => `${name}@${version}`).sort(), expected);
      await within('the watch to be read', untilRead(log, revision));
      const held = new Map<string, number>();
      for (const { type, object } of log.events) {
        if (held.has(object.name) === (type === 'ADDED')) t.fail(`${type} of ${object.name}`);
        if (type === 'DELETED') held.delete(object.name);
        else held.set(object.name, object.version);
      }
      t.strictSame([...held].map(([name, version]) => `${name}@${version}`).sort(), expected, 'by the watch too');
      t.strictSame(
        log.versions,
        log.versions.toSorted((a, b) => a - b),
      );
      t.equal(feed.divergences, 0);
      t.equal(await feed.compare(), 0);
    }
  },
);

async function untilSeen(pods: StoreCollection, version: number): Promise<ListPage> {
  while (pods.cache.version < version) await new Promise((resolve) => setImmediate(resolve));
  return pods.list({ selector: everything, at: { match: 'newest' } });
}

async function untilRead(log: EventLog, version: number): Promise<void> {
  while (log.watch.version < version) await new Promise((resolve) => setImmediate(resolve));
}
