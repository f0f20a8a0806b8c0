import { once } from 'node:events';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { EnrolAnswer } from '../../api/index.ts';
import { CodedError } from '../../base/index.ts';
import { identityName, loadKeyStore, parseJoinToken, type TlsCredentials } from '../../certs/index.ts';
import { enrol, type Enrolled, type EnrolOptions } from '../../edge-agent/index.ts';
import { enrolmentError } from '../../gateway/enrolment/index.ts';
import { TestFleet } from '../support/certificates.ts';
import { temporaryFolder } from '../support/program.ts';
import { EnrolmentSetting } from '../gateway/enrolment/enrolment-setting.ts';

const DAY_MS = 24 * 3_600_000;

function enrolIn(folder: string, gateway: string, token: string, more: Partial<EnrolOptions> = {}): Promise<Enrolled> {
  return enrol({ gateway, token, keys: join(folder, 'keys'), env: {}, ...more });
}

/** A folder of its own for each call; it goes with the test. */
function folderOf(t: Test): string {
  const folder = temporaryFolder('enrol');
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Everything below a folder, with its content: equal texts are equal folders. */
async function contentOf(folder: string): Promise<string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = names.map((entry) => join(entry.parentPath, entry.name)).toSorted();
  return (await Promise.all(files.map(async (file) => `${file}\n${await readFile(file, 'utf8')}`))).join('\n');
}

t.test('an empty folder becomes a key store that only its owner can read', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const gateway = await setting.listen(t);
  const folder = folderOf(t);
  const configured: unknown[] = [];
  const done = await enrolIn(folder, gateway, await setting.token({ edge: 'edge-7' }), {
    configure: async (answer) => {
      configured.push(answer);
      t.throws(() => statSync(join(folder, 'keys', 'cert.pem')), 'the configuration is there first');
    },
  });
  t.match(done, { edge: 'edge-7', isNew: true });
  t.strictSame(configured, [{ edge: 'edge-7', gateways: ['gw.test:8441'] }]);
  const keys = await loadKeyStore(join(folder, 'keys'));
  t.equal(identityName(keys.identity), 'edge/edge-7');
  t.strictSame(readdirSync(join(folder, 'keys')).toSorted(), ['ca.pem', 'cert.pem', 'key.pem']);
  t.equal(statSync(join(folder, 'keys')).mode & 0o777, 0o700);
  t.equal(statSync(join(folder, 'keys', 'key.pem')).mode & 0o777, 0o600);
});

t.test('run again it keeps what is there, whatever the token is worth by then, and asks nobody', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const gateway = await setting.listen(t);
  const folder = folderOf(t);
  const token = await setting.token({ edge: 'edge-7' });
  await enrolIn(folder, gateway, token);
  const before = await contentOf(folder);
  const asked = setting.audited.length;
  t.match(await enrolIn(folder, gateway, token), { edge: 'edge-7', isNew: false });
  t.match(await enrolIn(folder, '127.0.0.1:1', token, { edge: 'edge-7' }), { isNew: false });
  t.equal(await contentOf(folder), before);
  t.equal(setting.audited.length, asked);

  await t.rejects(enrolIn(folder, gateway, token, { edge: 'edge-8' }), {
    code: 'enrolled-otherwise',
    message: /edge\/edge-7/,
  });
  const strange = await (await EnrolmentSetting.start(t)).token({ edge: 'edge-7' });
  await t.rejects(enrolIn(folder, gateway, strange), { code: 'enrolled-otherwise', message: /another fleet/ });
  t.equal(await contentOf(folder), before);
});

t.test('a key store that is damaged is named and left as it is; one that has expired is made anew', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const gateway = await setting.listen(t);
  const folder = folderOf(t);
  await enrolIn(folder, gateway, await setting.token({ edge: 'edge-7' }));
  const token = await setting.token({ edge: 'edge-7' });
  for (const file of ['cert.pem', 'key.pem', 'ca.pem']) {
    const path = join(folder, 'keys', file);
    const good = await readFile(path, 'utf8');
    await writeFile(path, good.slice(0, good.length / 2));
    const before = await contentOf(folder);
    await t.rejects(enrolIn(folder, gateway, token), { code: 'enrolled-otherwise', message: new RegExp(file) }, file);
    t.equal(await contentOf(folder), before, file);
    await writeFile(path, good);
  }
  const old = await setting.certificates.keyStore(folderOf(t), 'edge/edge-7', { at: Date.now() - 2 * DAY_MS });
  t.match(await enrol({ gateway, token, keys: old, env: {} }), { isNew: true, edge: 'edge-7' });
});

