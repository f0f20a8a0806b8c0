import process from 'node:process';

/** One figure of a scenario, and what it has to be. */
export interface Figure {
  readonly name: string;
  readonly value: string;
  /** What is promised; empty for what is only shown. */
  readonly bound: string;
  readonly isMet: boolean;
  /** It depends on how busy the machine is: a test shows it, and only the scenario's own run judges it. */
  readonly isTiming: boolean;
}

/** What a scenario found, line by line. */
export class Report {
  readonly title: string;
  readonly figures: Figure[] = [];

  constructor(title: string) {
    this.title = title;
  }

  show(name: string, value: string): void {
    this.figures.push({ name, value, bound: '', isMet: true, isTiming: false });
  }

  equal(name: string, value: number | string, wanted: number | string): void {
    this.figures.push({ name, value: String(value), bound: `= ${wanted}`, isMet: value === wanted, isTiming: false });
  }

  /** `value` and `bound` in the same unit. */
  atMost(name: string, value: number, bound: number, unit: string, kind: 'count' | 'timing' = 'count'): void {
    this.#bounded(name, value, `≤ ${short(bound)}`, unit, value <= bound, kind);
  }

  atLeast(name: string, value: number, bound: number, unit: string, kind: 'count' | 'timing' = 'count'): void {
    this.#bounded(name, value, `≥ ${short(bound)}`, unit, value >= bound, kind);
  }

  get isMet(): boolean {
    return this.figures.every(({ isMet }) => isMet);
  }

  toString(): string {
    const rows = this.figures.map(({ name, value, bound, isMet }) => [
      name,
      value,
      bound,
      bound === '' ? '' : isMet ? 'ok' : 'NOT MET',
    ]);
    const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
    const lines = rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
    return [this.title, ...lines.map((line) => `  ${line}`)].join('\n');
  }

  #bounded(name: string, value: number, bound: string, unit: string, isMet: boolean, kind: 'count' | 'timing'): void {
    const measured = unit === '' ? short(value) : `${short(value)} ${unit}`;
    const wanted = unit === '' ? bound : `${bound} ${unit}`;
    this.figures.push({ name, value: measured, bound: wanted, isMet, isTiming: kind === 'timing' });
  }
}

/** The value below which a share of the values lies; NaN when there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** Runs a scenario as a program: `--long` for its long form; prints the table, exits 1 when something is not met. */
export async function runAsProgram(scenario: (isLong: boolean) => Promise<Report>): Promise<void> {
  const report = await scenario(process.argv.includes('--long'));
  process.stdout.write(`${report.toString()}\n`);
  process.exit(report.isMet ? 0 : 1);
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toFixed(2)));
}
