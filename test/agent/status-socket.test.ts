import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { silentLog } from '../../base/index.ts';
import { askAgent, type AgentReport } from '../../edge-agent/index.ts';
import { StatusSocket } from '../../edge-agent/status-socket.ts';

const report: AgentReport = { edge: 'edge-1', version: '1.0.0', pid: 7, online: false, links: [] };

void test('an agent tells its state as it is at that moment, to its own user only', async (t) => {
  const folder = join(t.testdir(), 'data');
  let online = false;
  const socket = await StatusSocket.open(folder, () => ({ ...report, online }), silentLog);
  t.teardown(() => socket?.close());
  t.same(await askAgent(folder), report);
  online = true;
  t.equal((await askAgent(folder))?.online, true);
  t.equal(statSync(join(folder, 'agent.sock')).mode & 0o777, 0o600);
});

void test('an agent that has ended says nothing, and neither does a file that it left', async (t) => {
  const folder = t.testdir();
  t.equal(await askAgent(folder), undefined);
  const socket = await StatusSocket.open(folder, () => report, silentLog);
  await socket?.close();
  t.equal(await askAgent(folder), undefined);
  writeFileSync(join(folder, 'agent.sock'), '');
  t.equal(await askAgent(folder), undefined, 'what is there is no socket');
  const next = await StatusSocket.open(folder, () => report, silentLog);
  t.teardown(() => next?.close());
  t.same(await askAgent(folder), report, 'it takes the place of what an earlier one left');
});

void test('an agent whose folder allows no socket does without', async (t) => {
  const folder = t.testdir({ file: '' });
  const said: string[] = [];
  const log = { ...silentLog, warn: (event: string) => void said.push(event) };
  t.equal(await StatusSocket.open(join(folder, 'file'), () => report, log), undefined);
  t.same(said, ['status-socket-failed']);
});
