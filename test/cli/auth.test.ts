import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { formatYaml } from '../../base/index.ts';
import { PolicedFleet } from '../gateway/policy/policed-fleet.ts';
import { causeway } from './causeway.ts';

t.test('auth can-i says yes or no, the rule, and by its exit code', async (t) => {
  const fleet = await PolicedFleet.start(t);
  const { cluster } = fleet;
  await fleet.setPolicy('shop', {
    principals: ['operator/alice'],
    rules: [
      { edges: { names: ['edge-1'] }, services: ['hello'], verbs: ['get'], paths: ['/time'] },
      { edges: { names: ['edge-1'] }, services: ['echo'], addresses: ['10.0.0.7:*'], verbs: ['connect'] },
      { fleet: ['edgenodes'], verbs: ['list'] },
    ],
  });
  const keys = await cluster.certificates.keyStore(join(cluster.folder, 'cli'), 'operator/alice');
  const alice = join(cluster.folder, 'alice.yaml');
  writeFileSync(alice, formatYaml({ ...cluster.clientConfig, keys }));
  const admin = cluster.writeClientFile();
  const ask = async (config: string, ...args: string[]) => {
    const { exitCode, stdout } = await causeway(['auth', ...args], { env: { CAUSEWAY_CONFIG: config } });
    return `${exitCode} ${String(stdout).trim()}`;
  };
  const at = ['--edge', 'edge-1'];
  const cases: [string, string[], string][] = [
    [alice, ['get', '/time', ...at, '--service', 'hello'], '0 yes: shop#0'],
    [alice, ['connect', ...at, '--service', 'echo'], '0 yes: shop#1'],
    [alice, ['connect', '10.0.0.7:22', ...at], '0 yes: shop#1'],
    [alice, ['list', 'en'], '0 yes: shop#2'],
    [alice, ['get', 'pods', ...at], '4 no: default deny'],
    [admin, ['get', 'pods', ...at], '0 yes: role admin'],
    [admin, ['list', 'edgenodes', '--as', 'operator/alice'], '0 yes: shop#2'],
    [alice, ['list', 'edgenodes', '--as', 'operator/tester'], '4'],
    [alice, ['get', '/time', '--service', 'hello'], '2'],
  ];
  for (const [config, args, expected] of cases)
    t.equal((await ask(config, 'can-i', ...args)).trim(), expected, args.join(' '));
  t.equal(await ask(alice, 'whoami'), '0 operator/alice');
  const list = await ask(alice, 'can-i', '--list');
  for (const part of ['/edges/edge-1/hello/time', '/edges/edge-1/10.0.0.7:*', 'edgenodes.causeway.io'])
    t.match(list, part);
});
