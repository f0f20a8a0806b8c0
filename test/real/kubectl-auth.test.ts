import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { kubeconfig } from '../../cli/kubeconfig.ts';
import { TestKube } from '../gateway/kube/test-kube.ts';
import { PolicedFleet } from '../gateway/policy/policed-fleet.ts';
import { noProxies, run } from '../support/fleet-access.ts';
import { missing } from '../support/program.ts';

t.test(
  'kubectl asks and is told, on every context',
  { skip: missing('kubectl', 'kubernetes-client'), timeout: 120_000 },
  async (t) => {
    const kube = await TestKube.start(t);
    kube.put('web', { namespace: 'a' });
    const fleet = await PolicedFleet.start(t, { services: () => [kube.service(true)].flat() });
    const { cluster } = fleet;
    await fleet.setPolicy('shop', {
      principals: ['operator/alice'],
      rules: [
        {
          edges: { names: ['edge-1'] },
          services: ['kube'],
          verbs: ['get', 'list'],
          resources: ['pods'],
          namespaces: ['a'],
        },
        { fleet: ['edgenodes'], verbs: ['get', 'list'] },
      ],
    });
    const as = async (principal: string) => {
      const keys = await cluster.certificates.keyStore(join(cluster.folder, 'kubectl'), principal);
      const file = join(cluster.folder, `${principal.replaceAll('/', '-')}.kubeconfig`);
      writeFileSync(file, await kubeconfig({ server: cluster.apiUrl, keys, edges: ['edge-1'] }), { mode: 0o600 });
      return async (context: string, ...args: string[]): Promise<string> => {
        const { stdout, stderr } = await run('kubectl', ['--kubeconfig', file, '--context', context, ...args], {
          ...noProxies,
          HOME: cluster.folder,
        });
        return `${stdout}${stderr}`.trim();
      };
    };
    const alice = await as('operator/alice');
    const admin = await as('operator/tester');
    for (const context of ['fleet', 'all', 'edge-1']) {
      t.match(await admin(context, 'auth', 'can-i', '*', '*'), 'yes', context);
      t.match(await alice(context, 'auth', 'whoami'), 'operator/alice', context);
      t.match(await alice(context, 'auth', 'can-i', '--list', '-n', 'a'), /selfsubjectaccessreviews/, context);
    }
    t.equal(await alice('edge-1', 'auth', 'can-i', 'list', 'pods', '-n', 'a'), 'yes');
    t.equal(await alice('edge-1', 'auth', 'can-i', 'list', 'pods', '-n', 'b'), 'no - default deny');
    t.equal(await alice('edge-1', 'auth', 'can-i', 'delete', 'pods', '-n', 'a'), 'no - default deny');
    t.equal(await admin('edge-1', 'auth', 'can-i', 'list', 'pods', '-n', 'a', '--as', 'operator/alice'), 'yes');
    t.match(
      await alice('edge-1', 'auth', 'can-i', 'list', 'pods', '-n', 'a', '--as', 'operator/tester'),
      /Error from server \(Forbidden\)/,
    );
    t.equal(await alice('fleet', 'auth', 'can-i', 'get', '/edges/edge-1/kube/api/v1/namespaces/a/pods/web'), 'yes');
    t.match(await alice('fleet', 'get', 'edgenodes'), /^NAME.*\nedge-1\b/);
    t.match(await alice('edge-1', 'get', 'pods', '-n', 'a'), /^NAME.*\nweb\b/);
    t.equal(
      await alice('edge-1', 'get', 'pods', '-n', 'b'),
      'Error from server (Forbidden): pods is forbidden: User "operator/alice" cannot list resource "pods" in API group "" in the namespace "b" at the edge "edge-1"',
    );
    t.equal(
      await alice('fleet', 'delete', 'edgenode', 'edge-1'),
      'Error from server (Forbidden): edgenodes.causeway.io "edge-1" is forbidden: User "operator/alice" cannot delete resource "edgenodes" in API group "causeway.io" at the cluster scope',
    );
  },
);
