import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import type { HeldObject } from '../../../resources/index.ts';
import { FedEdge, FedReplica, fastClock } from '../../support/fed-edge.ts';
import { waitFor } from '../../support/wait-for.ts';
import { Random } from '../../simulation/random.ts';

const pods = { group: '', resource: 'pods' };
const ROUNDS = 60;

for (const seed of [1, 2, 3, 4]) {
  test(`Whatever happens to the edge, the links, the agent and the replica, the copy equals the edge in the end: seed ${seed}`, async (t) => {
    const random = new Random(seed);
    const clock = fastClock(40);
    const folder = mkdtempSync(join(tmpdir(), 'causeway-feed-'));
    const edge = new FedEdge(clock);
    const edges = new Map([['edge-1', edge]]);
    const options = { snapshotFolder: folder, snapshotEveryMs: 4000 };
    let replica = new FedReplica(edges, clock, options);
    t.teardown(async () => {
      await replica.close();
      await edge.close();
      rmSync(folder, { recursive: true });
    });
    await replica.start();
    const mirror = new Mirror(replica);

    for (let index = 0; index < 200; index++) edge.api.put(`pod-${index}`, { index, text: 'x'.repeat(index) });
    for (let round = 0; round < ROUNDS; round++) {
      for (let change = random.int(0, 39); change > 0; change--) {
        const name = `pod-${random.int(0, 249)}`;
        if (random.chance(0.25) && edge.api.objects.has(`default/${name}`)) edge.api.remove(name);
        else edge.api.put(name, { round, change, text: 'y'.repeat(random.int(0, 299)) });
        if (random.chance(0.2)) await new Promise((resolve) => void setImmediate(resolve));
      }
      await happen(random.int(0, 11));
      await new Promise((resolve) => setTimeout(resolve, random.int(0, 19)));
    }
    await settled();
    t.equal(replica.feeds.clients.get('edge-1')?.counts.malformed, 0);
    t.equal(replica.feeds.clients.get('edge-1')?.counts.divergences, 0);
    const { kind } = mirror;
    t.strictSame(
      mirror.objects,
      Object.fromEntries([...(kind?.collection.objects() ?? [])].map((each) => [each.name, each.version])),
      'who follows has the same',
    );

    async function happen(what: number): Promise<void> {
      switch (what) {
        case 0:
          edge.cut();
          return;
        case 1:
          await edge.restart();
          replica.feeds.edgeChanged('edge-1');
          return;
        case 2:
          await replica.close();
          replica = new FedReplica(edges, clock, options);
          await replica.start();
          mirror.follow(replica);
          return;
        case 3:
          edge.api.endWatches(random.chance(0.5) ? new Error('gone') : undefined);
          return;
        case 4:
          edge.api.compact();
          edge.api.endWatches(new Error('gone'));
          return;
        case 5:
          replica.setOnline('edge-1', false);
          edge.cut();
          await new Promise((resolve) => setTimeout(resolve, 20));
          replica.setOnline('edge-1', true);
          return;
        case 6:
          edge.api.mischief.push({ on: random.chance(0.5) ? 'list' : 'watch', cutAfter: random.int(0, 2999) });
          return;
        case 7:
          edge.api.bookmark();
          return;
        default:
          return;
      }
    }

    async function settled(): Promise<void> {
      await waitFor(
        'the copy equals the edge',
        () => {
          const kind = replica.caches.find('edge-1')?.use(pods);
          if (kind === undefined) return false;
          const objects = [...kind.collection.objects()];
          const found = new Map(objects.map((each: HeldObject) => [each.name, each.json.toString()]));
          if (found.size !== edge.api.objects.size) return false;
          return [...edge.api.objects.values()].every(
            (each) => found.get(each.metadata.name ?? '') === JSON.stringify(each),
          );
        },
        { deadlineMs: 20_000 },
      );
    }
  });
}

/** What somebody who only follows knows. */
class Mirror {
  objects: Record<string, number> = {};
  kind: { readonly collection: { objects(): Iterable<HeldObject> } } | undefined;

  constructor(replica: FedReplica) {
    this.follow(replica);
  }

  follow(replica: FedReplica): void {
    this.objects = {};
    this.kind = undefined;
    replica.caches.follow(pods, {
      state: (_edge, kind) => {
        this.kind = kind;
      },
      put: (_edge, { name, version }) => {
        this.objects[name] = version;
      },
      remove: (_edge, { name }) => {
        delete this.objects[name];
      },
      dropped: () => {
        this.objects = {};
      },
    });
  }
}
