import t from 'tap';

import { codeOf } from '../../../base/index.ts';
import type { HeldObject, ListPage, ObjectWatch, WatchEvent } from '../../../resources/collection/collection.ts';
import { parseLabelSelector } from '../../../resources/collection/label-selector.ts';
import { matches, type Selector } from '../../../resources/collection/selector.ts';
import { WatchCache } from '../../../resources/collection/watch-cache.ts';
import { heldPod, podType, randomFrom, seedOf } from './sample.ts';

/** What a collection should hold, kept in the dullest way: the whole state of every version. */
class Model {
  states = new Map<number, ReadonlyMap<string, HeldObject>>([[0, new Map()]]);
  version = 0;

  get now(): ReadonlyMap<string, HeldObject> {
    return this.at(this.version);
  }

  at(version: number): ReadonlyMap<string, HeldObject> {
    let at = version;
    while (!this.states.has(at) && at > 0) at--;
    return this.states.get(at) ?? new Map();
  }

  change(version: number, change: (state: Map<string, HeldObject>) => void): void {
    const state = new Map(this.now);
    change(state);
    this.version = version;
    this.states.set(version, state);
  }
}

/** A client that keeps what a watch tells it, as an informer does. */
class Client {
  readonly selector: Selector;
  readonly namespace: string | undefined;
  readonly held = new Map<string, HeldObject>();
  watch: ObjectWatch | undefined;
  relists = 0;
  /** Where it would go on. */
  version = 0;

  constructor(selector: string, namespace: string | undefined) {
    this.selector = { labels: parseLabelSelector(selector), fields: [] };
    this.namespace = namespace;
  }

  get scope(): { readonly selector: Selector; readonly namespace?: string } {
    return { selector: this.selector, ...(this.namespace === undefined ? {} : { namespace: this.namespace }) };
  }

  expected(state: ReadonlyMap<string, HeldObject>): string {
    return textOf(
      [...state.values()].filter(
        (object) =>
          matches(this.selector, object) && (this.namespace === undefined || object.namespace === this.namespace),
      ),
    );
  }

  take({ type, object, line }: WatchEvent): void {
    const key = keyOf(object);
    if (this.held.has(key) === (type === 'ADDED')) throw new Error(`${type} of ${key}`);
    if (type === 'DELETED') this.held.delete(key);
    else this.held.set(key, object);
    const told = JSON.parse(line.toString());
    if (told.object.metadata.resourceVersion !== String(object.version)) throw new Error(`the line of ${key}`);
  }
}

const seed = seedOf();
let relists = 0;

t.test('a collection agrees with a naive model under random changes, lists, pages and watches', async (t) => {
  t.comment(`SEED=${seed}`);
  const random = randomFrom(seed);
  for (let round = 0; round < 40; round++) {
    const problem = await play(random).catch((error: unknown) =>
      error instanceof Error ? error.stack : String(error),
    );
    if (problem !== undefined) {
      t.fail(`SEED=${seed} round ${round}: ${problem}`);
      return;
    }
  }
  t.ok(relists > 0, 'some fell behind and listed again');
});

