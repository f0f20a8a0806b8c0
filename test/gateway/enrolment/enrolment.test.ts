import { X509Certificate, type KeyObject } from 'node:crypto';
import t from 'tap';
import {
  checkChain,
  identityName,
  keyPinOf,
  makeCertificateRequest,
  parseChain,
  parseJoinToken,
  readCertificateRequest,
  keyPinOfKey,
} from '../../../certs/index.ts';
import { gatewayError } from '../../../gateway/gateway-error.ts';
import { waitFor } from '../../support/wait-for.ts';
import { EnrolmentSetting, operator } from './enrolment-setting.ts';

const MINUTE_MS = 60_000;

t.test(
  'a token for an edge lets it in, once: with a certificate for its own key, and onto the whitelist',
  async (t) => {
    const setting = await EnrolmentSetting.start(t);
    const token = await setting.token({ edge: 'edge-7' });
    const request = await makeCertificateRequest();
    const answer = await setting.enrol(token, undefined, request);
    t.match(answer, {
      edge: 'edge-7',
      gateways: ['gw.test:8441'],
      linkPort: 8441,
      trust: setting.certificates.trust.text,
    });
    const { leaf, issuer } = parseChain(answer.chain);
    const identity = checkChain(leaf, issuer, { trust: setting.certificates.trust, kinds: ['edge'], now: Date.now() });
    t.equal(identityName(identity), 'edge/edge-7');
    t.equal(keyPinOf(leaf), keyPinOfKey(await readCertificateRequest(request.csrPem)));
    t.equal(Math.round((leaf.validToDate.getTime() - Date.now()) / 3_600_000), 24);
    t.match(await setting.node('edge-7'), { spec: { admission: 'Allowed' } });

    await t.rejects(setting.enrol(token), { code: 'token-used', message: /1 of 1 times, last by edge-7/ });
    t.match(setting.audited, [
      { action: 'enrol', outcome: 'allowed', principal: /^token\/t-/, edge: 'edge-7', remote: '192.0.2.1' },
      { action: 'enrol', outcome: 'refused', principal: /^token\/t-/, edge: 'edge-7', code: 'token-used' },
    ]);
    const name = `t-${parseJoinToken(token).id}`;
    await waitFor('the status of the token', async () => {
      const held = await setting.fleet.joinTokens.collection.get('', name, { match: 'newest' });
      return JSON.parse(String(held?.json)).status?.used === 1;
    });
  },
);

t.test('of those who use a token at the same time, as many get in as it has uses', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const single = await setting.token({ edge: 'edge-7' });
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => setting.enrol(single)));
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const result of results) if (result.status === 'rejected') t.match(result.reason, { code: 'token-used' });

  const many = await setting.token({ edgeLabels: { region: 'north' }, uses: 5 });
  const edges = Array.from({ length: 12 }, (_, index) => `north-${index}`);
  const joined = await Promise.allSettled(edges.map((edge) => setting.enrol(many, edge)));
  t.equal(joined.filter(({ status }) => status === 'fulfilled').length, 5);
  let known = 0;
  for (const edge of edges) known += (await setting.node(edge)) === undefined ? 0 : 1;
  t.equal(known, 5, 'who was refused is not on the whitelist');
});

t.test('a token for labels lets new edges in, which get them; one that is there is nobody’s to take', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  await setting.admit('edge-1', { admission: 'Allowed' });
  const token = await setting.token({ edgeLabels: { region: 'north', tier: 'b' }, uses: 2 });
  await t.rejects(setting.enrol(token, 'edge-1'), { code: 'edge-exists' });
  await t.rejects(setting.enrol(token), { code: 'edge-name-missing' });
  for (const name of ['Edge_1', '-a', 'a.b', '../x', 'a'.repeat(63) + '-'])
    await t.rejects(setting.enrol(token, name), /edge-name-missing|DNS label|too big/, name);
  // None of these has cost a use.
  await setting.enrol(token, 'north-1');
  t.match(await setting.node('north-1'), { spec: { admission: 'Allowed', labels: { region: 'north', tier: 'b' } } });
  await t.rejects(
    setting.enrol(token, 'north-1'),
    { code: 'edge-exists' },
    'not even with the same token: with another key',
  );
  await setting.enrol(token, 'north-2');
  await t.rejects(setting.enrol(token, 'north-3'), { code: 'token-used' });
});

