import { request as httpRequest, type IncomingMessage } from 'node:http';
import { test, type Test } from 'tap';
import { fullAccess } from '../../../resources/access.ts';
import { StoreCollection } from '../../../resources/collection/store-collection.ts';
import { waitFor } from '../../support/wait-for.ts';
import { VirtualClock } from '../../simulation/virtual-clock.ts';
import { configMap, configMaps, pick, TestApi, widget, widgets } from './test-api.ts';

const alice = fullAccess('operator/alice');

function advance(clock: VirtualClock, ms: number): void {
  const until = clock.now() + ms;
  while (clock.step(until)) continue;
}

/** The lines of a watch, as they come. */
class Watcher {
  readonly response: IncomingMessage;
  readonly events: unknown[] = [];
  isEnded = false;

  static async open(
    t: Test,
    api: TestApi,
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Watcher> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest({ host: '127.0.0.1', port: api.port, path, headers, agent: false }, resolve)
        .on('error', reject)
        .end();
    });
    t.teardown(() => response.destroy());
    return new Watcher(response);
  }

  private constructor(response: IncomingMessage) {
    this.response = response;
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.events.push(...lines.map((line): unknown => JSON.parse(line)));
    });
    response.on('end', () => (this.isEnded = true));
    response.on('error', () => undefined);
  }

  get texts(): string[] {
    return this.events.map((event) => {
      const name = pick(event, 'object.metadata.name') ?? pick(event, 'object.rows.0.cells.0') ?? '';
      return [pick(event, 'type'), name].join(' ').trim();
    });
  }

  async until(count: number): Promise<string[]> {
    await waitFor(`${count} events, ${this.texts.join()}`, () => this.events.length >= count);
    return this.texts;
  }
}

function watchersOf(api: TestApi, resource: string): number {
  const { collection } = api.resource(resource);
  if (!(collection instanceof StoreCollection)) throw new Error('not kept in a store');
  return collection.cache.watchers;
}

test('a watch tells what changes behind a version, a line each', async (t) => {
  const api = await TestApi.start(t);
  const version = String((await api.call('POST', widgets, { body: widget('a') })).pick('metadata.resourceVersion'));
  const watcher = await Watcher.open(t, api, `${widgets}?watch=true&resourceVersion=${version}`);
  t.equal(watcher.response.statusCode, 200, 'the head is there before there is anything to tell');
  await api.call('POST', widgets, { body: widget('b') });
  await api.call('PUT', `${widgets}/a`, { body: widget('a', { color: 'blue' }) });
  await api.call('DELETE', `${widgets}/b`);
  t.strictSame(await watcher.until(3), ['ADDED b', 'MODIFIED a', 'DELETED b']);
  t.match(watcher.events[1], { object: { kind: 'Widget', spec: { color: 'blue' } } });
});

test('a watch without a version begins with what there is', async (t) => {
  const api = await TestApi.start(t);
  await api.call('POST', widgets, { body: widget('a', { color: 'blue' }) });
  await api.call('POST', widgets, { body: widget('b') });
  for (const path of [`${widgets}?watch=1`, `${widgets}?watch=1&resourceVersion=0`])
    t.strictSame(await (await Watcher.open(t, api, path)).until(2), ['ADDED a', 'ADDED b'], path);
  t.strictSame(await (await Watcher.open(t, api, `${widgets}/b?watch=1`)).until(1), ['ADDED b'], 'of one object');
  const blue = await Watcher.open(t, api, `${widgets}?watch=1&fieldSelector=spec.color%3Dblue`);
  await api.call('PUT', `${widgets}/b`, { body: widget('b', { color: 'blue' }) });
  await api.call('PUT', `${widgets}/a`, { body: widget('a') });
  t.strictSame(
    await blue.until(3),
    ['ADDED a', 'ADDED b', 'DELETED a'],
    'what begins or ends to be meant comes and goes',
  );
});

test('the end of what there was in the beginning is marked', async (t) => {
  const api = await TestApi.start(t);
  const version = String((await api.call('POST', widgets, { body: widget('a') })).pick('metadata.resourceVersion'));
  const path = `${widgets}?watch=1&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&allowWatchBookmarks=true`;
  for (const more of ['', '&resourceVersion=0', `&resourceVersion=${version}`]) {
    const watcher = await Watcher.open(t, api, path + more);
    t.strictSame(await watcher.until(2), ['ADDED a', 'BOOKMARK'], more);
    t.match(pick(watcher.events[1], 'object'), {
      kind: 'Widget',
      apiVersion: 'example.com/v1',
      metadata: { resourceVersion: version, annotations: { 'k8s.io/initial-events-end': 'true' } },
    });
  }
  const later = await Watcher.open(
    t,
    api,
    `${widgets}?watch=1&resourceVersionMatch=NotOlderThan&sendInitialEvents=false`,
  );
  await api.call('POST', widgets, { body: widget('b') });
  t.strictSame(await later.until(1), ['ADDED b'], 'without it there is no beginning');
});

