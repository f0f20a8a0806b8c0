import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { keyPinOf } from '../../certs/index.ts';
import { RevokedReplicas } from '../../edge-agent/control/revoked-replicas.ts';
import { TestFleet } from '../support/certificates.ts';
import { waitFor } from '../support/wait-for.ts';

const fleet = await TestFleet.create();
const leafOf = async (name: string): Promise<X509Certificate> =>
  new X509Certificate((await fleet.credentials(name)).chainPem);
const [bad, good] = await Promise.all([leafOf('replica/site-a/bad'), leafOf('replica/site-a/good')]);
const DAY_MS = 24 * 3_600_000;

t.test('a replica is refused by its name, its key or its certificate, and another is not', async (t) => {
  const revoked = await RevokedReplicas.open(undefined, Date.now);
  revoked.check('a:1', bad);
  for (const text of [
    'principal replica/site-a/bad',
    `key ${keyPinOf(bad)}`,
    `serial ${bad.serialNumber.toLowerCase()}`,
  ]) {
    t.ok(revoked.learn([text.replace(/^serial 0+/u, 'serial ')]));
    t.throws(() => revoked.check('a:1', bad), { code: 'link-refused' }, text);
    t.ok(revoked.hasAnswered('a:1'));
    t.doesNotThrow(() => revoked.check('b:1', good));
    t.notOk(revoked.hasAnswered('b:1'));
  }
  t.ok(revoked.learn(undefined), 'a WELCOME that names nobody lifts it');
  t.doesNotThrow(() => revoked.check('a:1', bad));
});

t.test('what is no list of revoked replicas is nothing, and a long one is cut', async (t) => {
  const revoked = await RevokedReplicas.open(undefined, Date.now);
  for (const said of ['x', 7, null, {}, [1, null, 'edge/edge-1', 'principal operator/alice', 'key short']])
    t.notOk(revoked.learn(said));
  const many = Array.from({ length: 10_000 }, (_, number) => `serial ${number.toString(16)}`);
  t.ok(revoked.learn([...many, 'principal replica/site-a/bad']));
  t.doesNotThrow(() => revoked.check('a:1', bad));
});

t.test('it outlasts a restart, and a week in which nobody says it again ends it', async (t) => {
  const folder = t.testdir();
  let now = Date.now();
  const open = () => RevokedReplicas.open(folder, () => now);
  (await open()).learn(['principal replica/site-a/bad']);
  const isRefused = async (): Promise<boolean> => {
    const revoked = await open();
    try {
      revoked.check('a:1', bad);
      return false;
    } catch {
      return true;
    }
  };
  await waitFor('it to be written', isRefused);
  now += 6 * DAY_MS;
  t.ok(await isRefused());
  now += 2 * DAY_MS;
  t.notOk(await isRefused(), 'else a replica that was broken into could keep an edge away for ever');
  writeFileSync(join(folder, 'revoked-replicas.json'), '{"saidAt":');
  t.notOk(await isRefused(), 'a damaged file is none');
});
