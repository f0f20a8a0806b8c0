import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { request as httpsRequest, type RequestOptions, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { enrolPath } from '../../api/index.ts';
import { CodedError, createLog, systemClock } from '../../base/index.ts';
import { pinOfRoot, type TlsCredentials } from '../../certs/index.ts';
import { presentedChain } from '../../edge-agent/enrolment/presented-chain.ts';
import { AttemptLimits, enrolmentError, publicFiles, type PublicPaths } from '../../gateway/enrolment/index.ts';
import { createPublicListener } from '../../gateway/public-listener.ts';
import { TestFleet } from '../support/certificates.ts';
import { waitFor, within } from '../support/wait-for.ts';

interface Setting {
  readonly certificates: TestFleet;
  readonly server: Server;
  readonly port: number;
  readonly logged: string[];
  readonly credentials: TlsCredentials;
}

async function start(t: Test, paths: PublicPaths, limits?: AttemptLimits): Promise<Setting> {
  const certificates = await TestFleet.create();
  const credentials = await certificates.credentials('replica/site-a/r0');
  const logged: string[] = [];
  const log = createLog({ name: 'test', level: 'debug', destination: { write: (line) => void logged.push(line) } });
  const server = createPublicListener({
    credentials,
    openPaths: () => false,
    paths,
    clock: systemClock,
    log,
    ...(limits === undefined ? {} : { limits }),
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { certificates, credentials, server, logged, port: (server.address() as AddressInfo).port };
}

interface Said {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

async function ask(
  { certificates, port }: Setting,
  path: string,
  options: RequestOptions = {},
  body?: string,
): Promise<Said> {
  const request = httpsRequest({ host: '127.0.0.1', port, path, ca: certificates.trust.pem, agent: false, ...options });
  request.on('error', () => undefined);
  request.end(body);
  const [response] = await once(request, 'response');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

t.test('whoever is refused hears the same, whatever the reason; the log has it', async (t) => {
  const reasons: unknown[] = [];
  const setting = await start(t, {
    [enrolPath]: { method: 'POST', answer: () => Promise.reject(reasons.shift()) },
  });
  const codes = [
    'token-used',
    'token-expired',
    'token-unknown',
    'token-foreign',
    'edge-exists',
    'edge-not-allowed',
  ] as const;
  const answers = new Set<string>();
  for (const code of codes) {
    reasons.push(enrolmentError(code, { detail: 'edge-7 at 192.0.2.1' }));
    const { status, headers, body } = await ask(setting, enrolPath, { method: 'POST' }, '{}');
    const { date: _, ...rest } = headers;
    answers.add(JSON.stringify({ status, rest, body }));
  }
  for (const body of ['', 'no JSON', '[', '{"a":']) {
    const { status, headers, body: said } = await ask(setting, enrolPath, { method: 'POST' }, body);
    const { date: _, ...rest } = headers;
    answers.add(JSON.stringify({ status, rest, body: said }));
  }
  t.equal(answers.size, 1);
  t.match([...answers][0], /"status":403.*"causeway-code":"refused"/);
  t.notMatch([...answers][0], /edge-7|192|JSON/);
  for (const code of codes)
    t.ok(
      setting.logged.some((line) => line.includes(`"code":"${code}"`) && line.includes('edge-7')),
      code,
    );
});

t.test('to come back is told, and that a failure is one of ours, but not which', async (t) => {
  const reasons: unknown[] = [];
  const setting = await start(t, { [enrolPath]: { method: 'POST', answer: () => Promise.reject(reasons.shift()) } });
  reasons.push(new CodedError('store-failed', 'disk /var/lib is full', { status: 503, retryAfterMs: 7000 }));
  const busy = await ask(setting, enrolPath, { method: 'POST' }, '{}');
  t.match(busy, { status: 503, headers: { 'retry-after': '7', 'causeway-code': 'enrolment-unavailable' } });
  reasons.push(new TypeError('secret of the house'));
  const broken = await ask(setting, enrolPath, { method: 'POST' }, '{}');
  t.match(broken, { status: 500, headers: { 'causeway-code': 'internal' } });
  t.notMatch(busy.body + broken.body, /disk|secret/);
});

t.test('attempts are limited for each address; those that turn out well are not', async (t) => {
  let isGood = true;
  const limits = new AttemptLimits(systemClock, { address: { burst: 3, everyMs: 60_000 } });
  const setting = await start(
    t,
    {
      [enrolPath]: {
        method: 'POST',
        answer: () => (isGood ? Promise.resolve({}) : Promise.reject(enrolmentError('token-used'))),
      },
    },
    limits,
  );
  const post = (): Promise<Said> => ask(setting, enrolPath, { method: 'POST' }, '{}');
  for (let tries = 0; tries < 6; tries++) t.equal((await post()).status, 200);
  isGood = false;
  for (let tries = 0; tries < 3; tries++) t.equal((await post()).status, 403);
  isGood = true;
  const refused = await post();
  t.match(refused, { status: 429, headers: { 'causeway-code': 'too-many-attempts' } });
  t.ok(Number(refused.headers['retry-after']) > 30);
});

t.test('a body that is longer than the limit, or never ends, is not waited for', async (t) => {
  let asked = 0;
  const setting = await start(t, {
    [enrolPath]: { method: 'POST', answer: () => Promise.resolve({ asked: (asked += 1) }) },
  });
  const long = JSON.stringify({ a: 'x'.repeat(64 * 1024) });
  t.equal((await ask(setting, enrolPath, { method: 'POST' }, long)).status, 403);
  t.equal((await ask(setting, enrolPath, { method: 'POST', headers: { 'content-length': '100000000' } })).status, 403);
  const chunked = httpsRequest({
    host: '127.0.0.1',
    port: setting.port,
    path: enrolPath,
    method: 'POST',
    ca: setting.certificates.trust.pem,
    agent: false,
  });
  chunked.on('error', () => undefined);
  const answered = once(chunked, 'response');
  for (let sent = 0; sent < 20; sent++) chunked.write('x'.repeat(8 * 1024));
  const [response] = await within('an answer before the end of the body', answered);
  t.equal(response.statusCode, 403);
  chunked.destroy();
  t.equal(asked, 0);
});

t.test('nothing else is there, and a path is what its method says', async (t) => {
  const setting = await start(t, {
    ...publicFiles({ trust: () => setting.certificates.trust }),
    [enrolPath]: { method: 'POST', answer: () => Promise.resolve({}) },
  });
  for (const path of [
    '/',
    '/v1',
    '/v1/',
    '/v1/enrol/',
    '/v1/agent/',
    '/v1/agent/linux-x64/..',
    '/__proto__',
    '/toString',
    '/edges/a/b/',
  ])
    t.equal((await ask(setting, path)).status, 404, path);
  t.equal((await ask(setting, enrolPath)).status, 404);
  t.equal((await ask(setting, '/v1/trust', { method: 'POST' }, '{}')).status, 404);
  t.equal((await ask(setting, '/v1/agent/linux-x64')).status, 404, 'no folder, no agents');
});

t.test('roots, the script with the roots in it, and agents are handed out', async (t) => {
  const folder = t.testdir({ 'linux-x64': 'x'.repeat(300_000), 'linux-x64.sha256': 'abc\n', 'empty': '' });
  const script = join(folder, 'bootstrap.sh');
  await writeFile(script, "cat <<'PEM'\n@CAUSEWAY_ROOTS@\nPEM\n");
  const setting = await start(
    t,
    publicFiles({ trust: () => setting.certificates.trust, agentFiles: folder, bootstrapFile: script }),
  );
  const { pem } = setting.certificates.trust;
  t.equal((await ask(setting, '/v1/trust')).body, setting.certificates.trust.text);
  t.equal((await ask(setting, '/v1/bootstrap.sh')).body, `cat <<'PEM'\n${pem.trim()}\nPEM\n`);
  const agent = await ask(setting, '/v1/agent/linux-x64');
  t.match(agent, { status: 200, headers: { 'content-length': '300000', 'content-type': 'application/octet-stream' } });
  t.equal(agent.body, await readFile(join(folder, 'linux-x64'), 'utf8'));
  t.equal((await ask(setting, '/v1/agent/linux-x64.sha256')).body, 'abc\n');
  t.match(await ask(setting, '/v1/agent/linux-x64', { method: 'HEAD' }), { status: 200, body: '' });
  t.equal((await ask(setting, '/v1/agent/linux-arm64')).status, 404);
  t.equal((await ask(setting, '/v1/agent/empty')).status, 404, 'only what stands in the table');
});

t.test(
  'the handshake shows the root, for who knows it by its pin; no certificate is asked for and no session is resumed',
  async (t) => {
    const setting = await start(t, {});
    const chain = await presentedChain(`127.0.0.1:${setting.port}`, undefined);
    const [root] = setting.certificates.trust.roots;
    t.equal(chain.length, 3);
    t.equal(chain.map((each) => pinOfRoot(each))[2], root === undefined ? '' : pinOfRoot(root));
    let sessions = 0;
    const socket = connect({
      host: '127.0.0.1',
      port: setting.port,
      ca: setting.certificates.trust.pem,
      servername: 'localhost',
    });
    socket.on('session', () => (sessions += 1));
    await once(socket, 'secureConnect');
    t.equal(socket.authorized, true);
    t.equal(socket.getProtocol(), 'TLSv1.3');
    socket.destroy();
    await waitFor('the connection to go', async () => (await connections(setting.server)) === 0);
    t.equal(sessions, 0);
  },
);

function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}
