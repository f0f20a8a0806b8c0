import t from 'tap';
import { AttemptLimits } from '../../../gateway/enrolment/index.ts';
import { networkOf } from '../../../gateway/enrolment/attempt-limits.ts';
import { ManualClock } from '../audit/manual-clock.ts';

const address = { burst: 3, everyMs: 1000 };

t.test('who guesses waits, and is told how long; others go on', (t) => {
  const clock = new ManualClock();
  const limits = new AttemptLimits(clock, { address });
  for (let tries = 0; tries < 3; tries++) limits.begin('192.0.2.1').end(false);
  t.throws(() => limits.begin('192.0.2.1'), { code: 'too-many-attempts', retryAfterMs: 1000 });
  limits.begin('192.0.2.2').end(false);
  clock.advance(999);
  t.throws(() => limits.begin('192.0.2.1'), { code: 'too-many-attempts' });
  clock.advance(1);
  limits.begin('192.0.2.1').end(false);
  t.throws(() => limits.begin('192.0.2.1'), { code: 'too-many-attempts' });
  clock.advance(60_000);
  for (let tries = 0; tries < 3; tries++) limits.begin('192.0.2.1').end(false);
  t.throws(() => limits.begin('192.0.2.1'), { code: 'too-many-attempts' }, 'time saves up no more than the burst');
  t.end();
});

t.test('good attempts cost nothing, whoever counts twice', (t) => {
  const limits = new AttemptLimits(new ManualClock(), { address });
  for (let tries = 0; tries < 100; tries++) {
    const attempt = limits.begin('192.0.2.1');
    attempt.end(true);
    attempt.end(true);
  }
  for (let tries = 0; tries < 3; tries++) limits.begin('192.0.2.1').end(false);
  t.throws(() => limits.begin('192.0.2.1'));
  t.end();
});

t.test('everybody together is limited too, and how many are under way', (t) => {
  const clock = new ManualClock();
  const limits = new AttemptLimits(clock, { address, everybody: { burst: 5, everyMs: 100 }, maxUnderWay: 2 });
  const [one, two] = [limits.begin('192.0.2.1'), limits.begin('192.0.2.2')];
  t.throws(() => limits.begin('192.0.2.3'), { code: 'too-many-attempts' });
  one.end(false);
  two.end(false);
  for (let host = 3; host < 6; host++) limits.begin(`192.0.2.${host}`).end(false);
  t.throws(() => limits.begin('192.0.2.9'), { code: 'too-many-attempts', retryAfterMs: 100 });
  clock.advance(100);
  limits.begin('192.0.2.9').end(false);
  t.end();
});

t.test('a machine does not get more by changing its address within its network', (t) => {
  t.equal(networkOf('192.0.2.1'), '192.0.2.1');
  t.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2/64');
  t.equal(networkOf('2001:DB8:0001:2::1'), '2001:db8:1:2/64');
  t.equal(networkOf('2001:db8::1'), '2001:db8:0:0/64');
  t.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0/64');
  t.equal(networkOf('::1'), '0:0:0:0/64');
  t.equal(networkOf(''), '');
  const limits = new AttemptLimits(new ManualClock(), { address });
  for (let host = 0; host < 3; host++) limits.begin(`2001:db8::${host}`).end(false);
  t.throws(() => limits.begin('2001:db8::abcd'), { code: 'too-many-attempts' });
  limits.begin('2001:db8:0:1::1').end(false);
  t.end();
});

t.test('of the addresses only so many are remembered', (t) => {
  const limits = new AttemptLimits(new ManualClock(), {
    address: { burst: 1, everyMs: 1000 },
    everybody: { burst: 1000, everyMs: 1 },
    maxAddresses: 10,
  });
  for (let host = 0; host < 20; host++) limits.begin(`192.0.2.${host}`).end(false);
  limits.begin('192.0.2.0').end(false);
  t.throws(() => limits.begin('192.0.2.19'), { code: 'too-many-attempts' });
  t.end();
});
