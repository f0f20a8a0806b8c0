const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

/** Below `belowMs` a duration is shown in `unit`, and with the rest in `restUnit` where there is one. */
const steps: readonly { belowMs: number; unit: Unit; restUnit?: Unit }[] = [
  { belowMs: 2 * minute, unit: 's' },
  { belowMs: 10 * minute, unit: 'm', restUnit: 's' },
  { belowMs: 3 * hour, unit: 'm' },
  { belowMs: 8 * hour, unit: 'h', restUnit: 'm' },
  { belowMs: 2 * day, unit: 'h' },
  { belowMs: 8 * day, unit: 'd', restUnit: 'h' },
  { belowMs: 2 * year, unit: 'd' },
  { belowMs: 8 * year, unit: 'y', restUnit: 'd' },
  { belowMs: Infinity, unit: 'y' },
];

type Unit = 's' | 'm' | 'h' | 'd' | 'y';

const unitMs: Readonly<Record<Unit, number>> = { s: second, m: minute, h: hour, d: day, y: year };

/**
 * A duration as kubectl shows it, two or three significant figures: `45s`, `5m`, `3h12m`, `2d5h`. Up to two seconds of
 * clock difference count as now; what is further in the future is `<invalid>`.
 */
export function formatDuration(milliseconds: number): string {
  if (milliseconds <= -2 * second) return '<invalid>';
  const duration = Math.max(0, milliseconds);
  const step = steps.find(({ belowMs }) => duration < belowMs);
  if (step === undefined) return '<invalid>';
  const whole = Math.floor(duration / unitMs[step.unit]);
  const text = `${whole}${step.unit}`;
  if (step.restUnit === undefined) return text;
  const rest = Math.floor((duration - whole * unitMs[step.unit]) / unitMs[step.restUnit]);
  return rest === 0 ? text : `${text}${rest}${step.restUnit}`;
}

/** The age of an RFC 3339 time at `nowMs`; `<unknown>` when there is none, `<invalid>` when it is none. */
export function ageOf(timestamp: unknown, nowMs: number): string {
  if (timestamp === undefined || timestamp === null || timestamp === '') return '<unknown>';
  const since = typeof timestamp === 'string' ? Date.parse(timestamp) : NaN;
  return Number.isNaN(since) ? '<invalid>' : formatDuration(nowMs - since);
}
