import t from 'tap';
import { systemClock } from '../../../base/index.ts';
import type { CachedKind, Freshness } from '../../../gateway/cache/index.ts';
import { FleetCursor } from '../../../gateway/kube/fleet-cursor.ts';
import { FleetView } from '../../../gateway/kube/fleet-view.ts';
import { everything, WatchCache, type ObjectWatch } from '../../../resources/index.ts';
import { waitFor } from '../../support/wait-for.ts';
import { pod, podType } from './pods.ts';

const fresh: Freshness = { syncedAt: 1, ageMs: 0, isComplete: true, isConnected: true };

function kindOf(edge: string, freshness: Partial<Freshness> = {}): CachedKind {
  return {
    edge,
    group: '',
    resource: 'pods',
    type: podType,
    collection: new WatchCache(podType),
    freshness: { ...fresh, ...freshness },
    bytes: 0,
  };
}

function newView(tag = 1, clock = systemClock): FleetView {
  return new FleetView(podType, new FleetCursor(tag), clock);
}

async function settled(view: FleetView): Promise<void> {
  await waitFor('the view to settle', () => view.isSettled);
}

async function names(view: FleetView, selector = everything): Promise<string[]> {
  const { objects } = await view.collection.list({ selector, at: { match: 'newest' } });
  return objects.map(({ namespace, name }) => `${namespace}/${name}`);
}

/** What a watch tells, as `ADDED edge-1.a`. */
function told(watch: ObjectWatch): string[] {
  return watch.read(10_000).map(({ type, object }) => `${type} ${object.name}`);
}

t.test('objects of two edges with one name are two objects', async (t) => {
  const view = newView();
  for (const edge of ['edge-1', 'edge-2']) {
    view.state(edge, kindOf(edge));
    view.put(edge, pod({ name: 'web', version: 7, labels: { app: 'web' } }));
  }
  await settled(view);
  t.strictSame(await names(view), ['ns/edge-1.web', 'ns/edge-2.web']);
  const found = await view.collection.get('ns', 'edge-2.web');
  const object = JSON.parse(String(found?.json));
  t.match(object, {
    metadata: {
      name: 'edge-2.web',
      namespace: 'ns',
      labels: { 'app': 'web', 'causeway.io/edge': 'edge-2' },
      annotations: { 'causeway.io/name': 'web' },
      resourceVersion: String(found?.version),
    },
    spec: { nodeName: 'n' },
  });
  const ofEdge2 = { labels: [{ key: 'causeway.io/edge', operator: 'In', values: ['edge-2'] } as const], fields: [] };
  t.strictSame(await names(view, ofEdge2), ['ns/edge-2.web']);
});

t.test('a watch from the version of a list misses nothing and repeats nothing', async (t) => {
  const view = newView();
  view.state('edge-1', kindOf('edge-1'));
  for (let index = 0; index < 50; index++) view.put('edge-1', pod({ name: `p${index}`, version: index + 1 }));
  await settled(view);
  const { version, objects } = await view.collection.list({ selector: everything, at: { match: 'newest' } });
  const watch = await view.collection.watch({ selector: everything, from: version }, () => undefined);
  t.teardown(() => watch.close());
  t.strictSame(told(watch), []);
  const state = new Map(objects.map(({ name, version: at }) => [name, at]));
  for (let round = 0; round < 20; round++) {
    view.put('edge-1', pod({ name: `p${round}`, version: 100 + round }));
    view.remove('edge-1', pod({ name: `p${49 - round}`, version: 1 }));
    view.put('edge-1', pod({ name: `new${round}`, version: 200 + round }));
  }
  await settled(view);
  for (const { type, object } of watch.read(1000)) {
    t.equal(state.has(object.name), type !== 'ADDED', `${type} ${object.name}`);
    if (type === 'DELETED') state.delete(object.name);
    else state.set(object.name, object.version);
  }
  const now = await view.collection.list({ selector: everything, at: { match: 'newest' } });
  t.strictSame(state, new Map(now.objects.map(({ name, version: at }) => [name, at])));
});

