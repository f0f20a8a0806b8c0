import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';

import type { Clock } from '../../base/index.ts';
import { openEmbeddedStore } from '../../store/index.ts';
import { put, storeContract } from './store-contract.ts';
import { watchGuarantees } from './watch-guarantees.ts';
import { WatchLog } from './watch-log.ts';

storeContract('embedded, in memory', async () => openEmbeddedStore());
storeContract('embedded, in a file', async (t) => openEmbeddedStore({ file: join(t.testdir(), 'store.db') }));
watchGuarantees('embedded', async (t) => {
  const file = join(t.testdir(), 'store.db');
  return async () => openEmbeddedStore({ file });
});

t.test('what was committed is there after a restart: entries, revisions, history, leases', async (t) => {
  const file = join(t.testdir(), 'deep', 'store.db');
  const first = openEmbeddedStore({ file });
  const { id } = await first.grantLease(60_000);
  await put(first, 'a', '1', id);
  const revision = await put(first, 'b', '2');
  await first.compact(revision - 1);
  await first.close();

  const second = openEmbeddedStore({ file });
  const { entries, revision: again } = await second.range('');
  t.equal(again, revision);
  t.match(entries, [
    { key: 'a', lease: id },
    { key: 'b', modRevision: revision },
  ]);
  const log = new WatchLog(second, { prefix: '', fromRevision: revision });
  const lost = new WatchLog(second, { prefix: '', fromRevision: revision - 1 });
  await log.until(() => log.lines.length === 1);
  await lost.until(() => lost.ended.length === 1);
  t.match(lost.ended, [{ code: 'compacted' }]);
  await second.keepAlive(id);
  await second.revokeLease(id);
  t.equal((await second.range('')).entries.length, 1);
  await second.close();
  t.equal((await stat(file)).mode & 0o777, 0o600, 'for its owner only');
});

t.test('what was answered survives the death of the process', async (t) => {
  const file = join(t.testdir(), 'store.db');
  const program = `
    const { openEmbeddedStore } = await import(${JSON.stringify(new URL('../../store/index.ts', import.meta.url).href)});
    const store = openEmbeddedStore({ file: ${JSON.stringify(file)} });
    for (let i = 0; i < 20; i++) await store.txn({ then: [{ type: 'put', key: 'k' + i, value: Buffer.from(String(i)) }] });
    process.stdout.write('written');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  t.throws(
    () => openEmbeddedStore({ file }),
    { code: 'store-locked', message: new RegExp(file) },
    'while the process lives, the store is its own',
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
  const store = openEmbeddedStore({ file });
  t.equal((await store.range('k')).entries.length, 20);
  await store.close();
});

t.test('a store that is open in this process is not opened twice', async (t) => {
  const file = join(t.testdir(), 'store.db');
  const store = openEmbeddedStore({ file });
  t.throws(() => openEmbeddedStore({ file }), { code: 'store-locked' });
  await store.close();
  await openEmbeddedStore({ file }).close();
});

t.test('a damaged file, or one of another kind, is named and left as it is', async (t) => {
  const file = join(t.testdir(), 'store.db');
  await writeFile(file, 'this is no database '.repeat(500));
  t.throws(() => openEmbeddedStore({ file }), { code: 'store-corrupt', message: new RegExp(file) });
  t.match(await readFile(file, 'utf8'), /^this is no database/);

  const damaged = join(t.testdirName, 'damaged.db');
  const store = openEmbeddedStore({ file: damaged });
  for (let i = 0; i < 100; i++) await put(store, `k${i}`, 'x'.repeat(1000));
  await store.close();
  const bytes = await readFile(damaged);
  await writeFile(damaged, bytes.fill(0xa5, 8192, bytes.length - 4096));
  t.throws(() => openEmbeddedStore({ file: damaged }), { code: 'store-corrupt', message: new RegExp(damaged) });

  const foreign = join(t.testdirName, 'foreign.db');
  const database = new DatabaseSync(foreign);
  database.exec('CREATE TABLE songs (name TEXT)');
  database.close();
  t.throws(() => openEmbeddedStore({ file: foreign }), { code: 'store-corrupt', message: /another program/ });
});

t.test('a file of a newer format is refused', async (t) => {
  const file = join(t.testdir(), 'store.db');
  await openEmbeddedStore({ file }).close();
  const database = new DatabaseSync(file);
  database.exec('PRAGMA user_version = 99');
  database.close();
  t.throws(() => openEmbeddedStore({ file }), { code: 'store-format', message: /99/ });
});

t.test('a folder that cannot be written is store-failed', async (t) => {
  t.throws(() => openEmbeddedStore({ file: t.testdir() }), { code: /store-failed/ });
});

t.test('history is given up by itself, and at least what was asked for is kept', async (t) => {
  const store = openEmbeddedStore({ keepRevisions: 10 });
  let revision = 0;
  for (let i = 0; i < 50; i++) revision = await put(store, 'a', String(i));
  const kept = new WatchLog(store, { prefix: '', fromRevision: revision - 9 });
  const lost = new WatchLog(store, { prefix: '', fromRevision: revision - 25 });
  await kept.until(() => kept.lines.length === 10);
  await lost.until(() => lost.ended.length === 1);
  t.match(lost.ended, [{ code: 'compacted' }]);
  await store.close();
});

t.test('a lease lasts as long as it is kept alive, by the clock that was passed in', async (t) => {
  const timers = new Map<() => void, number>();
  let now = 0;
  const clock: Clock = {
    now: () => now,
    after(delayMs, run) {
      timers.set(run, now + delayMs);
      return { cancel: () => timers.delete(run) };
    },
    defer: queueMicrotask,
    afterInput: queueMicrotask,
  };
  const advance = (ms: number): void => {
    now += ms;
    for (const [run, at] of [...timers]) if (at <= now && timers.delete(run)) run();
  };
  const store = openEmbeddedStore({ clock });
  const { id } = await store.grantLease(10_000);
  await put(store, 'a', '1', id);
  for (let i = 0; i < 3; i++) {
    advance(9_000);
    await store.keepAlive(id);
  }
  t.ok(await store.get('a'));
  advance(10_000);
  t.equal(await store.get('a'), undefined);
  await store.grantLease(10_000);
  await store.close();
  t.equal(timers.size, 0, 'no timer is left');
});
