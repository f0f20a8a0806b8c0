import t from 'tap';
import type { AuditEvent } from '../../../gateway/audit/index.ts';
import { RefusalGate } from '../../../gateway/audit/refusal-gate.ts';
import { ManualClock } from './manual-clock.ts';

function gateFor() {
  const clock = new ManualClock();
  const summaries: AuditEvent[] = [];
  const gate = new RefusalGate({ clock, emit: (event) => summaries.push(event) });
  const refuse = (event: Partial<AuditEvent> = {}): boolean =>
    gate.passes({
      action: 'link',
      outcome: 'refused',
      principal: '',
      remote: '192.0.2.1',
      code: 'cert-missing',
      ...event,
    });
  return { clock, gate, summaries, refuse };
}

t.test(
  'a stranger that floods is told of in full for a while, then counted, and none is missing from the sum',
  async (t) => {
    const { clock, summaries, refuse } = gateFor();
    let passed = 0;
    for (let index = 0; index < 10_000; index++) {
      clock.advance(1);
      if (refuse()) passed++;
    }
    t.ok(passed >= 30 && passed <= 45, `${passed} in 10 s`);
    clock.advance(10_000);
    t.equal(passed + summaries.reduce((sum, { count = 0 }) => sum + count, 0), 10_000);
    t.ok(summaries.length <= 2, `${summaries.length} lines for the rest`);
    t.match(summaries[0], {
      action: 'link',
      outcome: 'refused',
      principal: '',
      code: 'cert-missing',
      remote: '192.0.2.1',
    });
  },
);

t.test('many addresses together have a bound, too', async (t) => {
  const { clock, gate, summaries, refuse } = gateFor();
  let passed = 0;
  for (let index = 0; index < 10_000; index++) if (refuse({ remote: `2001:db8::${index.toString(16)}` })) passed++;
  t.equal(passed, 200);
  gate.flush();
  t.equal(summaries.length, 1);
  t.equal(summaries[0]?.count, 9800);
  t.equal(summaries[0]?.remote, undefined, 'of several addresses none is named');
  clock.advance(60_000);
  t.ok(refuse({ remote: '198.51.100.1' }), 'afterwards there is room again');
});

t.test('kinds of refusals that a stranger makes up do not grow the sums', async (t) => {
  const { gate, summaries, refuse } = gateFor();
  for (let index = 0; index < 5000; index++) refuse({ action: `a${index}` });
  gate.flush();
  t.ok(summaries.length <= 257, `${summaries.length} sums`);
  t.equal(
    summaries.reduce((sum, { count = 0 }) => sum + count, 0),
    5000 - 30,
  );
});

t.test('what one who floods is refused hides nobody else', async (t) => {
  const { refuse } = gateFor();
  for (let index = 0; index < 1000; index++) refuse({ principal: 'edge/edge-9' });
  t.notOk(refuse({ principal: 'edge/edge-9' }));
  t.ok(refuse({ principal: 'edge/edge-1' }));
  t.ok(refuse());
});

t.test('what was allowed always passes', async (t) => {
  const { refuse, summaries } = gateFor();
  for (let index = 0; index < 1000; index++) t.ok(refuse({ outcome: 'allowed' }));
  t.equal(summaries.length, 0);
});