async function play(random: (below: number) => number): Promise<string | undefined> {
  const cache = new WatchCache(podType, {
    version: 0,
    maxEvents: 20 + random(200),
    maxEventBytes: 2000 + random(60_000),
  });
  const model = new Model();
  const clients = [
    new Client('', undefined),
    new Client('odd=1', undefined),
    new Client('odd!=1', 'n1'),
    new Client('x', 'n2'),
  ];
  const randomPod = (version: number): HeldObject =>
    heldPod(`p${random(40)}`, version, {
      namespace: `n${random(3)}`,
      labels: { odd: String(random(2)), ...(random(3) === 0 ? { x: '' } : {}) },
    });
  const pages: { page: ListPage; readonly client: Client; readonly seen: HeldObject[] }[] = [];

  for (let step = 0; step < 400; step++) {
    const version = model.version + 1 + random(3);
    switch (random(12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        // Sometimes several of one version.
        const objects = Array.from({ length: 1 + Math.max(0, random(5) - 2) }, () => randomPod(version));
        model.change(version, (state) => {
          for (const object of objects) {
            const isFirst = state.get(keyOf(object))?.version !== version;
            if (isFirst) state.set(keyOf(object), object);
            if (cache.put(object) !== isFirst) throw new Error(`put of ${keyOf(object)}`);
          }
        });
        break;
      }
      case 4: {
        const { namespace, name } = randomPod(1);
        model.change(version, (state) => {
          const isHeld = state.delete(`${namespace}/${name}`);
          if (cache.remove(namespace, name, version) !== isHeld) throw new Error(`remove of ${name}`);
        });
        break;
      }
      case 5:
        model.change(version, () => undefined);
        cache.progress(version);
        break;
      case 6: {
        // What is not newer changes nothing.
        const held = [...model.now.values()][0];
        if (held !== undefined && model.version > 1 && (cache.put(held) || cache.put(heldPod('p0', model.version - 1))))
          throw new Error('an old one was taken');
        break;
      }
      case 7:
        if (random(4) === 0) relist(cache, model, version + 5, random, randomPod);
        break;
      case 8: {
        const client = clients[random(clients.length)] ?? clients[0];
        if (client === undefined) break;
        const page = await cache.list({ ...client.scope, at: { match: 'newest' }, limit: 1 + random(10) });
        pages.push({ page, client, seen: [...page.objects] });
        break;
      }
      case 9: {
        const open = pages[random(pages.length || 1)];
        const from = open?.page.next;
        if (open === undefined || from === undefined) break;
        try {
          open.page = await cache.list({ ...open.client.scope, at: { match: 'any' }, limit: 1 + random(10), from });
          open.seen.push(...open.page.objects);
        } catch (error) {
          if (codeOf(error) !== 'version-expired') throw error;
          pages.splice(pages.indexOf(open), 1);
        }
        break;
      }
      case 10: {
        const past = Math.max(0, model.version - random(60));
        try {
          const { objects } = await cache.list({
            selector: { labels: [], fields: [] },
            at: { match: 'exact', version: past },
          });
          if (textOf(objects) !== textOf([...model.at(past).values()])) return `the list of ${past}`;
        } catch (error) {
          if (codeOf(error) !== 'version-expired') throw error;
        }
        break;
      }
      default: {
        const client = clients[random(clients.length)];
        if (client !== undefined) await follow(cache, client, random);
      }
    }
    for (const client of clients) {
      const at = client.watch?.version ?? 0;
      if (at > 0 && client.version === at && textOf([...client.held.values()]) !== client.expected(model.at(at)))
        return `step ${step}: a client at ${at} holds ${textOf([...client.held.values()])}, not ${client.expected(model.at(at))}`;
    }
    for (const { page, client, seen } of pages) {
      if (page.next === undefined && textOf(seen) !== client.expected(model.at(page.version)))
        return `pages of ${page.version}`;
    }
  }
  for (const client of clients) {
    while (client.version !== model.version) await follow(cache, client, random);
    if (textOf([...client.held.values()]) !== client.expected(model.now)) return 'the end';
  }
  relists += clients.reduce((sum, client) => sum + client.relists, 0);
  if (cache.size !== model.now.size) return `size ${cache.size}`;
  const objectBytes = [...model.now.values()].reduce((sum, { json }) => sum + json.length, 0);
  if (cache.bytes < objectBytes) return `bytes ${cache.bytes}`;
  cache.reset();
  return cache.bytes === objectBytes ? undefined : `${cache.bytes} bytes, not ${objectBytes}`;
}

/** Lists and watches, or reads on; breaks off now and then, and goes on from where it was. */
async function follow(cache: WatchCache, client: Client, random: (below: number) => number): Promise<void> {
  try {
    if (client.watch === undefined || random(6) === 0) {
      client.watch?.close();
      client.watch = undefined;
      if (client.version === 0) await begin(cache, client);
      else client.watch = await cache.watch({ ...client.scope, from: client.version }, () => undefined);
      return;
    }
    for (const event of client.watch.read(1 + random(8))) client.take(event);
    if (client.watch.isInitialDone) client.version = client.watch.version;
  } catch (error) {
    if (codeOf(error) !== 'version-expired') throw error;
    client.watch?.close();
    client.watch = undefined;
    client.version = 0;
    client.relists++;
  }
}

async function begin(cache: WatchCache, client: Client): Promise<void> {
  client.held.clear();
  const { version, objects } = await cache.list({ ...client.scope, at: { match: 'any' } });
  for (const object of objects) client.held.set(keyOf(object), object);
  client.version = version;
  client.watch = await cache.watch({ ...client.scope, from: version }, () => undefined);
}

/** A list in which some objects are gone, some new and some changed; the model takes the differences one after the other. */
function relist(
  cache: WatchCache,
  model: Model,
  version: number,
  random: (below: number) => number,
  randomPod: (version: number) => HeldObject,
): void {
  const next = new Map([...model.now].filter(() => random(5) > 0));
  for (let i = 0; i < random(6); i++) {
    const object = randomPod(model.version + 1 + random(version - model.version));
    next.set(keyOf(object), object);
  }
  const { now } = model;
  const changes = [
    ...[...next.values()]
      .filter((object) => now.get(keyOf(object)) !== object)
      .map((object) => ({ at: object.version, object })),
    ...[...now.values()].filter((object) => !next.has(keyOf(object))).map((gone) => ({ at: version, gone })),
  ].sort((a, b) => a.at - b.at);
  for (const change of changes) {
    model.change(change.at, (state) => {
      if ('object' in change) state.set(keyOf(change.object), change.object);
      else state.delete(keyOf(change.gone));
    });
  }
  model.change(version, () => undefined);
  if (cache.replace(next.values(), version) !== changes.length) throw new Error('the number of differences');
}

function keyOf({ namespace, name }: HeldObject): string {
  return `${namespace}/${name}`;
}

function textOf(objects: readonly HeldObject[]): string {
  return objects
    .map((object) => `${keyOf(object)}@${object.version}`)
    .sort()
    .join(' ');
}
