import t from 'tap';
import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import { openerPath, stepOpener, type OpenerEvent, type OpenerPath } from '../../tunnel/opener-path.ts';

const limits: TunnelLimits = { ...defaultLimits, openWithinMs: 10_000, resumeWithinMs: 60_000 };

type Step = readonly [atMs: number, event: OpenerEvent];

const offered = (atMs: number, namesInstance = true): Step => [atMs, { kind: 'offered', namesInstance }];
const answered = (atMs: number): Step => [atMs, { kind: 'answered' }];
const lost = (atMs: number, code = 'link-lost'): Step => [atMs, { kind: 'lost', code }];
const tick = (atMs: number): Step => [atMs, { kind: 'tick' }];
const bySwitch = (atMs: number, code: string, retryAfterMs = 0): Step => [
  atMs,
  { kind: 'refused', code, message: '', byEndpoint: false, retryAfterMs },
];
const byEndpoint = (atMs: number, code: string): Step => [
  atMs,
  { kind: 'refused', code, message: '', byEndpoint: true, retryAfterMs: 0 },
];

/** What happens, and where the opener stands then: its phase, its code or the time of its next try. */
const scenarios: readonly (readonly [name: string, steps: readonly Step[], state: string])[] = [
  ['a new stream tries at once', [], 'waiting, tries at 0'],
  ['an answer attaches it', [offered(0), answered(50)], 'attached'],
  ['without any path it is not opened after 10 s', [tick(10_000)], 'failed: not-opened'],
  ['and not before', [tick(9_999)], 'waiting, tries at 0'],
  [
    'a path that is lost after the answer is looked for at once',
    [offered(0), answered(50), lost(70)],
    'waiting, tries at 70',
  ],
  [
    'an attached stream is given up 60 s after its loss',
    [offered(0), answered(50), lost(70_000), tick(130_000)],
    'failed: stream-lost',
  ],
  ['and not before', [offered(0), answered(50), lost(70_000), tick(129_999)], 'waiting, tries at 70000'],
  [
    'a switch that needed its memory gets half a second',
    [offered(0), answered(50), lost(70, 'over-budget')],
    'waiting, tries at 570',
  ],
  ['an OPEN that named no instance leaves no doubt', [offered(0, false), lost(20), tick(10_020)], 'failed: not-opened'],
  ['an OPEN that named one may have been executed', [offered(0), lost(20), tick(10_020)], 'waiting, tries at 20'],
  ['which nobody can know after 60 s', [offered(0), lost(20), tick(60_020)], 'failed: outcome-unknown'],
  [
    'time on a path is not time without one',
    [offered(1_000), lost(100_000), tick(158_000)],
    'waiting, tries at 100000',
  ],
  ['but the time before it is', [offered(1_000), lost(100_000), tick(159_000)], 'failed: outcome-unknown'],
  [
    'an answer dispels the doubt',
    [offered(0), lost(20), offered(30), answered(40), lost(50), tick(60_050)],
    'failed: stream-lost',
  ],
  ["a switch's not-here is tried again", [offered(0), bySwitch(5, 'not-here')], 'waiting, tries at 205'],
  ['when the switch says', [offered(0), bySwitch(5, 'not-here', 3000)], 'waiting, tries at 3005'],
  ['but not beyond the deadline', [offered(0), bySwitch(10_000, 'not-here')], 'failed: not-opened'],
  ["a switch's no is final while there is no doubt", [offered(0), bySwitch(5, 'denied')], 'failed: denied'],
  ['an overloaded switch is told to the caller', [offered(0), bySwitch(5, 'overloaded')], 'failed: overloaded'],
  [
    'in doubt an overloaded switch is asked again',
    [offered(0), lost(10), offered(10), bySwitch(15, 'overloaded')],
    'waiting, tries at 215',
  ],
  [
    "in doubt a switch's no says nothing of the earlier OPEN",
    [offered(0), lost(10), offered(10), bySwitch(15, 'denied')],
    'failed: outcome-unknown',
  ],
  [
    "the acceptor's word covers every earlier OPEN",
    [offered(0), lost(10), offered(10), byEndpoint(15, 'service-unknown')],
    'failed: service-unknown',
  ],
  [
    'an acceptor that forgot it may have executed it',
    [offered(0), lost(10), offered(10), byEndpoint(15, 'gone')],
    'failed: outcome-unknown',
  ],
  [
    'another instance executed nothing: it is asked by its name',
    [offered(0, false), byEndpoint(5, 'other-instance')],
    'waiting, tries at 5',
  ],
  [
    'in doubt another instance means that nobody knows',
    [offered(0), lost(10), offered(10), byEndpoint(15, 'other-instance')],
    'failed: outcome-unknown',
  ],
  [
    'an edge that restarts again and again is given up',
    Array.from({ length: 6 }, () => [offered(0), byEndpoint(5, 'other-instance')]).flat(),
    'failed: not-opened',
  ],
  [
    'an accepted stream that another instance does not know is gone',
    [offered(0), answered(5), lost(10), offered(10), byEndpoint(15, 'other-instance')],
    'failed: gone',
  ],
  [
    'a RESUME that the switch cannot route is tried again',
    [offered(0), answered(5), lost(10), offered(10), bySwitch(15, 'not-here')],
    'waiting, tries at 215',
  ],
  [
    'a RESUME that policy forbids ends the stream',
    [offered(0), answered(5), lost(10), offered(10), bySwitch(15, 'denied')],
    'failed: denied',
  ],
  ['an unknown code counts as a no', [offered(0), bySwitch(5, 'no-such-code')], 'failed: denied'],
  ['what comes after the end changes nothing', [tick(10_000), offered(10_001), answered(10_002)], 'failed: not-opened'],
  ['an answer that nobody waits for changes nothing', [answered(5)], 'waiting, tries at 0'],
  ['nor does a second offer', [offered(0), offered(1), answered(5)], 'attached'],
  ['nor a refusal behind the answer', [offered(0), answered(5), byEndpoint(6, 'denied')], 'attached'],
  ['a path that it never had cannot be lost', [lost(5)], 'waiting, tries at 0'],
];

function describe(path: OpenerPath): string {
  switch (path.phase) {
    case 'waiting':
      return `waiting, tries at ${path.retryAt}`;
    case 'failed':
      return `failed: ${path.error.code}`;
    case 'offered':
    case 'attached':
      return path.phase;
  }
}

for (const [name, steps, state] of scenarios) {
  t.test(name, async (t) => {
    let path = openerPath(0);
    for (const [atMs, event] of steps) path = stepOpener(path, event, atMs, limits);
    t.equal(describe(path), state);
  });
}

t.test('attempts rise with each offer', async (t) => {
  let path = openerPath(0);
  for (let attempt = 1; attempt < 5; attempt++) {
    path = stepOpener(path, { kind: 'offered', namesInstance: true }, attempt, limits);
    t.equal(path.attempt, attempt);
    path = stepOpener(path, { kind: 'lost', code: 'moved' }, attempt, limits);
  }
});