t.test(
  'two edges that want one name at the same time do not both get it, and the other’s use is not lost',
  async (t) => {
    const setting = await EnrolmentSetting.start(t);
    const token = await setting.token({ edgeLabels: { region: 'north' }, uses: 2 });
    const both = await Promise.allSettled([setting.enrol(token, 'twin'), setting.enrol(token, 'twin')]);
    t.strictSame(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
    for (const result of both) if (result.status === 'rejected') t.match(result.reason, { code: 'edge-exists' });
    await setting.enrol(token, 'other');
    await t.rejects(setting.enrol(token, 'third'), { code: 'token-used' });
  },
);

t.test('an edge whose answer was lost gets it again for the same key, for a while', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const token = await setting.token({ edge: 'edge-7', ttlSeconds: 3600 });
  const labelled = await setting.token({ edgeLabels: { region: 'north' } });
  const request = await makeCertificateRequest();
  const first = await setting.enrol(token, undefined, request);
  await setting.enrol(labelled, 'north-1', request);
  setting.later = 9 * MINUTE_MS;
  const again = await setting.enrol(token, 'edge-7', request);
  t.ok(keyOf(again.chain).equals(keyOf(first.chain)));
  await setting.enrol(labelled, 'north-1', request);
  await t.rejects(
    setting.enrol(labelled, 'north-2', request),
    { code: 'token-used' },
    'the same key is no second edge',
  );
  setting.later = 11 * MINUTE_MS;
  await t.rejects(setting.enrol(token, 'edge-7', request), { code: 'token-used' });
});

t.test('an edge that was taken off is not brought back by the token that let it in', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const token = await setting.token({ edge: 'edge-7' });
  const request = await makeCertificateRequest();
  await setting.enrol(token, undefined, request);
  await setting.fleet.edgeNodes.patch(operator, '', 'edge-7', {
    type: 'merge',
    value: { spec: { admission: 'Denied' } },
  });
  await t.rejects(setting.enrol(token, undefined, request), { code: 'edge-not-allowed' });
  await t.rejects(
    setting.enrol(await setting.token({ edge: 'edge-7' })),
    { code: 'edge-not-allowed' },
    'nor by a new one',
  );
  t.match(await setting.node('edge-7'), { spec: { admission: 'Denied' } });
  await setting.fleet.edgeNodes.delete(operator, '', 'edge-7');
  await t.rejects(setting.enrol(token, undefined, request), { code: 'token-used' });
  t.equal(await setting.node('edge-7'), undefined);
});

t.test('an edge that is allowed enrols anew with a token of its own, with a pinned key only with that', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const request = await makeCertificateRequest();
  const keyPin = keyPinOfKey(await readCertificateRequest(request.csrPem));
  await setting.admit('edge-1', { admission: 'Allowed' });
  await setting.admit('edge-2', { admission: 'Allowed', keyPin });
  await setting.enrol(await setting.token({ edge: 'edge-1' }));
  const token = await setting.token({ edge: 'edge-2' });
  await t.rejects(setting.enrol(token), { code: 'edge-key-pinned' });
  await setting.enrol(token, 'edge-2', request);
});

t.test('what is wrong with a token is told apart in the audit, and has no side effects', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const token = await setting.token({ edge: 'edge-7', ttlSeconds: 60 });
  const { id, secret, pin } = parseJoinToken(token);
  const other = parseJoinToken(await setting.token({ edge: 'edge-8' }));
  const strange = parseJoinToken(await (await EnrolmentSetting.start(t)).token({ edge: 'edge-7' }));
  const cases: readonly (readonly [what: string, token: string, code: string, edge?: string])[] = [
    ['another edge’s name', token, 'token-foreign', 'edge-8'],
    ['the secret of another token', `cwt1.${id}.${other.secret}.${pin}`, 'token-unknown'],
    ['an id that there is not', `cwt1.${'0'.repeat(16)}.${secret}.${pin}`, 'token-unknown'],
    ['the pin of another fleet', `cwt1.${id}.${secret}.${strange.pin}`, 'token-unknown'],
    ['a token of another fleet', strange.text, 'token-unknown'],
    ['no token', 'hello', 'token-malformed'],
  ];
  for (const [what, text, code, edge] of cases) {
    setting.audited.length = 0;
    await t.rejects(setting.enrol(text, edge), { code }, what);
    t.match(setting.audited, [{ action: 'enrol', outcome: 'refused', code, reason: /./ }], what);
  }
  setting.later = 61_000;
  await t.rejects(setting.enrol(token), { code: 'token-expired', message: /at 20/ });
  t.equal(await setting.node('edge-7'), undefined);
  setting.later = 0;
  await setting.enrol(token);
});

t.test('a token that was deleted lets nobody in, nor does one of its name that was made in another way', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const token = await setting.token({ edge: 'edge-7' });
  const { id } = parseJoinToken(token);
  const name = `t-${id}`;
  const object = { apiVersion: 'causeway.io/v1', kind: 'JoinToken', metadata: { name }, spec: { edge: 'edge-7' } };
  const key = `/causeway/join-tokens/${id}`;
  const record = await setting.store.get(key);
  await setting.fleet.joinTokens.delete(operator, '', name);
  await t.rejects(setting.enrol(token), { code: 'token-unknown' });
  await waitFor('the record to go', async () => (await setting.store.get(key)) === undefined);
  // As if the record had been left behind.
  await setting.store.txn({ then: [{ type: 'put', key, value: record?.value ?? Buffer.alloc(0) }] });
  await setting.fleet.joinTokens.create(operator, '', object);
  await t.rejects(setting.enrol(token), { code: 'token-unknown', message: /deleted/ });
});

