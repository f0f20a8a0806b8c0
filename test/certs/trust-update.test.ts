import { X509Certificate } from 'node:crypto';
import t from 'tap';
import {
  createFleetAuthority,
  createRoot,
  fingerprintOfRoot,
  parseTrustBundle,
  signTrust,
  verifyTrustUpdate,
} from '../../certs/index.ts';

const trustDomain = 'causeway.example';
const [{ root: old }, { root: next }, { root: stranger }] = await Promise.all([
  createFleetAuthority(trustDomain),
  createFleetAuthority(trustDomain),
  createFleetAuthority(trustDomain),
]);
const first = parseTrustBundle(old.certPem);
const both = signTrust(old.certPem + next.certPem, 1, [old]);

t.test('a bundle that a trusted root has signed takes the place of the one before', async (t) => {
  const update = verifyTrustUpdate(first, both);
  t.match(update, { serial: 1, trustDomain, roots: { length: 2 } });
  const alone = verifyTrustUpdate(update, signTrust(next.certPem, 2, [old, next]));
  t.equal(alone.roots.length, 1);
  t.equal(verifyTrustUpdate(first, alone.text).version, alone.version, 'also for who was away in between');
});

t.test('the text of a bundle is PEM that other programs read, and comes back as it was', async (t) => {
  const update = parseTrustBundle(both);
  t.equal(update.text, both);
  t.equal(parseTrustBundle(update.text).version, update.version);
  t.equal(update.pem.match(/BEGIN CERTIFICATE/gu)?.length, 2);
  t.equal(first.serial, 0, 'the first bundle of a fleet has no head');
  t.not(first.version, parseTrustBundle(next.certPem).version);
});

t.test('a retired root is covered by the signatures', (t) => {
  const fingerprint = fingerprintOfRoot(new X509Certificate(old.certPem));
  const alone = signTrust(next.certPem, 2, [old, next], [fingerprint]);
  t.strictSame(verifyTrustUpdate(first, alone).retired, [fingerprint]);
  t.not(parseTrustBundle(alone).version, parseTrustBundle(signTrust(next.certPem, 2, [old, next])).version);
  const other = fingerprintOfRoot(new X509Certificate(stranger.certPem));
  const forged = [
    alone.replace(fingerprint, other),
    alone.replace(`Retired: ${fingerprint}\n`, ''),
    alone.replace('Serial: 2', `Serial: 2\nRetired: ${other}`),
  ];
  for (const text of forged) t.throws(() => verifyTrustUpdate(first, text), { code: 'trust-invalid' });
  t.throws(() =>
    parseTrustBundle(
      signTrust(
        next.certPem,
        2,
        [],
        Array.from({ length: 9 }, () => fingerprint),
      ),
    ),
  );
  t.end();
});

t.test('a bundle is refused', async (t) => {
  const refuse = (text: string, detail: RegExp, current = first): void => {
    t.throws(() => verifyTrustUpdate(current, text), { code: 'trust-invalid', message: detail });
  };
  refuse(signTrust(next.certPem, 1, [next]), /no root that is trusted/u);
  refuse(signTrust(stranger.certPem + old.certPem, 1, [stranger]), /no root that is trusted/u);
  refuse(signTrust(next.certPem, 1, []), /no root that is trusted/u);
  refuse(both, /not newer/u, parseTrustBundle(both));
  refuse(both, /not newer/u, verifyTrustUpdate(parseTrustBundle(both), signTrust(next.certPem, 2, [old])));
  refuse(both.replace('Serial: 1', 'Serial: 9'), /no root that is trusted/u);
  refuse(both.replace('Serial: 1\n', ''), /without a serial/u);
  refuse(both + stranger.certPem, /no root that is trusted/u);
  refuse(old.certPem, /not newer/u);
  const elsewhere = await createRoot({ trustDomain: 'other.example' });
  refuse(signTrust(elsewhere.certPem, 1, [old]), /other\.example/u);
  t.throws(() => signTrust(old.certPem, 0, [old]), { code: 'trust-invalid' });
});
