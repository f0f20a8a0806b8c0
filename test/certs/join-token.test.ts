import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { createRoot, hashOfSecret, isSecretOf, newJoinToken, parseJoinToken, pinOfRoot } from '../../certs/index.ts';

t.test('a token is read back as it was made, and no two are the same', async (t) => {
  const root = new X509Certificate((await createRoot({ trustDomain: 'fleet.test' })).certPem);
  const token = newJoinToken(root);
  t.match(token.text, /^cwt1\.[0-9a-f]{16}\.[\w-]{43}\.[\w-]{43}$/);
  t.strictSame(parseJoinToken(`  ${token.text}\n`), token);
  t.equal(token.pin, pinOfRoot(root));
  t.not(newJoinToken(root).secret, token.secret);
  t.not(newJoinToken(root).id, token.id);
});

t.test('a text that is no token is refused with what is wrong, and nothing of it is repeated', async (t) => {
  const root = new X509Certificate((await createRoot({ trustDomain: 'fleet.test' })).certPem);
  const { text, secret } = newJoinToken(root);
  const cut = text.slice(0, -1);
  const last = text.at(-1) ?? '';
  const unused = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  for (const [wrong, reason] of [
    ['', 'begins with'],
    ['hello', 'begins with'],
    [text.toUpperCase(), 'begins with'],
    [cut, 'characters'],
    [`${text}A`, 'characters'],
    [text.replace('.', '..'), '5 parts'],
    [text.split('.').slice(0, 3).join('.'), '3 parts'],
    [`${text}.more`, '5 parts'],
    [text.replace(/.$/, unused[unused.indexOf(last) ^ 1] ?? ''), 'has changed'],
    [`${text} ${text}`, ''],
    [`cwt1.${'a'.repeat(100_000)}`, 'parts'],
  ] as const) {
    t.throws(
      () => parseJoinToken(wrong),
      { code: 'token-malformed', message: new RegExp(reason) },
      wrong.slice(0, 200),
    );
    try {
      parseJoinToken(wrong);
    } catch (error) {
      t.notOk(String(error).includes(secret.slice(0, 10)));
    }
  }
});

t.test('a secret is known by its hash, which says nothing of it', (t) => {
  const hash = hashOfSecret('abc');
  t.ok(isSecretOf(hash, 'abc'));
  for (const other of ['', 'abd', 'abcd', hash]) t.notOk(isSecretOf(hash, other));
  t.notOk(isSecretOf('', 'abc'));
  t.notMatch(hash, /abc/);
  t.end();
});
