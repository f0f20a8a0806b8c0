import { randomBytes } from 'node:crypto';
import t from 'tap';
import { auditTextFields, maxAuditLineLength, parseAuditRecord, type AuditEvent } from '../../../api/index.ts';
import { encodeRecord } from '../../../gateway/audit/audit-record.ts';

const TIME = '2030-01-31T12:00:00.000Z';

function encode(event: Partial<AuditEvent>): string {
  return encodeRecord({ action: 'get', outcome: 'refused', principal: '', ...event }, TIME, 'site-a/r0');
}

t.test('an event becomes one line that reads back as it was', async (t) => {
  const event: AuditEvent = {
    action: 'connect',
    outcome: 'done',
    principal: 'operator/admin',
    edge: 'edge-1',
    service: 'ssh',
    path: '/x',
    code: 'gone',
    reason: 'it "went" \\ away',
    rule: 'admins#0',
    remote: '::1',
    bytes: 12,
    durationMs: 3,
    count: 2,
  };
  const line = encodeRecord(event, TIME, 'site-a/r0');
  t.match(line, /^\{"time":"2030[^\n]*\}\n$/);
  t.strictSame(parseAuditRecord(line), { time: TIME, replica: 'site-a/r0', ...event });
});

t.test('a line stays one line, and shows what it is, whatever a peer put in', async (t) => {
  for (const text of [
    'a\nb',
    'a\r\n{"time":"x"}',
    '\u001b[2Ja',
    '\u202eabc',
    'a\u2028b',
    'a\u0085b',
    '\ud800',
    'a\u0000b',
  ]) {
    const line = encode({ principal: text, reason: text, path: text });
    t.equal(line.indexOf('\n'), line.length - 1, encodeURIComponent(text.toWellFormed()));
    t.notMatch(line.slice(0, -1), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    t.ok(parseAuditRecord(line), 'it can be read');
  }
});

t.test('no line is longer than its bound, however long the fields are', async (t) => {
  for (const long of ['x'.repeat(1_000_000), '\u001f'.repeat(100_000), '😀'.repeat(100_000), '"'.repeat(100_000)]) {
    const fields = Object.fromEntries(Object.keys(auditTextFields).map((name) => [name, long]));
    const line = encode({ ...fields, outcome: 'refused' });
    t.ok(line.length <= maxAuditLineLength, `${line.length} characters`);
    t.ok(parseAuditRecord(line));
  }
});

t.test('numbers that are none are left out', async (t) => {
  t.notMatch(encode({ bytes: Number.NaN, durationMs: Number.POSITIVE_INFINITY }), /bytes|durationMs/);
  t.match(encode({ durationMs: -3 }), /"durationMs":0/);
});

t.test('no secret is in a line, whichever field it comes in', async (t) => {
  const random = randomBytes(32).toString('base64url');
  const forms: Readonly<Record<string, string>> = {
    'a join token': `cwt1.0123456789abcdef.${random}.${random}`,
    'a join token in capitals': `CWT1.0123456789ABCDEF.${random}.${random}`,
    'a part of a join token': `cwt1.0123456789abcdef.${random}`,
    'a bearer token': `Authorization: Bearer ${random}`,
    'basic credentials': `Basic ${random}`,
    'a JSON web token': `eyJhbGciOiJSUzI1NiJ9.${random}.${random}`,
    'a private key': `-----BEGIN EC PRIVATE KEY-----\n${random}\n-----END EC PRIVATE KEY-----`,
    'credentials of a URL': `cannot reach https://user:${random}@host/`,
    'a query': `GET /api/v1/pods?token=${random}&x=1 failed`,
    'a password': `password=${random}`,
    'a quoted one': `{"secret": "${random}"}`,
  };
  for (const [name, text] of Object.entries(forms)) {
    for (const field of Object.keys(auditTextFields)) {
      const line = encode({ [field]: `before ${text} behind` });
      t.notOk(line.includes(random.slice(0, 16)), `${name} in ${field}: ${line}`);
    }
  }
  t.notOk(encode({ path: `/x?${random}` }).includes(random), 'a query of a path, whatever its form');
  t.match(encode({ reason: forms['a join token'] ?? '' }), /0123456789abcdef/, 'the id of a token is no secret');
});

t.test('what an audit log did not write is no record', async (t) => {
  for (const line of [
    '',
    '{',
    'null',
    '[]',
    '{}',
    '{"time":1}',
    encode({}).replace('refused', 'maybe'),
    `${' '.repeat(5)}${encode({})}`,
  ])
    t.equal(parseAuditRecord(line), undefined, line);
  t.equal(parseAuditRecord(encode({ bytes: 1 }).replace('"bytes":1', '"bytes":"1"')), undefined);
});
