/** The rounds of one candidate. */
export interface Series {
  readonly name: string;
  /** One a round, in order. */
  readonly values: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** How one candidate stands to another: the quotient of the same round each, so that what a round had in common cancels. */
export interface Ratio {
  readonly of: string;
  readonly to: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Comparison {
  readonly series: readonly Series[];
  readonly ratio: (of: string, to: string) => Ratio;
}

/**
 * Measures several candidates in turn, A B C A B C ..., so that a machine that slows down or speeds up does it to all of
 * them alike. Each measurement is one number: a rate or a time.
 */
export async function interleave(
  candidates: Readonly<Record<string, () => Promise<number>>>,
  rounds: number,
  onMeasured: (name: string, round: number, value: number) => void = () => undefined,
): Promise<Comparison> {
  const measured = new Map<string, number[]>(Object.keys(candidates).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of Object.entries(candidates)) {
      const value = await measure();
      measured.get(name)?.push(value);
      onMeasured(name, round, value);
    }
  }
  return {
    series: [...measured].map(([name, values]) => ({ name, values, ...spread(values) })),
    ratio(of, to) {
      const divisors = measured.get(to) ?? [];
      const quotients = (measured.get(of) ?? []).map((value, round) => value / (divisors[round] ?? Number.NaN));
      return { of, to, ...spread(quotients) };
    },
  };
}

/** A table for people: one line a candidate, with its ratio to the first. */
export function formatComparison(comparison: Comparison, unit: string): string {
  const [first] = comparison.series;
  const lines = comparison.series.map((each) => {
    const { median, min, max } = comparison.ratio(each.name, first?.name ?? each.name);
    return [
      each.name.padEnd(24),
      `${round(each.median)} ${unit}`.padStart(18),
      `${round(each.min)} – ${round(each.max)}`.padStart(22),
      `× ${median.toFixed(2)} (${min.toFixed(2)} – ${max.toFixed(2)})`.padStart(26),
    ].join('');
  });
  return lines.join('\n');
}

function spread(values: readonly number[]): { median: number; min: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** Three digits that mean something. */
function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
