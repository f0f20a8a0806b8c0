import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'tap';
import type { Replica } from '../../../gateway/index.ts';
import { connect } from '../../../sdk/index.ts';
import { openEmbeddedStore } from '../../../store/index.ts';
import { start } from '../../integration/start.ts';
import { freePort } from '../../support/program.ts';
import { waitFor } from '../../support/wait-for.ts';
import { anotherReplica } from './another-replica.ts';

test('an edge is reached through whichever replica, and its links are spread over the sites', async (t) => {
  const store = openEmbeddedStore();
  t.teardown(() => store.close());
  const port = await freePort();
  const gateway = { link: { host: '127.0.0.1', port }, advertise: [`127.0.0.1:${port}`] };
  const { cluster } = await start(t, { store, gateway });
  const links = (): readonly string[] => cluster.agent('edge-1').uplink.links.map(({ target }) => target);
  await waitFor('both links are at the one replica', () => links().length === 2);
  const other = await anotherReplica(cluster, store, 'site-b', 'r1');
  t.teardown(() => other.close('the test is over'));
  await waitFor('a link has moved to the other site', () => new Set(links()).size === 2);

  const { keys } = cluster.clientConfig;
  const at = (ports: Replica['ports']) =>
    connect({
      config: { replicas: [{ api: `https://127.0.0.1:${ports.api}`, link: `127.0.0.1:${ports.link}` }], keys },
    });
  for (const ports of [cluster.ports, other.ports]) {
    await using fleet = await at(ports);
    const response = await fleet.edge('edge-1').fetch('web', '/sdk');
    t.equal(await response.text(), 'edge-1 GET /sdk');
  }

  await t.test('a stream goes on when its replica and the active link are gone', async (t) => {
    await using fleet = await connect({
      config: {
        replicas: [cluster.ports, other.ports].map(({ api, link }) => ({
          api: `https://127.0.0.1:${api}`,
          link: `127.0.0.1:${link}`,
        })),
        keys,
      },
    });
    const stream = fleet.edge('edge-1').dial('echo');
    const received = createHash('sha256');
    const sent = createHash('sha256');
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      received.update(chunk);
    });
    const total = 64;
    for (let block = 0; block < total; block++) {
      const chunk = randomBytes(128 * 1024);
      sent.update(chunk);
      if (!stream.write(chunk)) await once(stream, 'drain');
      if (block === total / 2) void other.close('the test ends it in the midst');
    }
    stream.end();
    await once(stream, 'end');
    t.equal(bytes, total * 128 * 1024);
    t.equal(received.digest('hex'), sent.digest('hex'));
  });
});
