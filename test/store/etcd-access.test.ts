import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { openStore } from '../../store/index.ts';
import { EtcdCluster, enableUsers } from '../support/etcd.ts';
import { withLeakCheck } from '../support/leak-check.ts';
import { selfSigned } from '../support/self-signed.ts';
import { put } from './store-contract.ts';
import { WatchLog } from './watch-log.ts';

t.test(
  'with TLS: calls and watches go by a certificate of its own, and to members of the right authority only',
  async (t) => {
    const cluster = await EtcdCluster.start({ tls: true });
    t.teardown(() => cluster.stop());
    const { endpoints, tls } = cluster;
    if (tls === undefined) throw new Error('no TLS');
    const folder = t.testdir({ 'ca.pem': tls.ca, 'cert.pem': tls.cert, 'key.pem': tls.key });
    const [ca, cert, key] = [join(folder, 'ca.pem'), join(folder, 'cert.pem'), join(folder, 'key.pem')];

    const store = await openStore({ etcd: { endpoints, ca, cert, key } });
    const log = new WatchLog(store, { prefix: '' });
    const first = await put(store, 'a', '1');
    await log.until(() => log.lines.length === 1);

    await t.rejects(
      openStore({ etcd: { endpoints, ca } }, { openWithinMs: 0 }),
      { code: 'store-unavailable' },
      'nobody',
    );
    await t.rejects(
      openStore({ etcd: { endpoints, cert, key } }, { openWithinMs: 0 }),
      { code: 'store-unavailable', cause: { message: /certificate/ } },
      'members of an unknown authority are told nothing',
    );
    await t.rejects(openStore({ etcd: { endpoints, ca: join(folder, 'none.pem') } }), {
      code: 'store-failed',
      message: /none\.pem/,
    });
    writeFileSync(join(folder, 'broken.pem'), 'rubbish');
    await t.rejects(openStore({ etcd: { endpoints, ca, cert: join(folder, 'broken.pem'), key } }), {
      code: 'store-failed',
      message: /certificates for etcd/,
    });

    t.comment('the files are read anew for each connection, and those that do not fit each other are waited out');
    const other = await selfSigned('other');
    writeFileSync(cert, other.cert);
    const [member] = cluster.members;
    await member?.kill();
    await member?.start();
    await cluster.healthy();
    const second = await put(store, 'a', '2');
    t.ok(second > first);
    writeFileSync(key, other.key);
    await member?.kill();
    await member?.start();
    await cluster.healthy();
    await t.rejects(put(store, 'a', '3'), { code: 'store-unavailable' }, 'the new certificate is not of the authority');
    writeFileSync(cert, tls.cert);
    writeFileSync(key, tls.key);
    await put(store, 'a', '4');
    await log.until(() => log.lines.length === 3);
    await store.close();
  },
);

t.test(
  'with users: what the role does not allow and a wrong password are refused, lost tokens are replaced',
  async (t) => {
    const cluster = await EtcdCluster.start({ tokenTtl: 1 });
    t.teardown(() => cluster.stop());
    const { endpoints } = cluster;
    const folder = t.testdir({ password: 'secret\n', wrong: 'guess' });
    const [passwordFile, wrong] = [join(folder, 'password'), join(folder, 'wrong')];
    const user = 'replica';

    t.comment('a user may be configured before etcd knows it');
    const early = await openStore({ etcd: { endpoints, user, passwordFile } });
    const nobody = await openStore({ etcd: { endpoints } });
    await put(early, 'a', '0');
    await enableUsers(cluster, '/causeway');
    await put(early, 'a', '1');
    await t.rejects(nobody.get('a'), { code: 'store-refused' });
    await Promise.all([early.close(), nobody.close()]);

    const store = await openStore({ etcd: { endpoints, user, passwordFile } });
    const log = new WatchLog(store, { prefix: '' });
    await put(store, 'a', '2');
    await log.until(() => log.lines.length === 1);
    await t.rejects(openStore({ etcd: { endpoints, user, passwordFile: wrong } }), { code: 'store-refused' });
    await t.rejects(openStore({ etcd: { endpoints, user, passwordFile: join(folder, 'none') } }), {
      code: 'store-failed',
      message: /none/,
    });
    await t.rejects(openStore({ etcd: { endpoints, user, passwordFile, prefix: '/other' } }), {
      code: 'store-refused',
    });

    t.comment('a token ends, by time and with the member that made it; new watches, calls and leases get another');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const late = new WatchLog(store, { prefix: '' });
    await put(store, 'a', '3');
    await late.until(() => late.lines.length === 1);
    await log.until(() => log.lines.length === 2);
    const [member] = cluster.members;
    await member?.kill();
    await member?.start();
    await cluster.healthy();
    const { id } = await store.grantLease(60_000);
    await store.keepAlive(id);
    await put(store, 'a', '4', id);
    await log.until(() => log.lines.length === 3);
    await late.until(() => late.lines.length === 2);
    t.strictSame([...log.ended, ...late.ended], []);
    await store.close();
  },
);

t.test('a store that was closed leaves nothing behind, also where a member stands still', async (t) => {
  const cluster = await EtcdCluster.start();
  withLeakCheck(t);
  t.teardown(() => cluster.stop());
  const store = await openStore({ etcd: { endpoints: cluster.endpoints } });
  const log = new WatchLog(store, { prefix: '' });
  await put(store, 'a', '1');
  await log.until(() => log.lines.length === 1);
  const { id } = await store.grantLease(60_000);
  await store.keepAlive(id);
  cluster.members[0]?.pause();
  await t.rejects(store.keepAlive(id), { code: 'store-unavailable' }, 'silence is not the end of a lease');
  const pending = t.rejects(store.get('a'), { code: 'store-closed' });
  await store.close();
  await pending;
});
