import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { statusOf, type AuditRecord } from '../../api/index.ts';
import { AuditPrinter } from '../../cli/audit-printer.ts';
import { formatYaml } from '../../base/index.ts';
import { apiServerTls } from '../../certs/index.ts';
import { resourceError } from '../../resources/index.ts';
import { TestFleet } from '../support/certificates.ts';
import { waitFor } from '../support/wait-for.ts';
import { causeway, startCauseway } from './causeway.ts';

function record(time: string, more: Partial<AuditRecord> = {}): AuditRecord {
  return { time, replica: 'a/r0', action: 'link', outcome: 'allowed', principal: 'edge/edge-1', ...more };
}

test('records of several replicas stand in the order of time, and nothing in them moves the cursor', (t) => {
  let text = '';
  const printer = new AuditPrinter({ json: false, write: (more) => (text += more) });
  printer.print([
    record('2030-01-01T00:00:02.000Z', { replica: 'a/r1', reason: 'was\u001b[2Jhere\u202e' }),
    record('2030-01-01T00:00:01.000Z', { principal: '', remote: '192.0.2.1', outcome: 'refused', count: 7 }),
  ]);
  const [head = '', first = '', second = ''] = text.split('\n');
  t.match(head, /^TIME +OUTCOME +ACTION +PRINCIPAL +EDGE +WHAT +DETAIL$/);
  t.match(first, /^2030-01-01T00:00:01\.000Z +refused +link +\(192\.0\.2\.1\) +- +- +7 times, at a\/r0$/);
  t.match(second, /was\?\[2Jhere\?, at a\/r1$/);
  printer.print([record('2030-01-01T00:00:03.000Z')]);
  t.equal(text.split('\n').length, 5, 'the head stands once');
  t.end();
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Replicas that answer so, and a client.yaml that names them. */
async function replicas(
  t: Test,
  answers: readonly Answer[],
): Promise<{ env: Record<string, string>; servers: Server[] }> {
  const fleet = await TestFleet.create();
  const folder = t.testdir();
  const keys = await fleet.keyStore(folder, 'operator/tester');
  const servers: Server[] = [];
  for (const answer of answers) {
    const server = createServer(apiServerTls(await fleet.credentials('replica/a/r0')), answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    servers.push(server);
  }
  const urls = servers.map((server) => `https://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const file = join(folder, 'client.yaml');
  writeFileSync(file, formatYaml({ replicas: urls.map((api) => ({ api, link: '127.0.0.1:1' })), keys }));
  return { env: { CAUSEWAY_CONFIG: file }, servers };
}

function lines(records: readonly AuditRecord[]): string {
  return records.map((one) => `${JSON.stringify(one)}\n`).join('');
}

test('audit asks every replica, merges what they tell, and names the ones that do not answer', async (t) => {
  const asked: string[] = [];
  const { env } = await replicas(t, [
    (request, response) => {
      asked.push(request.url ?? '');
      response.end(`${lines([record('2030-01-01T00:00:01.000Z'), record('2030-01-01T00:00:03.000Z')])}\n`);
    },
    (_request, response) => response.end(`${lines([record('2030-01-01T00:00:02.000Z', { replica: 'a/r1' })])}\n`),
    (_request, response) => response.destroy(),
  ]);
  const args = ['audit', '-o', 'json', '--edge', 'edge-1', '--action', 'link', '--action', 'enrol', '--since', '1h'];
  const { exitCode, stdout, stderr } = await causeway(args, { env });
  t.equal(exitCode, 0, stderr);
  t.strictSame(
    String(stdout)
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as AuditRecord).time.slice(17, 19)),
    ['01', '02', '03'],
  );
  t.match(stderr, /^causeway: https:\/\/127\.0\.0\.1:\d+: .+\n$/u);
  const query = new URL(asked[0] ?? '', 'https://x').searchParams;
  t.strictSame(Object.fromEntries(query), { edge: 'edge-1', since: '1h', action: 'link,enrol', limit: '1000' });
});

test('who may not read the audit is told so, with the exit code of that', async (t) => {
  const refuse: Answer = (_request, response) => {
    response.writeHead(403, { 'Content-Type': 'application/json' });
    response.end(
      JSON.stringify(statusOf(resourceError('access-denied', { detail: 'operator/tester may not get audit' }))),
    );
  };
  const { env } = await replicas(t, [refuse, refuse]);
  for (const args of [['audit'], ['audit', '--follow'], ['events']]) {
    const { exitCode, stderr } = await causeway(args, { env });
    t.equal(exitCode, 4, args.join(' '));
    t.match(stderr, /may not get audit/);
  }
  t.equal((await causeway(['audit', '--follow', '--until', '1h'], { env })).exitCode, 2);
});

test('follow goes on with a replica that came back, and shows nothing twice', async (t) => {
  const queries: URLSearchParams[] = [];
  const at = (second: number): AuditRecord => record(`2030-01-01T00:00:0${second}.000Z`);
  const { env } = await replicas(t, [
    (request, response) => {
      queries.push(new URL(request.url ?? '', 'https://x').searchParams);
      response.writeHead(200);
      if (queries.length === 1) {
        response.write(`${lines([at(1)])}\n`);
        response.end(lines([at(2)]));
      } else response.write(`${lines([at(2), at(3)])}\n`);
    },
  ]);
  const child = startCauseway(['audit', '--follow', '-o', 'json'], { env }, ['ignore', 'pipe', 'pipe']);
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  child.stderr?.resume();
  await waitFor('the record behind the restart', () => text.includes(at(3).time));
  t.strictSame(text, lines([at(1), at(2), at(3)]));
  t.equal(queries[0]?.get('follow'), '1');
  t.strictSame([queries[1]?.get('since'), queries[1]?.get('limit')], [at(2).time, '0']);
});
