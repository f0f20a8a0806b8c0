import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { feedLimits } from '../../resources/index.ts';
import { defaultLimits, FrameDecoder, type Frame } from '../../tunnel/index.ts';
import { isTunnelCode } from '../../tunnel/tunnel-error.ts';
import { root, sourcesIn } from '../tooling/imports.ts';
import { layers, outside } from '../tooling/layers.ts';
import { readPage } from './pages.ts';
import { allCodes } from './tables.ts';

const page = readPage('docs/protocol.md');
const sections = [...page.matchAll(/^## (\d+)\. (.*)$/gmu)].map(([, number, title = '']) => ({
  number: Number(number),
  title,
}));

test('the sections of the protocol are numbered without a gap', (t) => {
  t.strictSame(
    sections.map(({ number }) => number),
    sections.map((_, index) => index + 1),
  );
  t.end();
});

test('every section of the protocol that the code cites is there', (t) => {
  let cited = 0;
  for (const folder of [...Object.keys(layers), ...outside]) {
    for (const file of sourcesInIfThere(folder)) {
      const text = readFileSync(join(root, file), 'utf8');
      for (const [, number, title] of text.matchAll(/protocol\.md, (?:section (\d+)|"([^"\n]+)")/gu)) {
        cited++;
        const found =
          number === undefined
            ? page.includes(`# ${title}`) || hasTitle(title ?? '')
            : Number(number) <= sections.length;
        t.ok(found, `${file} cites ${number ?? title}`);
      }
    }
  }
  t.ok(cited > 5, 'the code cites the protocol');
  t.end();
});

test('the examples of the protocol are frames that a reader takes', (t) => {
  const table = page.slice(page.indexOf('<!-- table examples -->'));
  const rows = [...table.matchAll(/^\| ([A-Z_]+) \| `([0-9a-f ]+)` `([0-9a-f]+)` \|$/gmu)];
  t.ok(rows.length > 5);
  for (const [, name = '', header = '', body = ''] of rows) {
    const frames: Frame[] = [];
    new FrameDecoder(defaultLimits).decode(Buffer.from(header.replaceAll(' ', '') + body, 'hex'), (frame) => {
      frames.push(frame);
      return true;
    });
    t.equal(frames.length, 1, name);
  }
  t.end();
});

test('every limit and every code that the protocol names exists', (t) => {
  const limits = [...page.matchAll(/`((?:max|min)[A-Z]\w+|\w+(?:Bytes|Ms|PerSecond))`/gu)].map(([, name = '']) => name);
  const fields = new Set(['retryAfterMs', 'windowMs']);
  const all = { ...defaultLimits, ...feedLimits };
  for (const name of new Set(limits)) if (!fields.has(name)) t.ok(Object.hasOwn(all, name), name);

  const named = [...page.matchAll(/`([a-z]+(?:-[a-z]+)+)`/gu)].map(([, code = '']) => code);
  const known = new Set(allCodes.map(({ code }) => code));
  for (const code of new Set(named)) t.ok(isTunnelCode(code) || known.has(code), code);
  t.end();
});

function hasTitle(title: string): boolean {
  return new RegExp(`^#+ (?:\\d+\\. )?${title}$`, 'mu').test(page);
}

function sourcesInIfThere(folder: string): string[] {
  try {
    return sourcesIn(folder);
  } catch {
    // A folder that has no code yet.
    return [];
  }
}
