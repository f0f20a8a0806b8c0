import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { test } from 'tap';
import { writePkcs12 } from '../../certs/index.ts';
import { TestFleet } from '../support/certificates.ts';

const password = 'correct horse ünd';

test('a PKCS#12 file holds the key, encrypted with AES-256, and the chain, and opens with its password only', async (t) => {
  const fleet = await TestFleet.create();
  const { chainPem, keyPem } = await fleet.credentials('operator/alice');
  const file = await writePkcs12({ chainPem, keyPem, friendlyName: 'operator/alice', password });
  t.ok(createSecureContext({ pfx: file, passphrase: password }));
  t.throws(() => createSecureContext({ pfx: file, passphrase: 'wrong' }), /mac verify failure/u);
  t.throws(() => createSecureContext({ pfx: file }), /mac verify failure/u);

  const path = join(t.testdir(), 'alice.p12');
  writeFileSync(path, file);
  const openssl = ['pkcs12', '-in', path, '-info', '-nodes', '-passin', `pass:${password}`];
  const info = execFileSync('openssl', openssl, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  t.match(info, 'friendlyName: operator/alice');
  const found = [...info.matchAll(/-----BEGIN (\w+(?: \w+)?)-----[^-]+-----END \1-----/gu)].map(([text]) => text);
  t.equal(found.filter((text) => text.includes('CERTIFICATE')).length, 2);
  t.ok(new X509Certificate(found[0] ?? '').raw.equals(new X509Certificate(chainPem).raw), 'the leaf first');
  t.equal(found.at(-1)?.trim(), keyPem.trim());
  const kinds = execFileSync('openssl', [...openssl, '-nokeys', '-nocerts'], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.ok(kinds);
  t.notOk(
    file.includes(Buffer.from(keyPem.split('\n')[1] ?? '', 'base64').subarray(0, 40)),
    'the key is not in it as it is',
  );
});
