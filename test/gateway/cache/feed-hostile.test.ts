import { test } from 'tap';
import type { Test } from 'tap';
import { zstdCompressSync } from 'node:zlib';
import { silentLog } from '../../../base/index.ts';
import { FeedClients, ResourceCaches } from '../../../gateway/cache/index.ts';
import {
  encodeFeedFrame,
  encodeFeedRecord,
  Digest,
  FeedRequestReader,
  fingerprintOf,
  type FedKind,
  type FeedRecord,
  type FeedRequest,
} from '../../../resources/index.ts';
import { tunnelError } from '../../../tunnel/index.ts';
import { fastClock } from '../../support/fed-edge.ts';
import { MemoryOpener, type PairedStream } from '../../support/stream-pair.ts';
import { waitFor } from '../../support/wait-for.ts';

const pods = { group: '', resource: 'pods' };
const podKind: FedKind = {
  group: '',
  version: 'v1',
  resource: 'pods',
  kind: 'Pod',
  listKind: 'PodList',
  singular: 'pod',
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ['get', 'list', 'watch'],
  hasStatus: true,
  selectableFields: [],
};
const start: FeedRecord = { type: 'start', version: 1, feed: '0123456789abcdef' };
const kind: FeedRecord = { type: 'kind', index: 0, resumed: false, kind: podKind };
const live: FeedRecord = { type: 'state', kinds: [{ index: 0, isSynced: true, isLive: true }] };

const rubbish: Readonly<Record<string, Buffer>> = {
  'random bytes': Buffer.from('GET / HTTP/1.1\r\nHost: gateway\r\n\r\n'),
  'a frame of 4 GiB': Buffer.from('0200000001ffffffff', 'hex'),
  'bytes that are no zstd': Buffer.concat([
    ...encodeFeedFrame({ type: 'packed', bytes: Buffer.from('no zstd'), batchBytes: 100 }),
  ]),
  'a bomb': Buffer.concat([
    ...encodeFeedFrame({ type: 'packed', bytes: zstdCompressSync(Buffer.alloc(100_000_000)), batchBytes: 4000 }),
  ]),
  'records before the start': frame(kind),
  'two starts': frame(start, start),
  'a kind of a high number': frame(start, { ...kind, index: 9999 }),
  'a change of an unknown kind': frame(start, { type: 'put', kind: 3, json: pod('a', 1) }),
  'an object that is no JSON': frame(start, kind, { type: 'put', kind: 0, json: Buffer.from('{"metadata":') }),
  'two objects in one': frame(start, kind, {
    type: 'put',
    kind: 0,
    json: Buffer.concat([pod('a', 1), Buffer.from(','), pod('b', 2)]),
  }),
  'an object without a name': frame(start, kind, { type: 'put', kind: 0, json: Buffer.from('{"metadata":{}}') }),
  'an object without a namespace': frame(start, kind, {
    type: 'put',
    kind: 0,
    json: Buffer.from('{"metadata":{"name":"a","resourceVersion":"1"}}'),
  }),
  'a delta that is none': frame(
    start,
    kind,
    { type: 'put', kind: 0, json: pod('a', 1) },
    {
      type: 'delta',
      kind: 0,
      base: fingerprintOf(pod('a', 1)),
      key: { namespace: 'default', name: 'a' },
      delta: Buffer.from('none'),
    },
  ),
};

/** An agent whose every byte is the test's. */
class HostileEdge {
  readonly caches: ResourceCaches;
  readonly #feeds: FeedClients;
  onStream: (stream: PairedStream) => void = () => undefined;
  onRequest: (request: FeedRequest) => void = () => undefined;
  readonly lostWith: string[] = [];
  /** How many fingerprints each question had. */
  readonly asked: number[] = [];
  answered = false;
  refuses = false;
  instance = 'one';
  #stream: PairedStream | undefined;

  constructor(t: Pick<Test, 'teardown'>) {
    const clock = fastClock(20);
    this.caches = new ResourceCaches({ clock, log: silentLog });
    const opener = new MemoryOpener((stream) => this.#serve(stream));
    this.#feeds = new FeedClients({
      caches: this.caches,
      clock,
      log: silentLog,
      principal: 'replica/site-a/r0',
      opener,
      find: () => ({ instance: this.instance, services: [{ name: 'kube', kind: 'http' }], links: [{}] }),
    });
    t.teardown(async () => {
      await this.#feeds.close();
      await this.caches.close();
    });
  }

  get counts() {
    const client = this.#feeds.clients.get('edge-1');
    if (client === undefined) throw new Error('no client');
    return client.counts;
  }

  online(): void {
    this.#feeds.edgeChanged('edge-1');
  }

  say(...records: readonly FeedRecord[]): void {
    this.#stream?.write(frame(...records));
  }

  /** Feeds properly: every question is answered with all that there is. */
  feed(stream: PairedStream, state: ReadonlyMap<string, number>, behind: FeedRecord = { type: 'alive' }): void {
    stream.write(frame(start, kind));
    this.onRequest = (request) => {
      if (request.type !== 'have') return;
      this.asked.push(request.fingerprints.length);
      const known = new Set(request.fingerprints);
      const objects = [...state].map(([name, version]) => pod(name, version));
      for (const object of objects) known.delete(fingerprintOf(object));
      stream.write(
        frame(
          ...objects.map((json): FeedRecord => ({ type: 'put', kind: 0, json })),
          { type: 'absent', kind: 0, round: request.round, version: 6, fingerprints: [...known] },
          { type: 'mark', kind: 0, sequence: 9, version: 6, isCurrent: true, isLeaping: false },
          live,
          behind,
        ),
      );
    };
  }

  #serve(stream: PairedStream): void {
    if (this.refuses) {
      stream.refuse(tunnelError('service-unknown'));
      return;
    }
    this.#stream = stream;
    const reader = new FeedRequestReader();
    stream.on('error', (error: Error & { code?: string }) => this.lostWith.push(error.code ?? ''));
    stream.on('data', (bytes: Buffer) => {
      for (const request of reader.push(bytes)) this.onRequest(request);
    });
    stream.accept();
    this.onStream(stream);
  }
}