t.test('the secret stands nowhere: not in the object, not in the store, not in the audit', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const token = await setting.token({ edge: 'edge-7' });
  await setting.enrol(token);
  await setting.enrol(token).catch(() => undefined);
  const { secret } = parseJoinToken(token);
  const { entries } = await setting.store.range('/');
  t.ok(entries.some(({ key }) => key.startsWith('/causeway/join-tokens/')));
  const everything =
    entries.map(({ key, value }) => key + value.toString()).join('\n') + JSON.stringify(setting.audited);
  t.notOk(everything.includes(secret));
  t.notOk(everything.includes(token));
  const objects = entries
    .filter(({ key }) => key.startsWith('/causeway/resources'))
    .map(({ value }) => value.toString());
  const hash = JSON.parse(String(entries.find(({ key }) => key.startsWith('/causeway/join-tokens/'))?.value))
    .hash as string;
  t.ok(hash.length > 20);
  t.notOk(
    objects.some((json) => json.includes(hash)),
    'nor has the object the hash',
  );
});

t.test('names in a request do not count, and a request that proves nothing gets nothing', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const token = await setting.token({ edge: 'edge-7' });
  const [mine, other] = [await makeCertificateRequest(), await makeCertificateRequest()];
  const forged = mine.csrPem.split('\n').slice(0, -4).concat(other.csrPem.split('\n').slice(-4)).join('\n');
  for (const csr of ['', 'x', forged])
    await t.rejects(setting.enrolment.enrol({ token, csr }, ''), { code: 'request-malformed' });
  for (const body of [undefined, [], {}, { token }, { token, csr: 1 }, { token, csr: mine.csrPem, more: 1 }])
    await t.rejects(setting.enrolment.enrol(body, ''), { code: 'object-invalid' });
  // openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=edge-1/O=operator -addext subjectAltName=URI:spiffe://fleet.test/operator/root
  const answer = await setting.enrolment.enrol({ token, csr: namedRequest }, '');
  const leaf = new X509Certificate(answer.chain);
  t.equal(leaf.subjectAltName, 'URI:spiffe://fleet.test/edge/edge-7');
  t.equal(leaf.subject, undefined);
});

t.test('a revoked key gets no certificate, and a replica without an issuer takes no use', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const token = await setting.token({ edge: 'edge-7' });
  const request = await makeCertificateRequest();
  const keyPin = keyPinOfKey(await readCertificateRequest(request.csrPem));
  setting.revoked.set(keyPin, gatewayError('unauthenticated'));
  await t.rejects(setting.enrol(token, undefined, request), { code: 'unauthenticated' });
  setting.issuer.keyId = undefined;
  await t.rejects(setting.enrol(token), { code: 'enrolment-unavailable', status: 503 });
  t.match(setting.audited.at(-1), { outcome: 'failed' });
  setting.issuer.keyId = 'key';
  await setting.enrol(token);
});

t.test('who may not create JoinTokens gets none, and what is wrong in one is named by its field', async (t) => {
  const setting = await EnrolmentSetting.start(t);
  const nobody = { principal: 'operator/viewer', allows: () => false };
  await t.rejects(setting.desk.create(nobody, { edge: 'edge-7' }), { code: 'access-denied' });
  for (const spec of [
    undefined,
    {},
    { edge: 'Edge_7' },
    { edge: 'a', edgeLabels: { b: 'c' } },
    { edge: 'a', uses: 0 },
    { edge: 'a', x: 1 },
  ])
    await t.rejects(setting.desk.create(operator, spec), /spec/, JSON.stringify(spec));
  t.strictSame((await setting.store.range('/causeway/join-tokens/')).entries, []);
});

const namedRequest = `-----BEGIN CERTIFICATE REQUEST-----
MIIBHTCBxQIBADAkMQ8wDQYDVQQDDAZlZGdlLTExETAPBgNVBAoMCG9wZXJhdG9y
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpYJ3tCQPk8PajJp99DkWWxoKQVmv
eykZLn49DdHFsGsZ9F4FkDEm56WprsxrF9ocW2a2xZs9Lz9ch4UqlScMzaA/MD0G
CSqGSIb3DQEJDjEwMC4wLAYDVR0RBCUwI4Yhc3BpZmZlOi8vZmxlZXQudGVzdC9v
cGVyYXRvci9yb290MAoGCCqGSM49BAMCA0cAMEQCIHfRF3Go8Br9eF8gjBkZ3yg3
g98O07VCOPziHaygFVqdAiA7Hy64DrLIDohUgy6IbMVw9glShkv3qkgPxkT5xoLH
5Q==
-----END CERTIFICATE REQUEST-----
`;

function keyOf(chain: string): KeyObject {
  return new X509Certificate(chain).publicKey;
}
