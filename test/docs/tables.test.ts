import { test } from 'tap';
import { readPage, rowsWithoutProse } from './pages.ts';
import { allCodes, pageTables, withTables } from './tables.ts';

const tables = await pageTables();

for (const page of new Set(tables.map((table) => table.page))) {
  test(`the tables of ${page} are what the code says; \`npm run docs\` writes them`, (t) => {
    const text = readPage(page);
    t.equal(text, withTables(page, tables));
    for (const table of tables.filter((table) => table.page === page && table.prose === true)) {
      t.strictSame(rowsWithoutProse(text, table), [], `every row of ${table.name} is explained`);
    }
    t.end();
  });
}

test('an error code stands in one table only, and reads as one', (t) => {
  const seen = new Map<string, string>();
  for (const { table, code, entry } of allCodes) {
    t.notOk(seen.has(code), `${code} of ${table} stands in ${seen.get(code)} too`);
    seen.set(code, table);
    t.match(code, /^[a-z]+(-[a-z]+)*$/u);
    for (const text of [entry.text, entry.fix]) t.match(text, /^[^A-Z.].*[^.]$/u, `${code}: a phrase, no full stop`);
  }
  t.end();
});
