import { once } from 'node:events';
import { test } from 'tap';
import { waitFor, within } from '../support/wait-for.ts';
import { startCauseway } from './causeway.ts';
import { start } from './kube-cli.ts';

test('watch shows rows as they change, over lost connections', async (t) => {
  const { server, env, fleet } = await start(t);
  const sites = fleet.resources('sites');
  const site = (name: string) => ({ apiVersion: 'test.io/v1', kind: 'Site', metadata: { name }, spec: { racks: 1 } });
  await sites.create(site('a'));
  for (const format of ['table', 'json']) {
    const child = startCauseway(['watch', 'sites', '-o', format], { env }, ['ignore', 'pipe', 'pipe']);
    t.teardown(() => child.kill());
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    const lines = () => output.trimEnd().split('\n');
    await waitFor('the first', () => output.includes('a'));
    await waitFor('the watch', () => server.openWatches === 1);
    await sites.create(site('b'));
    await waitFor('b', () => lines().length === (format === 'table' ? 3 : 2));
    server.cutWatches();
    await sites.patch('b', { spec: { racks: 2 } });
    await sites.delete('b');
    await waitFor('the end of b', () => lines().length === (format === 'table' ? 5 : 4)).catch((error: unknown) => {
      throw new Error(`${format}: ${output}`, { cause: error });
    });
    if (format === 'table') {
      t.match(output, /^EVENT +NAME +RACKS.*\n +a +1.*\nADDED +b +1.*\nMODIFIED +b +2.*\nDELETED +b +2.*\n$/u);
    } else {
      const events = lines().map((line) => JSON.parse(line) as { type: string; object: { kind: string } });
      t.strictSame(
        events.map(({ type }) => type),
        ['added', 'added', 'modified', 'deleted'],
      );
      t.equal(events[0]?.object.kind, 'Site');
    }
    const exited = once(child, 'exit');
    child.kill('SIGINT');
    await within('the exit', exited);
    await waitFor('the watch to be gone', () => server.openWatches === 0);
  }
});
