import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** One import or re-export, as it stands in a file. */
export interface Import {
  /** The importing file, relative to the checkout. */
  readonly from: string;
  /** The imported file, relative to the checkout, or a package's name. */
  readonly to: string;
  readonly kind: 'file' | 'package' | 'builtin';
  /** Erased before the program runs. */
  readonly typeOnly: boolean;
}

const statement = /^[ \t]*(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^'\n]+)'/gm;
const expression = /\bimport\(\s*'([^'\n]+)'/g;

/** Every TypeScript file below a folder of the checkout, relative to the checkout. */
export function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .filter((path) => !path.includes('node_modules/') && !path.includes('/dist/'))
    .toSorted();
}

/** The imports of one file, static and dynamic, types too. */
export function importsOf(path: string): Import[] {
  return parseImports(path, readFileSync(join(root, path), 'utf8'));
}

export function parseImports(path: string, text: string): Import[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^[ \t]*\/\/.*$/gm, '');
  const found: Import[] = [];
  for (const [whole, type, to = ''] of code.matchAll(statement)) {
    found.push(resolve(path, to, type !== undefined || onlyInlineTypes(whole)));
  }
  for (const [, to = ''] of code.matchAll(expression)) found.push(resolve(path, to, false));
  return found;
}

/** `import { type A, type B } from` imports nothing that runs. */
function onlyInlineTypes(text: string): boolean {
  const names = /\{([^}]*)\}/
    .exec(text)?.[1]
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith('type '));
}

function resolve(from: string, to: string, typeOnly: boolean): Import {
  if (to.startsWith('.')) return { from, to: normalize(join(dirname(from), to)), kind: 'file', typeOnly };
  if (to.startsWith('node:')) return { from, to, kind: 'builtin', typeOnly };
  const name = to
    .split('/')
    .slice(0, to.startsWith('@') ? 2 : 1)
    .join('/');
  return { from, to: name, kind: 'package', typeOnly };
}
