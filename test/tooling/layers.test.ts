import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { importsOf, parseImports, root, sourcesIn, type Import } from './imports.ts';
import { layers, outside, sharedPackages } from './layers.ts';

const folders = Object.keys(layers).filter((folder) => existsSync(join(root, folder)));
const imports = folders.flatMap((folder) => sourcesIn(folder).flatMap(importsOf));
const folderOf = (path: string): string => path.split('/')[0] ?? '';

test('every folder with code stands in the table of layers', (t) => {
  const known = new Set([...Object.keys(layers), ...outside]);
  const unknown = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .filter((name) => name !== 'node_modules' && name !== 'dist' && name !== 'coverage' && !known.has(name))
    .filter((name) => sourcesIn(name).length > 0);
  t.strictSame(unknown, []);
  t.end();
});

test('folders import along the arrows only, and enter each other by index.ts', (t) => {
  const wrong = imports.filter((each) => each.kind === 'file' && !isAllowed(each));
  t.strictSame(
    wrong.map(({ from, to, typeOnly }) => `${from} imports ${typeOnly ? 'types of ' : ''}${to}`),
    [],
  );
  t.end();
});

test('each third-party package is imported by one file', (t) => {
  const importers = new Map<string, Set<string>>();
  for (const { from, to, kind } of imports) {
    if (kind !== 'package' || sharedPackages[to]?.includes(from) === true) continue;
    importers.set(to, (importers.get(to) ?? new Set()).add(from));
  }
  const spread = [...importers].filter(([, files]) => files.size > 1);
  t.strictSame(
    spread.map(([name, files]) => `${name} is imported by ${[...files].join(', ')}`),
    [],
  );
  t.end();
});

test('the check reads imports in all their forms', (t) => {
  const text = [
    "import { a } from './a.ts';",
    "import type { B } from '../base/index.ts';",
    "import {\n  type C,\n  type D,\n} from '../base/c.ts';",
    "export { e, type F } from '../tunnel/index.ts';",
    "import 'ws';",
    "import x509 from '@peculiar/x509/build';",
    "const late = await import('../gateway/index.ts');",
    "// import { no } from 'comment';",
    "/* import { no } from 'comment'; */",
    "import { readFileSync } from 'node:fs';",
  ].join('\n');
  t.strictSame(
    parseImports('sdk/x.ts', text).map(({ to, kind, typeOnly }) => [to, kind, typeOnly]),
    [
      ['sdk/a.ts', 'file', false],
      ['base/index.ts', 'file', true],
      ['base/c.ts', 'file', true],
      ['tunnel/index.ts', 'file', false],
      ['ws', 'package', false],
      ['@peculiar/x509', 'package', false],
      ['node:fs', 'builtin', false],
      ['gateway/index.ts', 'file', false],
    ],
  );
  t.end();
});

function isAllowed({ from, to, typeOnly }: Import): boolean {
  const source = folderOf(from);
  const target = folderOf(to);
  if (source === target) return true;
  const layer = layers[source];
  if (layer?.mayStart?.includes(to) === true) return true;
  if (to === 'package.json') return true;
  const allowed = typeOnly ? [...(layer?.mayImport ?? []), ...(layer?.mayImportTypes ?? [])] : layer?.mayImport;
  return allowed?.includes(target) === true && to === `${target}/index.ts`;
}
