import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { loadConfig } from '../../base/index.ts';
import { identityName, loadKeyStore, parseAuthority } from '../../certs/index.ts';
import { agentConfigSchema } from '../../edge-agent/index.ts';
import { gatewayConfigSchema } from '../../gateway/index.ts';
import { loadClientConfig } from '../../sdk/index.ts';
import { causeway } from './causeway.ts';

test('init makes a fleet whose files the roles can read', async (t) => {
  const folder = join(t.testdir(), 'fleet');
  const made = await causeway([
    'init',
    folder,
    '--edge',
    'shop-1',
    '--edge',
    'shop-2',
    '--host',
    'gw.example.com',
    '--trust-domain',
    'fleet.test',
  ]);
  t.equal(made.exitCode, 0, made.stderr);
  t.match(String(made.stdout), /causeway gateway run --config .*gateway\.yaml/u);

  const gateway = await loadConfig(gatewayConfigSchema, { file: join(folder, 'gateway.yaml') });
  t.match(gateway, { site: 'site-a', name: 'r0', advertise: ['gw.example.com:8441'] });
  const client = await loadClientConfig(join(folder, 'client.yaml'));
  t.strictSame(client.replicas, [{ api: 'https://gw.example.com:8440', link: 'gw.example.com:8441' }]);
  for (const edge of ['shop-1', 'shop-2']) {
    const agent = await loadConfig(agentConfigSchema, { file: join(folder, 'edges', edge, 'agent.yaml') });
    t.strictSame(agent.gateways, ['gw.example.com:8441']);
    t.equal(identityName((await loadKeyStore(join(folder, 'edges', edge, 'keys'))).identity), `edge/${edge}`);
  }
  t.equal(identityName((await loadKeyStore(client.keys)).identity), 'operator/admin');
  const replica = await loadKeyStore(join(folder, 'replica'));
  t.equal(identityName(replica.identity), 'replica/site-a/r0');
  t.equal(replica.leaf.checkHost('gw.example.com'), 'gw.example.com');
  for (const name of ['root', 'edge', 'replica', 'component', 'operator']) {
    const authority = parseAuthority(
      await readFile(join(folder, 'ca', `${name}.cert.pem`), 'utf8'),
      await readFile(join(folder, 'ca', `${name}.key.pem`), 'utf8'),
    );
    t.equal(authority.trustDomain, 'fleet.test');
  }
});

test('only the owner can read the keys that init makes', async (t) => {
  const folder = join(t.testdir(), 'fleet');
  await causeway(['init', folder]);
  const keys = [
    'ca/root.key.pem',
    'ca/edge.key.pem',
    'ca/operator.key.pem',
    'replica/key.pem',
    'operator/key.pem',
    'edges/edge-1/keys/key.pem',
  ];
  for (const key of keys) t.equal((await stat(join(folder, key))).mode & 0o777, 0o600, key);
  t.equal((await stat(join(folder, 'ca'))).mode & 0o777, 0o700);
});

test('init never overwrites, and then writes nothing at all', async (t) => {
  const folder = t.testdir();
  await writeFile(join(folder, 'client.yaml'), 'mine');
  const refused = await causeway(['init', folder]);
  t.equal(refused.exitCode, 1);
  t.match(refused.stderr, /never overwritten: .*client\.yaml\nfix: /u);
  t.equal(await readFile(join(folder, 'client.yaml'), 'utf8'), 'mine');
  await t.rejects(stat(join(folder, 'ca')), { code: 'ENOENT' });
});

test('init refuses names that cannot stand in a certificate', async (t) => {
  const folder = join(t.testdir(), 'fleet');
  for (const args of [
    ['--edge', 'Shop_1'],
    ['--trust-domain', 'no domain'],
    ['--port', '70000'],
    ['--days', '0'],
  ]) {
    const refused = await causeway(['init', folder, ...args]);
    t.equal(refused.exitCode, 2, args.join(' '));
    t.match(refused.stderr, /^causeway: .*\nfix: /u);
  }
});
