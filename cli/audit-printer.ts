import type { AuditRecord } from '../api/index.ts';

const head = ['TIME', 'OUTCOME', 'ACTION', 'PRINCIPAL', 'EDGE', 'WHAT', 'DETAIL'] as const;
/** So wide is a column at first, while what comes is not known. */
const LEAST = [24, 7, 8, 16, 8, 8, 0];

/** Shows audit records: as JSON lines, or as rows below each other, in columns that only ever get wider. */
export class AuditPrinter {
  readonly #isJson: boolean;
  readonly #write: (text: string) => void;
  #widths: readonly number[] | undefined;

  constructor({ json, write }: { readonly json: boolean; readonly write: (text: string) => void }) {
    this.#isJson = json;
    this.#write = write;
  }

  /** Shows records of several replicas in the order of time. */
  print(records: readonly AuditRecord[]): void {
    const sorted = records.toSorted(byTime);
    if (this.#isJson) this.#write(sorted.map((record) => `${JSON.stringify(record)}\n`).join(''));
    else this.#printRows(sorted.map(cellsOf));
  }

  #printRows(rows: readonly (readonly string[])[]): void {
    const lines = this.#widths === undefined ? [head, ...rows] : rows;
    const known = this.#widths ?? LEAST;
    const widths = known.map((width, column) => Math.max(width, ...lines.map((cells) => cells[column]?.length ?? 0)));
    this.#widths = widths;
    const padded = lines.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
    this.#write(padded.map((line) => `${line.trimEnd()}\n`).join(''));
  }
}

/** Texts of one form, so that they can be compared as they are. */
function byTime(one: AuditRecord, other: AuditRecord): number {
  return one.time < other.time ? -1 : one.time > other.time ? 1 : 0;
}

function cellsOf(record: AuditRecord): readonly string[] {
  const { time, outcome, action, principal, edge, service, path, remote } = record;
  const what = [service, path].filter((text) => text !== undefined).join(' ');
  const who = principal === '' ? `(${remote ?? 'unknown'})` : principal;
  return [time, outcome, action, who, edge ?? '-', what === '' ? '-' : what, detailOf(record)].map(shown);
}

function detailOf({ principal, code, reason, rule, remote, bytes, durationMs, count, replica }: AuditRecord): string {
  return [
    ...(count === undefined ? [] : [`${count} times`]),
    ...(code === undefined ? [] : [code]),
    ...(reason === undefined ? [] : [reason]),
    ...(rule === undefined ? [] : [`by ${rule}`]),
    ...(bytes === undefined ? [] : [`${bytes} bytes`]),
    ...(durationMs === undefined ? [] : [`${durationMs} ms`]),
    ...(remote === undefined || principal === '' ? [] : [`from ${remote}`]),
    `at ${replica}`,
  ].join(', ');
}

/** What a peer put in must not move the cursor of whoever looks. */
function shown(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
