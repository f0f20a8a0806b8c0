import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type AuditRecord } from '../../../api/index.ts';
import { silentLog, systemClock } from '../../../base/index.ts';
import { AuditEndpoint, AuditLog, type AuditEvent } from '../../../gateway/audit/index.ts';
import type { Access, AccessAttributes } from '../../../resources/index.ts';
import { withLeakCheck } from '../../support/leak-check.ts';
import { waitFor, within } from '../../support/wait-for.ts';

async function serve(
  t: Test,
  { allows = () => true }: { readonly allows?: (asked: AccessAttributes) => boolean } = {},
) {
  withLeakCheck(t);
  const folder = t.testdir();
  const audit = new AuditLog({
    file: join(folder, 'audit.jsonl'),
    maxBytes: 64 * 1024 ** 2,
    keep: 3,
    replica: 'a/r0',
    clock: systemClock,
    log: silentLog,
  });
  const errors: unknown[] = [];
  const endpoint = new AuditEndpoint({ audit, clock: systemClock, onError: (error) => errors.push(error) });
  const access: Access = { principal: 'operator/admin', allows };
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?', 1);
    if (!endpoint.answer(request, response, path, access)) response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await audit.close();
    if (errors.length > 0) throw errors[0];
  });
  const { port } = server.address() as AddressInfo;
  const open = async (query: string, method = 'GET'): Promise<IncomingMessage> => {
    const request = httpRequest({ port, path: `/v1/audit?${query}`, method });
    request.end();
    const [response] = (await within('the head', once(request, 'response'))) as [IncomingMessage];
    response.on('error', () => undefined);
    return response;
  };
  const ask = async (query: string): Promise<AuditRecord[]> => {
    const response = await open(query);
    t.equal(response.statusCode, 200);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as AuditRecord]));
  };
  return { audit, open, ask };
}

/** Also after a cut, which is an error. */
function closed(response: IncomingMessage): Promise<void> {
  return new Promise((resolve) => void response.once('close', resolve));
}

function event(action: string, more: Partial<AuditEvent> = {}): AuditEvent {
  return { action, outcome: 'done', principal: 'operator/admin', ...more };
}

t.test('what was recorded just now is in the answer, filtered, the newest so many in order', async (t) => {
  const { audit, ask } = await serve(t);
  for (let index = 0; index < 30; index++) audit.record(event(`a${index}`, { edge: `edge-${index % 3}` }));
  const names = async (query: string): Promise<string[]> => (await ask(query)).map(({ action }) => action);
  t.equal((await names('')).length, 30);
  t.strictSame(await names('edge=edge-1&limit=2'), ['a25', 'a28']);
  t.strictSame(await names('action=a3,a4'), ['a3', 'a4']);
  t.strictSame(await names('outcome=refused'), []);
});

t.test('a follower gets what was there, an empty line, then what comes, as it comes', async (t) => {
  const { audit, open } = await serve(t);
  audit.record(event('before'));
  audit.record(event('other', { edge: 'edge-2' }));
  const response = await open('follow=1&action=before,after');
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await waitFor('the empty line', () => /"before".*\n\n$/.test(text));
  audit.record(event('after'));
  audit.record(event('other'));
  await waitFor('what came', () => /\n\n\{.*"after".*\n$/.test(text));
  t.notMatch(text, /other/);
  audit.endFollowers();
  await within('the end', closed(response));
  t.ok(response.complete, 'it ended, and was not cut');
});

t.test('who may not read the audit, or loses that right while following, gets nothing', async (t) => {
  let allowed = true;
  const asked: AccessAttributes[] = [];
  const { audit, open } = await serve(t, {
    allows: (attributes) => {
      asked.push(attributes);
      return allowed;
    },
  });
  const response = await open('follow=1');
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await waitFor('the history', () => text === '\n');
  t.match(asked[0], { verb: 'watch', group: 'causeway.io', resource: 'audit', edge: '' });
  allowed = false;
  audit.record(event('secret-move'));
  await within('the cut', closed(response));
  t.equal(text, '\n');
  t.equal((await open('')).statusCode, 403);
  t.match(asked.at(-1), { verb: 'get', resource: 'audit' });
});

t.test('a wrong query and a wrong method are refused as what they are', async (t) => {
  const { open } = await serve(t);
  t.equal((await open('sinse=1h')).statusCode, 400);
  t.equal((await open('', 'POST')).statusCode, 405);
});

t.test('a follower that reads nothing is cut off, and holds up nobody', async (t) => {
  const { audit, open } = await serve(t);
  const slow = await open('follow=1');
  slow.pause();
  const quick = await open('follow=1');
  let seen = 0;
  quick.on('data', (chunk: Buffer) => (seen += chunk.toString('latin1').split('\n').length - 1));
  await waitFor('the empty line', () => seen === 1);
  const reason = 'x'.repeat(500);
  let sent = 0;
  for (let round = 0; round < 40; round++) {
    await waitFor('the disk', () => audit.waitingBytes === 0);
    for (let index = 0; index < 500; index++, sent++) audit.record(event('a', { reason }));
    await waitFor('the quick one has them', () => seen === sent + 1);
  }
  slow.resume();
  await within('the cut', closed(slow));
  t.notOk(slow.complete);
});

t.test('so many follow at once, and no more', async (t) => {
  const { open } = await serve(t);
  const followers: IncomingMessage[] = [];
  for (let index = 0; index < 32; index++) {
    const follower = await open('follow=1');
    t.equal(follower.statusCode, 200);
    await within('its history', once(follower, 'data'));
    followers.push(follower);
  }
  t.equal((await open('follow=1')).statusCode, 503);
  followers[0]?.destroy();
  await waitFor('room', async () => {
    const again = await open('follow=1');
    return again.statusCode === 200;
  });
});