t.test('a refusal leaves nothing that could be taken for keys', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const gateway = await setting.listen(t);
  const folder = folderOf(t);
  const token = await setting.token({ edge: 'edge-7' });
  await enrolIn(folderOf(t), gateway, token);
  await t.rejects(enrolIn(folder, gateway, token), { code: 'enrol-refused', status: 403 });
  await t.rejects(loadKeyStore(join(folder, 'keys')), { code: 'key-store-missing' });
  // The key that waits is taken with a token that is good.
  t.match(await enrolIn(folder, gateway, await setting.token({ edge: 'edge-7' })), { isNew: true });
});

t.test('an answer that is lost is asked for again, at no further use of the token', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  let answers = 0;
  const gateway = await setting.listen(t, async (body, remote) => {
    const answer = await setting.enrolment.enrol(body, remote);
    answers += 1;
    if (answers === 1) throw new CodedError('store-failed', 'on the way back', { status: 503, retryAfterMs: 1 });
    return answer;
  });
  t.match(await enrolIn(folderOf(t), gateway, await setting.token({ edge: 'edge-7' })), { isNew: true });
  t.equal(answers, 2);
  t.strictSame(
    setting.audited.map(({ outcome }) => outcome),
    ['allowed', 'allowed'],
  );
});

t.test('a crash before the answer is written costs no token either', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const gateway = await setting.listen(t);
  const folder = folderOf(t);
  const token = await setting.token({ edge: 'edge-7' });
  const crash = (): Promise<void> => Promise.reject(new Error('no space left on device'));
  await t.rejects(enrolIn(folder, gateway, token, { configure: crash }), { message: /no space/ });
  t.match(await enrolIn(folder, gateway, token), { isNew: true });
});

t.test('a gateway that stays busy is given up after a while, with the token still good', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  let isBusy = true;
  const gateway = await setting.listen(t, (body, remote) => {
    if (isBusy) throw enrolmentError('too-many-attempts', { retryAfterMs: 1 });
    return setting.enrolment.enrol(body, remote);
  });
  const token = await setting.token({ edge: 'edge-7' });
  await t.rejects(enrolIn(folderOf(t), gateway, token), { code: 'enrol-busy', retryable: true });
  isBusy = false;
  t.match(await enrolIn(folderOf(t), gateway, token), { isNew: true });
});

/** A TLS server that keeps what comes to it. */
async function listener(
  t: Test,
  credentials: TlsCredentials,
): Promise<{ readonly address: string; readonly received: Buffer[] }> {
  const received: Buffer[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert: credentials.chainPem, key: credentials.keyPem }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => void received.push(chunk));
  });
  server.on('tlsClientError', () => undefined);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

t.test('nothing is sent to whoever is not the gateway that the token is from', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const { certificates } = setting;
  const token = await setting.token({ edge: 'edge-7' });
  const { id, secret } = parseJoinToken(token);
  const other = await TestFleet.create();
  const ours = await certificates.credentials('replica/site-a/r0');
  const withRoot = (shown: TlsCredentials, root: TestFleet): TlsCredentials => ({
    ...shown,
    chainPem: shown.chainPem + root.trust.pem,
  });
  const caFile = join(folderOf(t), 'ca.pem');
  await writeFile(caFile, certificates.trust.pem);
  const cases: readonly (readonly [what: string, shown: TlsCredentials, code: string, ca?: string])[] = [
    ['another fleet', withRoot(await other.credentials('replica/site-a/r0'), other), 'gateway-foreign'],
    [
      'another fleet that shows our root',
      withRoot(await other.credentials('replica/site-a/r0'), certificates),
      'gateway-foreign',
    ],
    ['another fleet, where the root is known', await other.credentials('replica/site-a/r0'), 'gateway-foreign', caFile],
    ['our gateway without its root', ours, 'gateway-foreign'],
    [
      'an edge of ours that listens',
      withRoot(await certificates.credentials('edge/edge-1'), certificates),
      'gateway-foreign',
    ],
    [
      'an operator of ours',
      withRoot(await certificates.credentials('operator/a'), certificates),
      'gateway-foreign',
      caFile,
    ],
    [
      'a replica of ours for another address',
      withRoot(await certificates.credentials('replica/site-a/r0', { hosts: ['gw.test'] }), certificates),
      'gateway-foreign',
    ],
    [
      'one that has expired',
      withRoot(await certificates.credentials('replica/site-a/r0', { at: Date.now() - 9 * DAY_MS }), certificates),
      'clock-wrong',
    ],
    [
      'one that is not valid yet',
      withRoot(
        await certificates.credentials('replica/site-a/r0', { at: Date.now() + 9 * DAY_MS, validMs: 99 * DAY_MS }),
        certificates,
      ),
      'clock-wrong',
      caFile,
    ],
  ];
  for (const [what, shown, code, ca] of cases) {
    const { address, received } = await listener(t, shown);
    const folder = folderOf(t);
    await t.rejects(enrolIn(folder, address, token, { caFile: ca }), { code, message: /nothing was sent/ }, what);
    t.equal(Buffer.concat(received).length, 0, what);
    await t.rejects(loadKeyStore(join(folder, 'keys')), { code: 'key-store-missing' });
  }
  const { address, received } = await listener(t, withRoot(ours, certificates));
  const wrongPin = `cwt1.${id}.${secret}.${parseJoinToken(await (await EnrolmentSetting.start(t)).token({ edge: 'a' })).pin}`;
  await t.rejects(enrolIn(folderOf(t), address, wrongPin), { code: 'gateway-foreign', message: /pin of the token/ });
  await t.rejects(enrolIn(folderOf(t), address, wrongPin, { caFile }), {
    code: 'gateway-foreign',
    message: /pin of the token/,
  });
  t.equal(received.length, 0);
});

