import { test } from 'tap';
import { ListSplitter } from '../../../resources/client/list-splitter.ts';

/** A small generator, so that a failure can be run again by its seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const texts = [
  '',
  'a',
  '"',
  '\\',
  '\\"',
  '{',
  '}',
  ']',
  '[',
  ',',
  ':',
  'items',
  'ü€😀',
  '\n\t',
  '{"items":[{}]}',
  '\u2028',
];

function randomValue(random: (below: number) => number, depth: number): unknown {
  const kind = random(depth > 3 ? 4 : 6);
  if (kind === 0) return random(1000) / 8;
  if (kind === 1) return [true, false, null][random(3)];
  if (kind < 4) return texts[random(texts.length)];
  const length = random(4);
  if (kind === 4) return Array.from({ length }, () => randomValue(random, depth + 1));
  return randomObject(random, depth, length);
}

function randomObject(random: (below: number) => number, depth: number, length: number): Record<string, unknown> {
  const keys = ['metadata', 'items', '', 'a"b', 'c\\', 'spec', '{'];
  const entries = Array.from({ length }, (): [string, unknown] => [
    keys[random(keys.length)] ?? '',
    randomValue(random, depth + 1),
  ]);
  return Object.fromEntries(entries);
}

function split(bytes: Buffer, cut: () => number): { list: unknown; items: Buffer[] } {
  const items: Buffer[] = [];
  const splitter = new ListSplitter({ onItem: (item) => items.push(item) });
  for (let at = 0; at < bytes.length;) {
    const size = Math.max(1, cut());
    // A chunk that is used again by its owner must not change what was read.
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    splitter.push(chunk);
    chunk.fill(0x58);
    at += size;
  }
  return { list: splitter.end(), items };
}

test('any list in any chunks splits into what JSON.parse makes of it', (t) => {
  for (let seed = 1; seed <= 1500; seed++) {
    const random = randomOf(seed);
    const items = Array.from({ length: random(6) }, () => randomObject(random, 0, random(5)));
    const before = { kind: 'PodList', ...(random(2) === 0 ? { metadata: randomObject(random, 1, 3) } : {}) };
    const after = random(2) === 0 ? {} : { last: randomValue(random, 0), deep: { items: [1, { items: [] }] } };
    const { items: _items, ...other } = { ...before, ...after } as Record<string, unknown>;
    const text = JSON.stringify({ ...other, items, ...after }, undefined, [0, 2, '\t'][random(3)]);
    const escaped = random(4) === 0 ? text.replace(/^(\s*\{(?:.|\n)*?)"kind"/u, '$1"k\\u0069nd"') : text;
    const got = split(Buffer.from(escaped), () => random(random(2) === 0 ? 3 : 40));
    const expected = JSON.parse(escaped);
    const all = { ...(got.list as object), items: got.items.map((item) => JSON.parse(String(item)) as unknown) };
    if (JSON.stringify(sorted(all)) !== JSON.stringify(sorted(expected))) t.fail(`seed ${seed}: ${escaped}`);
    for (const item of got.items) if (!escaped.includes(String(item))) t.fail(`seed ${seed}: an item was changed`);
  }
  t.pass('all seeds');
  t.end();
});

function sorted(value: unknown): unknown {
  return Object.fromEntries(Object.entries(value ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

test('whatever JSON.parse refuses is refused, by the splitter or by an item', (t) => {
  const whole = JSON.stringify({
    kind: 'L',
    metadata: { a: '}"]' },
    items: [{ a: [1, '{'] }, { b: { c: 'd' } }],
    z: [{}],
  });
  const marks = ['', '{', '}', '[', ']', ',', ':', '"', '\\', 'x', '1'];
  let refused = 0;
  for (let at = 0; at < whole.length; at++) {
    for (const mark of marks) {
      const text = whole.slice(0, at) + mark + whole.slice(at + 1);
      const expected = attempt(() => JSON.parse(text) as unknown);
      const got = attempt(() => {
        const { list, items } = split(Buffer.from(text), () => 7);
        return {
          ...(list as object),
          ...(items.length > 0 ? { items: items.map((item) => JSON.parse(String(item)) as unknown) } : {}),
        };
      });
      if (expected === undefined) refused++;
      // It may be stricter: `items` twice, or items that are no objects.
      if (got !== undefined && JSON.stringify(sorted(got)) !== JSON.stringify(sorted(expected)))
        t.fail(`${text} was taken as ${JSON.stringify(got)}`);
    }
  }
  t.ok(refused > 500, 'most of these are no JSON');
  t.end();
});

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

test('`items` is found however it is written, and only in the list itself', (t) => {
  const of = (text: string) => split(Buffer.from(text), () => 5).items.map(String);
  t.strictSame(of('{"\\u0069tems" : [ {"a":1} , {} ] }'), ['{"a":1}', '{}']);
  t.strictSame(of('{"metadata":{"items":[{}]},"items":[]}'), []);
  t.strictSame(of('{"a":"items","items":[{}]}'), ['{}']);
  t.strictSame(of('{"items":null}'), []);
  t.throws(() => of('{"items":[{}],"items":[{}]}'), { code: 'answer-malformed' });
  t.throws(() => of('{"items":[1]}'), { code: 'answer-malformed' });
  t.throws(() => of('{"items":[{},]}'), { code: 'answer-malformed' });
  t.throws(() => of('{"items":[{}'), { code: 'answer-malformed' });
  t.throws(() => of('{"items":[{}]'), { code: 'answer-malformed' });
  t.throws(() => of('<html>'), { code: 'answer-malformed' });
  t.throws(() => of('[]'), { code: 'answer-malformed' });
  t.throws(() => of(''), { code: 'answer-malformed' });
  t.end();
});

test('an item, and what stands around the items, is bounded before it is held', (t) => {
  const items: Buffer[] = [];
  const item = new ListSplitter({ maxItemBytes: 100, onItem: (each) => items.push(each) });
  item.push(Buffer.from('{"items":[{"a":"'));
  t.throws(
    () => {
      for (let i = 0; i < 100; i++) item.push(Buffer.from('x'.repeat(10)));
    },
    { code: 'answer-too-large' },
  );
  const envelope = new ListSplitter({ maxEnvelopeBytes: 100, onItem: (each) => items.push(each) });
  t.throws(
    () => {
      for (let i = 0; i < 100; i++) envelope.push(Buffer.from(' '.repeat(10)));
    },
    { code: 'answer-too-large' },
  );
  t.equal(items.length, 0);
  t.end();
});
