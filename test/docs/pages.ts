import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../tooling/imports.ts';

/** A table of a page that the code decides. It stands between `<!-- table NAME -->` and `<!-- end of table -->`. */
export interface PageTable {
  readonly page: string;
  readonly name: string;
  readonly head: readonly string[];
  /** The cells of each row; without the last one where `prose` is set. */
  readonly rows: readonly (readonly string[])[];
  /** The last column is the page's own: it is kept, by the row's first cell. */
  readonly prose?: true;
}

/** A fenced block: what stands behind the fence, and what is in it. */
export interface CodeBlock {
  readonly language: string;
  /** Further words behind the language. */
  readonly traits: readonly string[];
  readonly text: string;
}

/** Every page of the project, relative to the checkout. */
export function pages(): string[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name));
  const others = [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'tunnel/README.md',
    'resources/README.md',
    'resources/feed/README.md',
  ];
  return [...others, ...docs.filter((name) => name.endsWith('.md')).toSorted()];
}

export function readPage(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

/** The page's text with this table as the code has it. Throws where the page has no place for it. */
export function withTable(text: string, table: PageTable): string {
  const [begin, end] = [`<!-- table ${table.name} -->\n`, '<!-- end of table -->'];
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1) throw new Error(`${table.page} has no table ${table.name}`);
  const old = text.slice(from + begin.length, to);
  return `${text.slice(0, from)}${begin}\n${tableText(table, proseIn(old))}\n${text.slice(to)}`;
}

/** Rows whose last cell the page does not fill. */
export function rowsWithoutProse(text: string, table: PageTable): string[] {
  const begin = text.indexOf(`<!-- table ${table.name} -->`);
  const written = proseIn(text.slice(begin, text.indexOf('<!-- end of table -->', begin)));
  return table.rows.map(([first = '']) => first).filter((first) => (written.get(escapeCell(first)) ?? '') === '');
}

export function codeBlocks(text: string): CodeBlock[] {
  return [...text.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gmu)].map(
    ([, language = '', traits = '', block = '']) => {
      return { language, traits: traits.split(' ').filter((trait) => trait !== ''), text: block };
    },
  );
}

function tableText({ head, rows, prose }: PageTable, written: ReadonlyMap<string, string>): string {
  const cells = rows.map((row) => {
    const escaped = row.map(escapeCell);
    return prose === true ? [...escaped, written.get(escaped[0] ?? '') ?? ''] : escaped;
  });
  return [head, head.map(() => '---'), ...cells].map((row) => `| ${row.join(' | ')} |\n`).join('');
}

/** The last cell of each row, by the first. */
function proseIn(table: string): Map<string, string> {
  const rows = table.split('\n').filter((line) => line.startsWith('|'));
  return new Map(
    rows.map((line) => {
      const cells = line
        .slice(1, -1)
        .split(/(?<!\\)\|/u)
        .map((cell) => cell.trim());
      return [cells[0] ?? '', cells.at(-1) ?? ''];
    }),
  );
}

function escapeCell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
}
