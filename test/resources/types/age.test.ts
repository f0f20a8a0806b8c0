import t from 'tap';
import { ageOf, formatDuration } from '../../../resources/types/age.ts';

const s = 1000;
const m = 60 * s;
const h = 60 * m;
const d = 24 * h;
const y = 365 * d;

t.test('a duration has the figures that kubectl gives it', async (t) => {
  const rows: [number, string][] = [
    [0, '0s'],
    [999, '0s'],
    [119 * s, '119s'],
    [2 * m, '2m'],
    [2 * m + 5 * s, '2m5s'],
    [10 * m - 1, '9m59s'],
    [10 * m + 5 * s, '10m'],
    [3 * h - 1, '179m'],
    [3 * h, '3h'],
    [3 * h + 12 * m, '3h12m'],
    [8 * h + 12 * m, '8h'],
    [2 * d - 1, '47h'],
    [2 * d, '2d'],
    [2 * d + 5 * h, '2d5h'],
    [8 * d + 5 * h, '8d'],
    [2 * y - 1, '729d'],
    [2 * y + 3 * d, '2y3d'],
    [8 * y + 3 * d, '8y'],
  ];
  for (const [duration, text] of rows) t.equal(formatDuration(duration), text);
});

t.test('a clock that is a little ahead means now, one that is far ahead is not believed', async (t) => {
  t.equal(formatDuration(-1999), '0s');
  t.equal(formatDuration(-2000), '<invalid>');
  t.equal(formatDuration(NaN), '<invalid>');
});

t.test('an age needs a time', async (t) => {
  const now = Date.parse('2026-01-01T00:05:00Z');
  t.equal(ageOf('2026-01-01T00:00:00Z', now), '5m');
  t.equal(ageOf('2026-01-01T01:00:00+01:00', now), '5m');
  t.equal(ageOf(undefined, now), '<unknown>');
  t.equal(ageOf(null, now), '<unknown>');
  t.equal(ageOf('yesterday', now), '<invalid>');
  t.equal(ageOf(17, now), '<invalid>');
});
