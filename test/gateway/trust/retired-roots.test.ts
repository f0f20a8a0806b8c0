import { X509Certificate } from 'node:crypto';
import t, { type Test } from 'tap';
import { silentLog, systemClock } from '../../../base/index.ts';
import { createFleetAuthority, fingerprintOfRoot, signTrust } from '../../../certs/index.ts';
import { trustBundleType } from '../../../gateway/fleet/trust-bundle-type.ts';
import { ReplicaCredentials } from '../../../gateway/trust/index.ts';
import { heldObject, WatchCache } from '../../../resources/index.ts';
import { TestFleet } from '../../support/certificates.ts';
import { waitFor } from '../../support/wait-for.ts';

const fleet = await TestFleet.create();
const { root: old } = fleet.authority;
const [{ root: next }, { root: stranger }] = await Promise.all([
  createFleetAuthority(fleet.trustDomain),
  createFleetAuthority(fleet.trustDomain),
]);
const fingerprint = (pem: string): string => fingerprintOfRoot(new X509Certificate(pem));

/** A replica's credentials, and the store's word on trust, which anybody may have written who has the store. */
async function start(t: Test) {
  const keys = await fleet.keyStore(t.testdir(), 'replica/site-a/r0');
  const own = await ReplicaCredentials.open({ keys, issuer: undefined, clock: systemClock, log: silentLog });
  const bundles = new WatchCache(trustBundleType, { clock: systemClock, version: 1 });
  await own.follow(bundles);
  t.teardown(() => {
    own.close();
    bundles.close();
  });
  let version = 1;
  const plant = (spec: object): void => {
    const metadata = { name: 'fleet', uid: 'u', resourceVersion: String(++version) };
    bundles.put(heldObject({ apiVersion: 'causeway.io/v1', kind: 'TrustBundle', metadata, spec }, trustBundleType));
  };
  return { own, plant };
}

t.test('a retired root that no root has signed for renews nothing', async (t) => {
  const { own, plant } = await start(t);
  const bundle = fleet.trust.text;
  const told = new Promise<void>((resolve) => own.onNews(resolve));
  plant({ bundle, retired: stranger.certPem });
  await told;
  t.strictSame(own.renewalTrust.roots.map(fingerprintOfRoot), [fingerprint(old.certPem)]);

  const forged = `causeway trust bundle\nSerial: 1\nRetired: ${fingerprint(stranger.certPem)}\n${fleet.trust.pem}`;
  plant({ bundle: forged, retired: stranger.certPem, issuer: 'a'.repeat(40) });
  await waitFor('it to be read', () => own.wantedIssuer !== undefined);
  t.equal(own.keys.trust.serial, 0, 'a bundle that nobody signed is not taken');
  t.equal(own.renewalTrust.roots.length, 1);
});

t.test('a root that has left with a signature still counts for renewals, beside it nothing', async (t) => {
  const { own, plant } = await start(t);
  let hasLeft = false;
  own.onRootLeft(() => (hasLeft = true));
  const both = signTrust(old.certPem + next.certPem, 1, [old]);
  plant({ bundle: both });
  await waitFor('both roots', () => own.keys.trust.roots.length === 2);
  t.notOk(hasLeft);
  const alone = signTrust(next.certPem, 2, [old, next], [fingerprint(old.certPem)]);
  plant({ bundle: alone, retired: old.certPem + stranger.certPem });
  await waitFor('the new root', () => own.keys.trust.serial === 2);
  t.ok(hasLeft, 'who is connected is looked at');
  t.strictSame(
    own.renewalTrust.roots.map(fingerprintOfRoot),
    [next, old].map(({ certPem }) => fingerprint(certPem)),
  );
  t.strictSame(own.keys.trust.roots.map(fingerprintOfRoot), [fingerprint(next.certPem)], 'for nothing else');
  t.strictSame(own.vouchedIssuers, [], 'the issuer of its own certificate was of the old root');
});
