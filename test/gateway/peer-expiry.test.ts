import { X509Certificate } from 'node:crypto';
import t, { type Test } from 'tap';
import { identityOf } from '../../certs/index.ts';
import { PeerExpiry } from '../../gateway/peer-expiry.ts';
import type { Peer } from '../../gateway/peer.ts';
import { TestFleet } from '../support/certificates.ts';
import { ManualClock } from './audit/manual-clock.ts';

const BEGAN = Date.UTC(2026, 0, 1);
const fleet = await TestFleet.create();
const known = new X509Certificate(fleet.authority.issuers.edge.certPem);

function start(t: Test) {
  const clock = new ManualClock();
  const expiry = new PeerExpiry({
    clock,
    wallClock: () => BEGAN + clock.now(),
    issuers: () => [known],
    handshakeMs: 10_000,
    onFault: (error) => t.fail(String(error)),
  });
  t.teardown(() => expiry.close());
  const told: string[] = [];
  const hold = (name: string, validMs: number, isKnown = true): (() => void) => {
    const peer: Peer = {
      identity: identityOf('fleet.test', `edge/${name}`),
      principal: `edge/${name}`,
      keyPin: '',
      serial: '',
      notAfter: BEGAN + clock.now() + validMs,
      issuer: '',
      isIssuedBy: (issuer) => isKnown && issuer === known,
    };
    return expiry.add({
      peer,
      leave: (windowMs) => told.push(`${name} leave ${windowMs}`),
      end: ({ code }) => told.push(`${name} end ${code}`),
    });
  };
  const pass = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 1000) {
      clock.advance(1000);
      // The timer is set again behind this.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { expiry, told, hold, pass };
}

t.test('a connection ends with its certificate, and is asked to come again first', async (t) => {
  const { told, hold, pass } = start(t);
  hold('short', 5000);
  hold('long', 60_000);
  const forget = hold('gone', 5000);
  forget();
  await pass(4000);
  t.strictSame(told, []);
  await pass(2000);
  t.strictSame(told, ['short leave 10000']);
  await pass(8000);
  t.equal(told.length, 1, 'it has its time');
  await pass(3000);
  t.strictSame(told, ['short leave 10000', 'short end link-closed']);
  await pass(30_000);
  t.equal(told.length, 2, 'once');
});

t.test('when a root leaves, whoever no known issuer has signed has to come again', async (t) => {
  const { expiry, told, hold, pass } = start(t);
  hold('vouched', 600_000);
  hold('doubtful', 600_000, false);
  await pass(2000);
  t.strictSame(told, []);
  expiry.rootLeft();
  hold('late', 600_000, false);
  await pass(2000);
  t.strictSame(told, ['doubtful leave 60000', 'late leave 60000'], 'also whose handshake was before');
  await pass(61_000);
  t.strictSame(told.slice(2), ['doubtful end link-closed', 'late end link-closed']);
  hold('new', 600_000, false);
  await pass(70_000);
  t.equal(told.length, 4, 'who came since has proved another root');
});

t.test('a fleet that is doubtful does not come again all at once', async (t) => {
  const { expiry, told, hold, pass } = start(t);
  for (let edge = 0; edge < 450; edge++) hold(`edge-${edge}`, 600_000, false);
  expiry.rootLeft();
  const counts: number[] = [];
  for (let second = 0; second < 3; second++) {
    await pass(1000);
    counts.push(told.length);
  }
  t.strictSame(counts, [200, 400, 450]);
});
