import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { CodedError, createLog, type LogLevel } from '../../base/index.ts';

function collect(level: LogLevel = 'info') {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level, name: 'gateway', destination: { write: (line) => lines.push(JSON.parse(line)) } });
  return { log, lines };
}

t.test('an event is one JSON line with its name, fields, level and an ISO time', async (t) => {
  const { log, lines } = collect();
  log.info('link-opened', { edge: 'edge-1' });
  log.warn('slow');
  t.match(lines, [
    { level: 'info', name: 'gateway', event: 'link-opened', edge: 'edge-1', time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ },
    { level: 'warn', event: 'slow' },
  ]);
});

t.test("a child adds its fields to each event, also to its own child's", async (t) => {
  const { log, lines } = collect();
  log.child({ edge: 'edge-1' }).child({ link: 7 }).error('link-lost');
  t.match(lines, [{ event: 'link-lost', edge: 'edge-1', link: 7 }]);
});

t.test('a level that is off writes nothing and collects no fields', async (t) => {
  const { log, lines } = collect('warn');
  log.debug('frame', () => t.fail('fields were collected') as never);
  log.child({ edge: 'e' }).info('link-opened');
  log.warn('slow', () => ({ ms: 3 }));
  t.match(lines, [{ event: 'slow', ms: 3 }]);
  t.notOk(log.isOn('info'));
  t.ok(log.isOn('error'));
});

t.test('secrets are replaced, at the top and one level below, in events and in bound fields', async (t) => {
  const { log, lines } = collect();
  log.child({ token: 'hunter2' }).info('request', {
    password: 'hunter2',
    headers: { 'authorization': 'hunter2', 'set-cookie': 'hunter2', 'host': 'a' },
  });
  t.notMatch(JSON.stringify(lines), 'hunter2');
  t.match(lines, [{ headers: { host: 'a' }, password: '[secret]' }]);
});

t.test('an error is written as its code, its message with its causes, and its stack', async (t) => {
  const { log, lines } = collect();
  log.error('failed', { error: new CodedError('link-lost', 'no path', { cause: new Error('reset') }) });
  t.match(lines, [{ error: { code: 'link-lost', message: 'no path: reset', stack: /log\.test\.ts/ } }]);
});

t.test('a log file is made with its folder and holds what was flushed', async (t) => {
  const file = join(t.testdir(), 'logs', 'edge.log');
  const log = createLog({ name: 'agent', destination: { file } });
  log.info('started');
  await log.flush();
  t.match(JSON.parse(await readFile(file, 'utf8')), { event: 'started' });
});
