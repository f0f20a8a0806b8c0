import { appendFile, chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseAuditRecord, type AuditRecord } from '../../../api/index.ts';
import { createLog, systemClock } from '../../../base/index.ts';
import { closeAll } from '../../../gateway/audit/audit-file.ts';
import { AuditLog, type AuditEvent, type AuditLogOptions } from '../../../gateway/audit/index.ts';
import { parseAuditQuery } from '../../../gateway/audit/audit-query.ts';
import { readLines } from '../../../gateway/audit/audit-reader.ts';
import { withLeakCheck } from '../../support/leak-check.ts';
import { waitFor } from '../../support/wait-for.ts';

function logIn(t: Test, options: Partial<AuditLogOptions> = {}) {
  const folder = t.testdir();
  const file = join(folder, 'audit.jsonl');
  const logged: { readonly event: string }[] = [];
  const write = (line: string): void => void logged.push(JSON.parse(line) as { readonly event: string });
  const log = createLog({ name: 'test', destination: { write } });
  const open = (): AuditLog => {
    const audit = new AuditLog({
      file,
      maxBytes: 1024 ** 2,
      keep: 3,
      replica: 'a/r0',
      clock: systemClock,
      log,
      ...options,
    });
    t.teardown(() => audit.close());
    return audit;
  };
  return { folder, file, logged, open };
}

function event(name: string, more: Partial<AuditEvent> = {}): AuditEvent {
  return { action: name, outcome: 'done', principal: 'operator/admin', ...more };
}

async function recordsIn(file: string): Promise<AuditRecord[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  t.equal(lines.pop(), '', 'the last line is whole');
  return lines.map((line) => {
    const record = parseAuditRecord(line);
    if (record === undefined) throw new Error(`no record: ${line}`);
    return record;
  });
}

async function read(audit: AuditLog, query: string): Promise<AuditRecord[]> {
  const { files, follow } = await audit.read({ line: () => undefined, end: () => undefined });
  follow.stop();
  const found: AuditRecord[] = [];
  for await (const lines of readLines(files, parseAuditQuery(new URLSearchParams(query), Date.now())))
    for (const line of lines) found.push(JSON.parse(line) as AuditRecord);
  await closeAll(files);
  return found;
}

t.test('what was recorded stands in the file when it is closed, in order, for its owner only', async (t) => {
  withLeakCheck(t);
  const { file, open } = logIn(t);
  const audit = open();
  for (let index = 0; index < 5000; index++) audit.record(event(`a${index}`));
  await audit.close();
  t.strictSame(
    (await recordsIn(file)).map(({ action }) => action),
    Array.from({ length: 5000 }, (_, index) => `a${index}`),
  );
  t.equal((await stat(file)).mode & 0o777, 0o600);
  await audit.close();
});

t.test('record does not wait, and does not throw whatever it is given', async (t) => {
  const { open } = logIn(t);
  const audit = open();
  audit.record(event('\ud800', { reason: 'x'.repeat(10_000_000) }));
  audit.record({ action: 'a', outcome: 'done', principal: '', bytes: Number.NaN });
  t.equal(audit.counts.done, 2);
});

t.test('a file that is full is put aside, so many are kept, and all of them are read in order', async (t) => {
  const { folder, open } = logIn(t, { maxBytes: 20_000, keep: 2 });
  const audit = open();
  for (let index = 0; index < 1000; index++) {
    audit.record(event(`a${index}`));
    if (index % 50 === 0) await read(audit, 'limit=1');
  }
  const found = await read(audit, 'limit=0');
  t.strictSame((await readdir(folder)).sort(), ['audit.jsonl', 'audit.jsonl.1', 'audit.jsonl.2']);
  for (const name of await readdir(folder)) {
    const { size, mode } = await stat(join(folder, name));
    t.ok(size <= 20_000, `${name} has ${size} bytes`);
    t.equal(mode & 0o777, 0o600);
  }
  const numbers = found.map(({ action }) => Number(action.slice(1)));
  t.equal(numbers.at(-1), 999);
  t.ok(numbers.length > 200 && numbers.length < 1000, `${numbers.length} are left`);
  t.strictSame(
    numbers,
    Array.from(numbers, (_, index) => 1000 - numbers.length + index),
    'none is missing between',
  );
  const newest = (await read(audit, 'limit=300')).map(({ action }) => Number(action.slice(1)));
  t.strictSame(newest, numbers.slice(-300), 'the newest ones, over several files');
  t.strictSame(await read(audit, 'limit=0&action=a999&since=1h'), found.slice(-1));
  t.strictSame(await read(audit, 'limit=0&until=1h'), []);
});