t.test('versions of another process, or of an edge, are told to begin anew', async (t) => {
  const view = newView(1);
  const other = new FleetCursor(2);
  const code = { code: 'version-expired' };
  for (const version of [7, other.next()]) {
    await t.rejects(
      view.collection.watch({ selector: everything, from: version }, () => undefined),
      code,
    );
    await t.rejects(view.collection.list({ selector: everything, at: { match: 'not-older-than', version } }), code);
    await t.rejects(
      view.collection.list({ selector: everything, at: { match: 'any' }, from: { version, namespace: '', name: 'x' } }),
      code,
    );
    await t.rejects(view.collection.get('ns', 'x', { match: 'not-older-than', version }), code);
  }
});

t.test('an edge that goes offline changes nothing, one that is deleted leaves in pieces', async (t) => {
  let now = 0;
  // Each look at it costs a millisecond.
  const view = newView(1, { ...systemClock, now: () => now++ });
  view.state('edge-1', kindOf('edge-1'));
  view.state('edge-2', kindOf('edge-2'));
  for (let index = 0; index < 1200; index++) view.put('edge-1', pod({ name: `p${index}`, version: index + 1 }));
  view.put('edge-2', pod({ name: 'stays', version: 1 }));
  await settled(view);
  const { version } = view.collection;
  const watch = await view.collection.watch({ selector: everything, from: version }, () => undefined);
  t.teardown(() => watch.close());

  view.state('edge-1', kindOf('edge-1', { isConnected: false, ageMs: 1000 }));
  await settled(view);
  t.strictSame(told(watch), []);
  t.ok(view.partOf('edge-1'), 'its copy is still part of the view');

  view.dropped('edge-1', 'deleted');
  await new Promise((resolve) => setImmediate(resolve));
  const left = view.collection.size;
  t.ok(left > 1 && left <= 1201, 'not all in one turn');
  await settled(view);
  t.strictSame(await names(view), ['ns/edge-2.stays']);
  const events = told(watch);
  t.equal(events.length, 1200);
  t.ok(events.every((event) => event.startsWith('DELETED edge-1.')));
  t.equal(view.partOf('edge-1'), undefined);
});

t.test('an edge that is deleted and comes back at once keeps what came back', async (t) => {
  const view = newView();
  view.state('edge-1', kindOf('edge-1'));
  view.put('edge-1', pod({ name: 'same', version: 1 }));
  view.put('edge-1', pod({ name: 'newer', version: 2 }));
  view.put('edge-1', pod({ name: 'gone', version: 3 }));
  await settled(view);
  const watch = await view.collection.watch({ selector: everything, from: view.collection.version }, () => undefined);
  t.teardown(() => watch.close());
  view.dropped('edge-1', 'deleted');
  view.state('edge-1', kindOf('edge-1'));
  view.put('edge-1', pod({ name: 'same', version: 1 }));
  view.put('edge-1', pod({ name: 'newer', version: 9 }));
  await settled(view);
  t.strictSame(await names(view), ['ns/edge-1.newer', 'ns/edge-1.same']);
  t.strictSame(told(watch), ['MODIFIED edge-1.newer', 'DELETED edge-1.gone']);
});

t.test('an evicted copy that comes again tells only what differs', async (t) => {
  const view = newView();
  view.state('edge-1', kindOf('edge-1'));
  for (const name of ['a', 'b', 'c']) view.put('edge-1', pod({ name, version: 1 }));
  await settled(view);
  const watch = await view.collection.watch({ selector: everything, from: view.collection.version }, () => undefined);
  t.teardown(() => watch.close());

  view.dropped('edge-1', 'evicted');
  view.state('edge-1', kindOf('edge-1', { isComplete: false }));
  await settled(view);
  t.equal(view.partOf('edge-1'), undefined, 'it is missing meanwhile');
  t.strictSame(told(watch), [], 'and nothing was deleted');

  view.put('edge-1', pod({ name: 'a', version: 1 }));
  view.put('edge-1', pod({ name: 'b', version: 5 }));
  view.state('edge-1', kindOf('edge-1'));
  await settled(view);
  t.strictSame(told(watch), ['MODIFIED edge-1.b', 'DELETED edge-1.c']);
  t.strictSame(await names(view), ['ns/edge-1.a', 'ns/edge-1.b']);
});

t.test('an edge that prefers another version of the kind is not in the view of this one', async (t) => {
  const view = newView();
  const beta = { ...kindOf('edge-1'), type: { ...podType, version: 'v1beta1' } };
  view.state('edge-1', beta);
  view.put('edge-1', pod({ name: 'a', version: 1 }));
  await settled(view);
  t.strictSame(await names(view), []);
  t.equal(view.partOf('edge-1'), undefined);
});
