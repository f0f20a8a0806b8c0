/** Writes the tables of the pages that the code decides: `npm run docs`. What a person wrote stays. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../tooling/imports.ts';
import { readPage } from './pages.ts';
import { pageTables, withTables } from './tables.ts';

const tables = await pageTables();
for (const page of new Set(tables.map((table) => table.page))) {
  const text = withTables(page, tables);
  if (text === readPage(page)) continue;
  writeFileSync(join(root, page), text);
  console.log(`${page} written`);
}
