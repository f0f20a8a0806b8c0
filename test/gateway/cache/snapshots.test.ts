import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import type { Test } from 'tap';
import { createLog } from '../../../base/index.ts';
import { everything } from '../../../resources/index.ts';
import { FedEdge, FedReplica, fastClock } from '../../support/fed-edge.ts';
import { waitFor } from '../../support/wait-for.ts';

const pods = { group: '', resource: 'pods' };

test('Cached reads go on after a restart, with the age that they have, and only what is new is fed', async (t) => {
  const { edge, start, folder } = setUp(t);
  let replica = await start();
  for (let index = 0; index < 300; index++) edge.api.put(`pod-${index}`, { index });
  await complete(replica, 300);
  const { syncedAt } = held(replica).freshness;
  await replica.close();
  t.strictSame(readdirSync(folder), ['edge-1.snapshot']);
  t.equal(statSync(join(folder, 'edge-1.snapshot')).mode & 0o077, 0, 'nobody else may read it');

  edge.api.put('pod-7', { index: 'seven' });
  edge.api.remove('pod-8');
  replica = await start({ isOnline: false });
  const { freshness, collection } = held(replica);
  t.equal(collection.size, 300);
  t.equal(freshness.isConnected, false);
  t.ok((freshness.syncedAt ?? 0) >= (syncedAt ?? 0) && (freshness.syncedAt ?? 0) <= Date.now());
  const page = await collection.list({ selector: everything, at: { match: 'any' } });
  t.equal(page.objects.length, 300);

  replica.setOnline('edge-1', true);
  await waitFor('it is fed', () => collection.peek('default', 'pod-8') === undefined);
  await waitFor('all is there', () => collection.version === edge.api.version);
  const counts = replica.feeds.clients.get('edge-1')?.counts;
  t.equal(counts?.resumed, 1);
  t.equal((counts?.puts ?? 0) + (counts?.deltas ?? 0), 1);
});

test('A damaged snapshot is ignored, with a log event, and the edge is fed anew', async (t) => {
  const { edge, start, folder } = setUp(t);
  let replica = await start();
  for (let index = 0; index < 20; index++) edge.api.put(`pod-${index}`, { index });
  await complete(replica, 20);
  await replica.close();
  const path = join(folder, 'edge-1.snapshot');
  const good = readFileSync(path);
  const flipped = Buffer.from(good);
  flipped[good.length >> 1] = (flipped[good.length >> 1] ?? 0) ^ 1;
  for (const [name, bytes] of Object.entries({
    flipped,
    cut: good.subarray(0, good.length - 40),
    empty: Buffer.alloc(0),
    other: Buffer.from('something else, and long enough to be taken for a snapshot'.repeat(3)),
  })) {
    writeFileSync(path, bytes);
    const events: string[] = [];
    const log = createLog({
      name: 'test',
      level: 'info',
      destination: {
        write: (line: string) => void events.push(String((JSON.parse(line) as { event?: string }).event)),
      },
    });
    replica = await start({ isOnline: false, log });
    t.ok(events.includes('snapshot-ignored'), name);
    t.equal(replica.caches.find('edge-1')?.use(pods), undefined, name);
    t.equal(replica.caches.counts.snapshotFailures, 1, name);
    replica.setOnline('edge-1', true);
    await complete(replica, 20);
    await replica.close();
  }
});

test('A snapshot under the name of another edge is not that edge’s', async (t) => {
  const { edge, start, folder } = setUp(t);
  const replica = await start();
  edge.api.put('one');
  await complete(replica, 1);
  await replica.close();
  writeFileSync(join(folder, 'edge-2.snapshot'), readFileSync(join(folder, 'edge-1.snapshot')));
  writeFileSync(join(folder, 'edge-3.snapshot.tmp'), 'half');
  const again = await start({ isOnline: false });
  t.equal(again.caches.find('edge-2')?.use(pods), undefined);
  t.equal(again.caches.counts.snapshotFailures, 1);
  t.notOk(readdirSync(folder).includes('edge-3.snapshot.tmp'));
});

test('Snapshots of edges that are not known any more are deleted', async (t) => {
  const { edge, start, folder } = setUp(t);
  const replica = await start();
  edge.api.put('one');
  await complete(replica, 1);
  await replica.close();
  const again = new FedReplica(new Map(), fastClock(20), { snapshotFolder: folder });
  await again.caches.load((name) => name !== 'edge-1');
  t.strictSame(readdirSync(folder), []);
  await again.close();
});

test('What changes is written now and then, and what an edge loses with it', async (t) => {
  const { edge, start, folder } = setUp(t);
  const replica = await start();
  edge.api.put('one');
  await waitFor('it is written', () => readdirSync(folder).includes('edge-1.snapshot'));
  const { counts } = replica.caches;
  const written = counts.snapshotsWritten;
  edge.api.put('two');
  await waitFor('it is written again', () => counts.snapshotsWritten > written);
  replica.setOnline('edge-1', false);
  await replica.caches.forget('edge-1');
  t.strictSame(readdirSync(folder), []);
});

test('Secrets are held, and never on disk', async (t) => {
  const { edge, start, folder } = setUp(t, { resources: ['pods', 'secrets'], secrets: true });
  // The scripted API has pods only: what it lists under this name is empty, which is enough to be held.
  edge.secretsStatus = 200;
  const replica = await start();
  edge.api.put('one');
  await complete(replica, 1);
  await waitFor('Secrets are held', () => replica.caches.find('edge-1')?.use({ group: '', resource: 'secrets' }));
  await replica.close();
  const again = await start({ isOnline: false });
  t.strictSame(
    again.caches.find('edge-1')?.kinds.map(({ type }) => type.resource),
    ['pods'],
  );
  t.notMatch(readFileSync(join(folder, 'edge-1.snapshot')).toString('latin1'), /secrets/u);
});

test('A folder that cannot be used costs the snapshots, and nothing else', async (t) => {
  const { edge, start, folder } = setUp(t);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const replica = await start({ snapshotFolder: join(file, 'folder') });
  edge.api.put('one');
  await complete(replica, 1);
  t.equal(replica.caches.counts.snapshotFailures, 1);
  await replica.close();
});

function setUp(t: Pick<Test, 'teardown'>, config: Record<string, unknown> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-snapshots-'));
  const clock = fastClock(20);
  const edge = new FedEdge(clock, config);
  const replicas = new Set<FedReplica>();
  t.teardown(async () => {
    for (const replica of replicas) await replica.close();
    await edge.close();
    rmSync(folder, { recursive: true });
  });
  const start = async ({
    isOnline = true,
    ...options
  }: { isOnline?: boolean } & NonNullable<ConstructorParameters<typeof FedReplica>[2]> = {}): Promise<FedReplica> => {
    const replica = new FedReplica(new Map([['edge-1', edge]]), clock, {
      snapshotFolder: folder,
      snapshotEveryMs: 2000,
      ...options,
    });
    replicas.add(replica);
    if (!isOnline) replica.setOnline('edge-1', false);
    await replica.start();
    return replica;
  };
  return { edge, start, folder };
}

function held(replica: FedReplica) {
  const kind = replica.caches.find('edge-1')?.use(pods);
  if (kind === undefined) throw new Error('not held');
  return kind;
}

async function complete(replica: FedReplica, objects: number): Promise<void> {
  await waitFor('it is complete', () => held(replica).collection.size === objects);
  await waitFor('it is current', () => held(replica).freshness.syncedAt !== undefined);
}