test('bookmarks come every minute to who asked for them, with the version of changes elsewhere', async (t) => {
  const clock = new VirtualClock();
  const api = await TestApi.start(t, { clock });
  const path = `${widgets}?watch=1&resourceVersion=0&timeoutSeconds=3000`;
  const watcher = await Watcher.open(t, api, `${path}&allowWatchBookmarks=true`);
  const other = await Watcher.open(t, api, path);
  const made = await api.call('POST', configMaps, { body: configMap('c') });
  advance(clock, 60_000);
  await watcher.until(1);
  t.match(watcher.events[0], {
    type: 'BOOKMARK',
    object: { kind: 'Widget', metadata: { resourceVersion: made.pick('metadata.resourceVersion') } },
  });
  advance(clock, 60_000);
  await watcher.until(2);
  t.equal(other.events.length, 0);
});

test('a watch ends after its time, and well', async (t) => {
  const clock = new VirtualClock();
  const api = await TestApi.start(t, { clock });
  const watcher = await Watcher.open(t, api, `${widgets}?watch=1&resourceVersion=0&timeoutSeconds=5`);
  advance(clock, 4_999);
  t.equal(watcher.isEnded, false);
  advance(clock, 1);
  await waitFor('the end', () => watcher.isEnded);
  t.equal(watcher.response.complete, true);
});

test('a reader that fell behind what is kept gets an ERROR with 410 as its last line', async (t) => {
  const api = await TestApi.start(t, { cache: { maxEvents: 8 } });
  const maps = api.resource('configmaps');
  await maps.create(alice, 'default', configMap('a'));
  const watcher = await Watcher.open(t, api, `${configMaps}?watch=1`);
  await watcher.until(1);
  watcher.response.pause();
  for (let i = 0; i < 200; i += 1)
    await maps.patch(alice, 'default', 'a', {
      type: 'merge',
      value: { data: { text: `${i} ${'x'.repeat(200_000)}` } },
    });
  watcher.response.resume();
  await waitFor('the end', () => watcher.isEnded);
  t.match(watcher.events.at(-1), { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
  t.strictSame(api.faults, []);
});

test('a reader that takes nothing for a minute is cut off', async (t) => {
  const clock = new VirtualClock();
  const api = await TestApi.start(t, { clock });
  const maps = api.resource('configmaps');
  const watcher = await Watcher.open(t, api, `${configMaps}?watch=1&resourceVersion=0&timeoutSeconds=2000000`);
  let isClosed = false;
  watcher.response.on('close', () => (isClosed = true));
  await waitFor('the watch', () => watchersOf(api, 'configmaps') === 1);
  watcher.response.pause();
  await maps.create(alice, 'default', configMap('a'));
  for (let i = 0; i < 60; i += 1)
    await maps.patch(alice, 'default', 'a', {
      type: 'merge',
      value: { data: { text: `${i} ${'x'.repeat(300_000)}` } },
    });
  await waitFor('the watch to be given up', () => {
    advance(clock, 61_000);
    return watchersOf(api, 'configmaps') === 0;
  });
  watcher.response.resume();
  await waitFor('the connection to be cut', () => isClosed);
  t.equal(watcher.response.complete, false);
});

test('a watch that its reader leaves is closed', async (t) => {
  const api = await TestApi.start(t);
  const watcher = await Watcher.open(t, api, `${widgets}?watch=1`);
  await waitFor('the watch', () => watchersOf(api, 'widgets') === 1);
  watcher.response.destroy();
  await waitFor('its end', () => watchersOf(api, 'widgets') === 0);
});

test('a watch of tables has the columns in the first one only', async (t) => {
  const api = await TestApi.start(t);
  await api.call('POST', widgets, { body: widget('a', { color: 'blue' }) });
  const watcher = await Watcher.open(t, api, `${widgets}?watch=1`, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  await watcher.until(1);
  await api.call('DELETE', `${widgets}/a`);
  t.strictSame(await watcher.until(2), ['ADDED a', 'DELETED a']);
  t.match(pick(watcher.events[0], 'object'), {
    kind: 'Table',
    columnDefinitions: [{ name: 'Name' }],
    rows: [{ cells: ['a', 'blue'] }],
  });
  t.equal(pick(watcher.events[1], 'object.columnDefinitions'), null);
});

test('a watch of metadata has nothing else', async (t) => {
  const api = await TestApi.start(t);
  await api.call('POST', widgets, { body: widget('a') });
  const watcher = await Watcher.open(t, api, `${widgets}?watch=1`, {
    accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  });
  await watcher.until(1);
  t.strictSame(Object.keys(pick(watcher.events[0], 'object') as object), ['kind', 'apiVersion', 'metadata']);
});

test('a hundred watchers of many changes all hear each once, in order', async (t) => {
  const api = await TestApi.start(t);
  const maps = api.resource('configmaps');
  const watchers = await Promise.all(
    Array.from({ length: 100 }, () => Watcher.open(t, api, `${configMaps}?watch=1&resourceVersion=0`)),
  );
  for (let i = 0; i < 200; i += 1) await maps.create(alice, 'default', configMap(`m${String(i).padStart(3, '0')}`));
  const expected = Array.from({ length: 200 }, (_, i) => `ADDED m${String(i).padStart(3, '0')}`);
  for (const watcher of watchers) {
    await watcher.until(200);
    t.strictSame(watcher.texts, expected);
  }
});
