import { loadavg } from 'node:os';

/** One line of the table. */
export interface Row {
  readonly title: string;
  readonly value: string;
  /** What it is measured against; missing: the target is absolute. */
  readonly baseline?: string;
  readonly ratio?: { readonly median: number; readonly min: number; readonly max: number };
  readonly target: string;
  readonly isMet: boolean;
  /** What else there is to know. */
  readonly note?: string;
}

/** Shows each figure when it is there, and all of them in the end. */
export class Report {
  readonly #rows: Row[] = [];

  add(row: Row): void {
    this.#rows.push(row);
    console.log(`${lineOf(row)}${row.note === undefined ? '' : `\n    ${row.note}`}`);
  }

  get missed(): readonly string[] {
    return this.#rows.filter(({ isMet }) => !isMet).map(({ title }) => title);
  }

  begin(title: string): void {
    console.log(`\n${title} (load ${loadavg()[0]?.toFixed(1) ?? ''})`);
  }

  finish(): void {
    console.log(`\n${headLine}\n${this.#rows.map(lineOf).join('\n')}`);
    console.log(this.missed.length === 0 ? '\nevery target is met' : `\nmissed: ${this.missed.join('; ')}`);
  }
}

function lineOf({ title, value, baseline = '', ratio, target, isMet }: Row): string {
  const { median, min, max } = ratio ?? {};
  const text =
    median === undefined || min === undefined || max === undefined
      ? ''
      : `× ${digits(median)}${min === max ? '' : ` (${digits(min)} – ${digits(max)})`}`;
  return columns(title, value, baseline, text, target, isMet ? 'met' : 'MISSED');
}

function columns(
  ...[title, value, baseline, ratio, target, verdict]: readonly [string, string, string, string, string, string]
): string {
  return `${title.padEnd(52)}${value.padStart(14)}${baseline.padStart(14)}${ratio.padStart(24)}  ${target.padEnd(12)}${verdict}`;
}

const headLine = columns('', 'value', 'baseline', 'ratio', 'target', '');

/** Three digits that mean something. */
export function digits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 0.01 ? value.toPrecision(3) : value.toFixed(4);
}
