import type { Test } from 'tap';

import { StoreFeed } from '../../../resources/collection/store-feed.ts';
import { WatchCache } from '../../../resources/collection/watch-cache.ts';
import { openEmbeddedStore } from '../../../store/index.ts';
import { heldPod, pod, podType } from './sample.ts';
import { watchConformance, type Subject } from './watch-conformance.ts';

watchConformance('WatchCache', async (): Promise<Subject> => {
  const collection = new WatchCache(podType, { version: 1 });
  let version = 1;
  const put: Subject['create'] = async (name, options) => {
    const object = heldPod(name, ++version, options);
    collection.put(object);
    return object;
  };
  return {
    collection,
    create: put,
    update: put,
    delete: async (name) => void collection.remove('default', name, ++version),
  };
});

watchConformance('StoreCollection', async (t: Test): Promise<Subject> => {
  const store = openEmbeddedStore();
  const feed = new StoreFeed({ store });
  await feed.start();
  const collection = await feed.collection(podType);
  t.teardown(async () => {
    feed.close();
    await store.close();
  });
  return {
    collection,
    create: (name, options) => collection.create(pod(name, options)),
    update: (name, options) => collection.update('default', name, () => pod(name, options)),
    delete: async (name) => void (await collection.update('default', name, () => undefined)),
  };
});
