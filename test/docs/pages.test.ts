import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'tap';
import { root } from '../tooling/imports.ts';
import { codeBlocks, pages, readPage } from './pages.ts';
import { allCodes } from './tables.ts';

const run = promisify(execFile);
/** What each help lists. */
const known = new Map<string, Promise<string[]>>();

test('every link between the pages leads somewhere', (t) => {
  for (const page of pages()) {
    for (const [, target = ''] of readPage(page).matchAll(/\]\(([^)\s]+)\)/gu)) {
      if (target.startsWith('https:')) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      t.ok(existsSync(join(root, file)), `${page}: ${target}`);
      if (anchor !== undefined) t.ok(anchorsOf(file).includes(anchor), `${page}: ${target}`);
    }
  }
  t.end();
});

test('decisions are numbered without a gap, and say context, decision, what was rejected and consequence', (t) => {
  const decisions = pages().filter((page) => page.startsWith('docs/decisions/'));
  for (const [index, page] of decisions.entries()) {
    t.equal(basename(page).slice(0, 4), String(index + 1).padStart(4, '0'), page);
    const headings = [...readPage(page).matchAll(/^#+ (.*)$/gmu)].map(([, heading = '']) => heading);
    t.match(headings[0], new RegExp(`^${index + 1}\\. `, 'u'));
    t.strictSame(headings.slice(1), ['Context', 'Decision', 'Rejected', 'Consequence'], page);
  }
  t.end();
});

test('every command that a page or an error names exists', async (t) => {
  const texts = [
    ...pages().flatMap((page) => [
      ...inlineCode(readPage(page)),
      ...codeBlocks(readPage(page)).map(({ text }) => text),
    ]),
    ...allCodes.flatMap(({ entry }) => inlineCode(entry.fix)),
  ];
  const named = new Set(
    texts.flatMap((text) =>
      [...text.matchAll(/(?:^|[\s/])causeway ((?:[a-z][a-z-]+)(?: [a-z]+)?)/gmu)].map(([, words = '']) => words),
    ),
  );
  const top = await commandsIn([]);
  t.ok(named.size > 10);
  for (const words of named) {
    const [first = '', second = ''] = words.split(' ');
    t.ok(top.includes(first), `causeway ${first}`);
    if (['node', 'gateway', 'agent'].includes(first))
      t.ok((await commandsIn([first])).includes(second), `causeway ${words}`);
  }
});

/** The commands that the help of a command lists. */
function commandsIn(words: readonly string[]): Promise<string[]> {
  const key = words.join(' ');
  const found =
    known.get(key) ??
    run(join(root, 'bin/causeway'), [...words, '--help']).then(({ stdout }) => {
      const list = stdout.slice(stdout.indexOf('\nCommands:'));
      return [...list.matchAll(/^ {2}([a-z][a-z-]*)/gmu)].map(([, name = '']) => name);
    });
  known.set(key, found);
  return found;
}

/** The anchors of a page, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...readPage(page).matchAll(/^#+ (.*)$/gmu)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function inlineCode(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/gu)].map(([, code = '']) => code);
}