t.test('a line that a crash tore is cut off at the next start, and nothing else', async (t) => {
  const { file, open } = logIn(t);
  const first = open();
  first.record(event('whole'));
  await first.close();
  await appendFile(file, '{"time":"2030-01-31T12:0');
  const second = open();
  second.record(event('next'));
  await second.close();
  t.strictSame(
    (await recordsIn(file)).map(({ action }) => action),
    ['whole', 'next'],
  );
});

t.test('a file that is no audit log is not touched', async (t) => {
  const { file, logged, open } = logIn(t);
  await writeFile(file, 'precious');
  const audit = open();
  audit.record(event('a'));
  await waitFor('the failure in the log', () => logged.find((line) => line.event === 'audit-failed'));
  await audit.close();
  t.equal(await readFile(file, 'utf8'), 'precious');
});

t.test('a link in place of the file is not followed', async (t) => {
  const { folder, file, logged, open } = logIn(t);
  await writeFile(join(folder, 'target'), '{}\n');
  await symlink(join(folder, 'target'), file);
  const audit = open();
  audit.record(event('a'));
  await waitFor('the failure in the log', () => logged.find((line) => line.event === 'audit-failed'));
  await audit.close();
  t.equal(await readFile(join(folder, 'target'), 'utf8'), '{}\n');
});

t.test(
  'while the disk fails the queue is bounded, what is lost is counted, and told when it works again',
  async (t) => {
    const { folder, file, logged, open } = logIn(t);
    // A folder in the file's place fails for everybody, root too.
    await mkdir(file);
    const audit = open();
    const long = 'x'.repeat(400);
    for (let index = 0; index < 40_000; index++) audit.record(event(`a${index}`, { reason: long }));
    t.ok(audit.waitingBytes <= 8 * 1024 ** 2, `${audit.waitingBytes} bytes wait`);
    t.ok(audit.lost > 20_000, `${audit.lost} are lost`);
    const { lost } = audit;
    await waitFor('the failure in the log', () => audit.isFailing);
    t.equal(logged.filter((line) => line.event === 'audit-failed').length, 1);
    t.equal(logged.filter((line) => line.event === 'audit-full').length, 1, 'said once, not for each');
    await rm(file, { recursive: true });
    await waitFor('the disk is written again', () => !audit.isFailing && audit.waitingBytes === 0);
    await audit.close();
    const { length } = logged.filter((line) => line.event === 'audit-recovered');
    t.equal(length, 1);
    const records: AuditRecord[] = [];
    for (const name of (await readdir(folder)).sort().reverse()) records.push(...(await recordsIn(join(folder, name))));
    t.match(
      records.find(({ action }) => action === 'audit'),
      { outcome: 'failed', count: lost },
    );
  },
);

t.test(
  'a write that failed half way leaves no torn and no double line',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const { file, open } = logIn(t);
    const audit = open();
    audit.record(event('before'));
    await waitFor('it is written', () => audit.waitingBytes === 0);
    // As ENOSPC leaves it: a part of a batch behind the last good line.
    await appendFile(file, '{"time":"2030-01-31T12:00:00.000Z","repl');
    await audit.close();
    const next = open();
    next.record(event('behind'));
    await next.close();
    t.strictSame(
      (await recordsIn(file)).map(({ action }) => action),
      ['before', 'behind'],
    );
  },
);

t.test('who follows gets every line once: what was there from the files, then what comes', async (t) => {
  const { open } = logIn(t, { maxBytes: 30_000, keep: 50 });
  const audit = open();
  const seen: number[] = [];
  const numberOf = (line: string): number => Number((JSON.parse(line) as AuditRecord).action.slice(1));
  let next = 0;
  const more = (count: number): void => {
    for (let index = 0; index < count; index++) audit.record(event(`a${next++}`));
  };
  more(700);
  const live: number[] = [];
  let isEnded = false;
  const reading = audit.read({ line: (line) => live.push(numberOf(line)), end: () => (isEnded = true) });
  more(300);
  const { files } = await reading;
  more(500);
  for await (const lines of readLines(files, parseAuditQuery(new URLSearchParams('limit=0'), Date.now())))
    for (const line of lines) seen.push(numberOf(line));
  await closeAll(files);
  t.strictSame(
    [...seen, ...live],
    Array.from({ length: 1500 }, (_, index) => index),
  );
  await audit.close();
  t.ok(isEnded);
});

t.test('files that others may read are closed to them', async (t) => {
  const { file, open } = logIn(t);
  await writeFile(file, '');
  await chmod(file, 0o644);
  const audit = open();
  audit.record(event('a'));
  await audit.close();
  t.equal((await stat(file)).mode & 0o777, 0o600);
});