for (const [name, bytes] of Object.entries(rubbish))
  test(`An agent that sends ${name} loses its feed, and nothing else happens`, async (t) => {
    const edge = new HostileEdge(t);
    edge.onStream = (stream) => void stream.write(bytes);
    edge.online();
    await waitFor('it is counted', () => edge.counts.malformed > 0);
    await waitFor('the agent is told why', () => edge.lostWith.includes('record-malformed'));
    t.equal(edge.caches.find('edge-1')?.use(pods), undefined, 'nothing incomplete is read');
    edge.onStream = (stream) => edge.feed(stream, new Map([['a', 1]]));
    await waitFor('a feed that is well is taken', () => edge.caches.find('edge-1')?.use(pods)?.collection.size === 1);
  });

test('A copy that differs by its digest is compared, repaired and counted', async (t) => {
  const edge = new HostileEdge(t);
  const state = new Map([
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);
  edge.onStream = (stream) => edge.feed(stream, state);
  edge.online();
  const copy = await waitFor('it is held', () => edge.caches.find('edge-1')?.use(pods));
  // Changes that the replica is not told of.
  state.delete('a');
  state.set('b', 5);
  state.set('d', 6);
  edge.say({ type: 'state', kinds: [{ index: 0, isSynced: true, isLive: true, digest: digestOf(state) }] });
  await waitFor('it is repaired', () => copy.collection.size === 3 && copy.collection.peek('default', 'd'));
  t.strictSame(
    [...copy.collection.objects()].map(({ name, version }) => `${name}@${version}`),
    ['b@5', 'c@3', 'd@6'],
  );
  t.equal(edge.counts.divergences, 1);
  t.strictSame(edge.asked, [0, 3], 'the second time it says what it has');
});

test('A difference from a state that is not held is repaired as well', async (t) => {
  const edge = new HostileEdge(t);
  const state = new Map([['a', 1]]);
  edge.onStream = (stream) => edge.feed(stream, state);
  edge.online();
  const copy = await waitFor('it is held', () => edge.caches.find('edge-1')?.use(pods));
  state.set('a', 2);
  const key = { namespace: 'default', name: 'a' };
  edge.say({ type: 'delta', kind: 0, base: 12n, key, delta: Buffer.from('of something else') });
  await waitFor('it is repaired', () => copy.collection.peek('default', 'a')?.version === 2);
  t.equal(edge.counts.divergences, 1);
  t.equal(edge.counts.malformed, 0);
});

test('An agent whose digests never match is given up, and tried again with a pause', async (t) => {
  const edge = new HostileEdge(t);
  const state = new Map([['a', 1]]);
  const lie: FeedRecord = { type: 'state', kinds: [{ index: 0, isSynced: true, isLive: true, digest: '7:7' }] };
  let streams = 0;
  edge.onStream = (stream) => {
    // The next one may come before this test looks, since the first pause is short.
    if (streams++ === 0) edge.feed(stream, state, lie);
  };
  edge.online();
  await waitFor('it is given up', () => edge.counts.malformed > 0);
  t.equal(edge.counts.divergences, 4);
  await waitFor('it is tried again', () => streams > 1);
});

test('An answer to a question that was not the last completes nothing', async (t) => {
  const edge = new HostileEdge(t);
  edge.onStream = (stream) => {
    stream.write(frame(start, kind));
    edge.onRequest = (request) => {
      if (request.type !== 'have') return;
      stream.write(
        frame(
          { type: 'absent', kind: 0, round: request.round + 1, version: 1, fingerprints: [] },
          { type: 'mark', kind: 0, sequence: 1, version: 1, isCurrent: true, isLeaping: false },
          live,
          { type: 'alive' },
        ),
      );
      edge.answered = true;
    };
  };
  edge.online();
  await waitFor('it was answered', () => edge.answered);
  await waitFor('the answer is read', () => edge.counts.recordBytes > 100);
  t.equal(edge.caches.find('edge-1')?.use(pods), undefined);
  t.strictSame(edge.caches.find('edge-1')?.hello().cursors, {});
});

test('Whoever refuses a feed is not asked again before another instance comes', async (t) => {
  const edge = new HostileEdge(t);
  let opened = 0;
  edge.refuses = true;
  edge.onStream = () => {
    opened++;
  };
  edge.online();
  await waitFor('it was asked', () => edge.counts.failures === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  edge.online();
  t.equal(edge.counts.streams, 1);
  t.equal(opened, 0);
  edge.refuses = false;
  edge.instance = 'another';
  edge.onStream = (stream) => edge.feed(stream, new Map([['a', 1]]));
  edge.online();
  await waitFor('it is fed', () => edge.caches.find('edge-1')?.use(pods));
});

function frame(...records: readonly FeedRecord[]): Buffer {
  const batch = Buffer.concat(records.flatMap((record) => [...encodeFeedRecord(record)]));
  return Buffer.concat([...encodeFeedFrame({ type: 'plain', batch })]);
}

function pod(name: string, version: number): Buffer {
  const metadata = { name, namespace: 'default', resourceVersion: String(version) };
  return Buffer.from(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata }));
}

function digestOf(state: ReadonlyMap<string, number>): string {
  const digest = new Digest();
  for (const [name, version] of state) digest.add(fingerprintOf(pod(name, version)));
  return digest.toString();
}
