import { join } from 'node:path';
import { test } from 'tap';
import { loadKeyStore } from '../../certs/index.ts';
import { Cluster } from '../support/cluster.ts';
import { temporaryFolder } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';
import { dialLinkAs, keysOf, pinOf } from '../security/fleet.ts';
import { causeway } from './causeway.ts';
import { writeFileSync } from 'node:fs';
import { formatYaml } from '../../base/index.ts';

function commandOf(cluster: Cluster, config = cluster.writeClientFile()) {
  return async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await causeway(args, { env: { CAUSEWAY_CONFIG: config } });
    return { exitCode, text: String(stdout), stderr };
  };
}

test('a denial keeps its reason until the edge is allowed again', async (t) => {
  const cluster = await Cluster.start(t);
  const run = commandOf(cluster);
  t.match(await run('node', 'deny', 'edge-1', '--reason', 'under repair'), { exitCode: 0, text: 'edge-1 denied\n' });
  await waitFor('its links to go', async () => (await cluster.node('edge-1')).status?.links.length === 0);
  t.match((await run('node', 'show', 'edge-1')).text, /Reason: +under repair/u);
  t.match(await run('node', 'allow', 'edge-1'), { exitCode: 0, text: 'edge-1 allowed\n', stderr: '' });
  t.notMatch((await run('node', 'show', 'edge-1')).text, /under repair/u);
  t.match(await run('node', 'deny', '--lift', 'edge-1'), { exitCode: 2 });
});

test('an emergency denial says which replicas have it, and `node allow` lifts it', async (t) => {
  const cluster = await Cluster.start(t);
  const run = commandOf(cluster);
  const denied = await run('node', 'deny', '--emergency', 'edge-1', '--reason', 'stolen');
  t.match(denied, { exitCode: 0, text: /edge-1 {2}site-a\/r0 {2}denied\nedge-1 {2}whitelist {2}denied\n/u });
  const json = JSON.parse((await run('node', 'deny', '--emergency', 'edge-1', '-o', 'json')).text) as object;
  t.match(json, { edge: 'edge-1', replicas: [{ answer: { replica: 'site-a/r0', denied: true, kept: true } }] });
  const keys = await loadKeyStore(join(cluster.folder, 'keys', 'edge-edge-1'));
  await cluster.setAdmission('edge-1', 'Allowed');
  t.match(await dialLinkAs(cluster, keys, {}), { code: 'edge-denied' }, 'whatever the whitelist says');
  t.match(await run('node', 'allow', 'edge-1'), {
    text: /edge-1 allowed\nedge-1 emergency denial lifted at site-a\/r0/u,
  });
  const back = await dialLinkAs(cluster, keys, {});
  t.ok('close' in back);
  if ('close' in back) back.close();

  // One of two replicas is away.
  const { replicas, keys: folder } = cluster.clientConfig;
  const file = join(temporaryFolder('deny'), 'client.yaml');
  writeFileSync(
    file,
    formatYaml({ replicas: [...replicas, { api: 'https://127.0.0.1:9', link: '127.0.0.1:9' }], keys: folder }),
  );
  const partly = await commandOf(cluster, file)('node', 'deny', '--emergency', 'edge-1');
  t.equal(partly.exitCode, 5, 'somebody may still let it in');
  t.match(partly.text, /site-a\/r0 {2}denied/u);
  t.match(partly.text, /https:\/\/127\.0\.0\.1:9 {2}NOT REACHED/u);
  t.match(partly.stderr, /1 of 2/u);
  const lifted = await run('node', 'deny', '--emergency', '--lift', 'edge-1');
  t.match(lifted, { exitCode: 0, text: /site-a\/r0 {2}lifted\nedge-1 {2}whitelist {2}unchanged/u });
});

test('a ban takes the edge’s name and its key, and says what is left of it when the edge is allowed', async (t) => {
  const cluster = await Cluster.start(t);
  const run = commandOf(cluster);
  const keys = await loadKeyStore(join(cluster.folder, 'keys', 'edge-edge-1'));
  await waitFor('its key to be known', async () => (await cluster.node('edge-1')).status?.certificate?.keyPin);
  const banned = await run('node', 'ban', 'edge-1', '--reason', 'stolen');
  t.match(banned, { exitCode: 0, text: `edge/edge-1 revoked\nkey ${pinOf(keys)} revoked\n`, stderr: '' });
  t.match(await run('node', 'ban', 'edge-1'), { exitCode: 0 }, 'once more is no harm');
  t.equal((await cluster.node('edge-1')).spec.admission, 'Denied');
  t.match(await dialLinkAs(cluster, keys, {}), { code: 'revoked' });
  const allowed = await run('node', 'allow', 'edge-1');
  t.match(allowed.stderr, /edge\/edge-1 is still revoked; `causeway revocation rm banned-edge-1`/u);
  t.match(await dialLinkAs(cluster, keys, {}), { code: 'revoked' });
  const listed = await run('revocation', 'ls', '-o', 'name');
  const names = listed.text.trim().split('\n');
  t.equal(names.length, 2);
  t.match((await run('revocation', 'ls')).text, /banned-edge-1 +edge\/edge-1 .*stolen/u);
  t.match(await run('revocation', 'rm', ...names), { exitCode: 0 });
  t.equal((await run('revocation', 'ls')).text, 'Nothing is revoked.\n');
  const unknown = await run('node', 'ban', 'edge-9');
  t.match(unknown, { exitCode: 0, stderr: /no key of edge-9 is known/u }, 'also before it ever comes');
});

test('whoever is revoked by the command is told so by every command, and nothing else', async (t) => {
  const cluster = await Cluster.start(t, { gateway: { admins: ['operator/tester', 'operator/mallory'] } });
  const run = commandOf(cluster);
  const { folder } = await keysOf(cluster, 'operator/mallory');
  const file = join(temporaryFolder('mallory'), 'client.yaml');
  writeFileSync(file, formatYaml({ replicas: cluster.clientConfig.replicas, keys: folder }));
  const mallory = commandOf(cluster, file);
  t.match(await mallory('node', 'ls'), { exitCode: 0 });
  const added = await run('revocation', 'add', 'operator/mallory', '--reason', 'left the company');
  t.match(added, {
    exitCode: 0,
    text: /operator\/mallory revoked; `causeway revocation rm operator-[a-z0-9]+` lifts it/u,
  });
  const refused = await mallory('node', 'ls');
  t.match(refused, { exitCode: 4, stderr: /revoked/u });
  t.notMatch(refused.stderr, /left the company/u);
  t.match(await run('revocation', 'add'), { exitCode: 2 });
  t.match(await run('revocation', 'add', 'operator/x', '--serial', '01'), { exitCode: 2 });
  t.match(await run('revocation', 'add', 'nobody/x'), { exitCode: 2 });
});
