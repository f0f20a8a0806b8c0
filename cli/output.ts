import { formatYaml } from '../base/index.ts';
import type { CommandInput, OptionSpec } from './command-line.ts';
import { print } from './terminal.ts';

/** `--output`, the same for every command that shows objects. */
export const outputOption: OptionSpec = {
  flags: '-o, --output FORMAT',
  help: 'how to show it',
  choices: ['table', 'json', 'yaml', 'name'],
  default: 'table',
};

/** What a command shows. */
export interface Shown {
  /** For `json` and `yaml`. */
  readonly value: unknown;
  /** For `name`: one a line. */
  readonly names: readonly string[];
  /** For `table`, as text; made only when it is wanted. */
  readonly text: () => string;
}

export function show(input: CommandInput, { value, names, text }: Shown): void {
  const format = input.text('output');
  if (format === 'json') print(`${JSON.stringify(value, undefined, 2)}\n`);
  else if (format === 'yaml') print(formatYaml(value));
  else if (format === 'name') print(names.map((name) => `${name}\n`).join(''));
  else print(text());
}

/** Columns as wide as their widest cell. The head is bold on a terminal, unless `NO_COLOR` is set. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [strong(line(head)), ...rows.map(line)].map((text) => `${text}\n`).join('');
}

/** How long ago a time was, as a person says it: `12s`, `4m`, `3h`, `5d`. */
export function ago(time: string | undefined, now = Date.now()): string {
  if (time === undefined) return '-';
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (Number.isNaN(seconds)) return '-';
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

function strong(text: string): string {
  const colour = process.stdout.isTTY && !process.env['NO_COLOR'];
  return colour ? `\u001B[1m${text}\u001B[22m` : text;
}