t.test('a clock that is off is said with both times', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const old = await setting.certificates.credentials('replica/site-a/r0', { at: Date.parse('2020-01-02T03:04:05Z') });
  const gateway = await setting.listen(t, undefined, old);
  const year = new Date().getUTCFullYear();
  await t.rejects(enrolIn(folderOf(t), gateway, await setting.token({ edge: 'edge-7' })), {
    code: 'clock-wrong',
    message: new RegExp(`here it is ${year}-.*valid from 2020-01-02T02:54:05Z to 2020-01-03T03:04:05Z`),
  });
});

t.test('a port that is closed, a name that there is not and no token are told apart', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const token = await setting.token({ edge: 'edge-7' });
  await t.rejects(enrolIn(folderOf(t), '127.0.0.1:1', token), {
    code: 'gateway-unreachable',
    message: /127\.0\.0\.1:1: .*ECONNREFUSED/,
  });
  await t.rejects(enrolIn(folderOf(t), 'nowhere.invalid:8442', token), {
    code: 'gateway-unreachable',
    message: /nowhere\.invalid/,
  });
  await t.rejects(enrolIn(folderOf(t), '127.0.0.1:1', token.slice(0, -1)), { code: 'token-malformed' });
  const caFile = join(folderOf(t), 'ca.pem');
  await t.rejects(enrolIn(folderOf(t), '127.0.0.1:1', token, { caFile }), {
    code: 'trust-invalid',
    message: new RegExp(caFile),
  });
  await writeFile(caFile, 'nothing');
  await t.rejects(enrolIn(folderOf(t), '127.0.0.1:1', token, { caFile }), {
    code: 'trust-invalid',
    message: new RegExp(caFile),
  });
});

t.test('an answer that is not what was asked for is not written', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const foreign = await EnrolmentSetting.start(t);
  const token = await setting.token({ edgeLabels: { a: 'b' }, uses: 100 });
  const good = await setting.enrol(token, 'good');
  const strange = await foreign.enrol(await foreign.token({ edge: 'edge-7' }), 'edge-7');
  const wrong: readonly (readonly [what: string, change: (answer: EnrolAnswer) => object])[] = [
    ['for another key', (answer) => ({ ...good, edge: answer.edge })],
    ['another edge', (answer) => ({ ...answer, edge: 'edge-8' })],
    ['of another fleet', () => strange],
    ['with the roots of another fleet', (answer) => ({ ...answer, trust: strange.trust })],
    ['without roots', (answer) => ({ ...answer, trust: '' })],
    ['no chain', (answer) => ({ ...answer, chain: 'hello' })],
    ['an empty object', () => ({})],
    ['a list', () => []],
  ];
  for (const [what, change] of wrong) {
    const gateway = await setting.listen(t, async (body, remote) => {
      return change(await setting.enrolment.enrol(body, remote));
    });
    const folder = folderOf(t);
    const name = `e-${wrong.findIndex(([each]) => each === what)}`;
    await t.rejects(
      enrolIn(folder, gateway, token, { edge: name }),
      { code: 'answer-unusable', message: /nothing was written/ },
      what,
    );
    await t.rejects(loadKeyStore(join(folder, 'keys')), { code: 'key-store-missing' }, what);
  }
});
