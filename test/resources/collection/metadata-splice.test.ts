import t from 'tap';

import { spliceMetadata, type MetadataEdits } from '../../../resources/collection/metadata-splice.ts';
import { randomFrom, seedOf } from './sample.ts';

const splice = (json: string, edits: MetadataEdits): string => spliceMetadata(Buffer.from(json), edits).toString();

t.test('members of metadata are set in place; everything else stays byte by byte', async (t) => {
  const json =
    ' { "spec" : {"n": 12345678901234567890, "metadata": {"name":"no"}},\n"metadata":{ "name" : "a", "labels":{"x":"1"} } } ';
  t.equal(
    splice(json, {
      name: 'edge-1.a',
      resourceVersion: '7',
      labels: { edge: 'edge-1', x: '2' },
      annotations: { o: 'ä"' },
    }),
    ' { "spec" : {"n": 12345678901234567890, "metadata": {"name":"no"}},\n"metadata":{"resourceVersion":"7","annotations":{"o":"ä\\""}, "name" : "edge-1.a", "labels":{"edge":"edge-1","x":"2"} } } ',
  );
});

t.test('metadata, labels and annotations are made where they are missing or no objects', async (t) => {
  t.equal(splice('{}', { name: 'a' }), '{"metadata":{"name":"a"}}');
  t.equal(splice('{"a":1}', { name: 'a' }), '{"metadata":{"name":"a"},"a":1}');
  t.equal(splice('{"metadata":null}', { name: 'a' }), '{"metadata":{"name":"a"}}');
  t.equal(splice('{"metadata":{}}', { labels: { a: 'b' } }), '{"metadata":{"labels":{"a":"b"}}}');
  t.equal(splice('{"metadata":{"labels":null}}', { labels: { a: 'b' } }), '{"metadata":{"labels":{"a":"b"}}}');
  t.equal(splice('{"metadata":{"labels":{}}}', { labels: { a: 'b' } }), '{"metadata":{"labels":{"a":"b"}}}');
  t.equal(splice('{"metadata":{"name":"a"}}', {}), '{"metadata":{"name":"a"}}');
});

t.test('of equal keys the last counts, however they are written', async (t) => {
  t.equal(
    splice(String.raw`{"metadata":{"name":"a"},"\u006detadata":{"name":"b","n\u0061me":"c"}}`, { name: 'd' }),
    String.raw`{"metadata":{"name":"a"},"\u006detadata":{"name":"b","n\u0061me":"d"}}`,
  );
});

t.test('members are dropped with their commas', async (t) => {
  const drop = ['managedFields', 'x'];
  t.equal(splice('{"metadata":{"managedFields":[{"a":[]}],"name":"a"}}', { drop }), '{"metadata":{"name":"a"}}');
  t.equal(splice('{"metadata":{"name":"a", "managedFields":[]}}', { drop }), '{"metadata":{"name":"a"}}');
  t.equal(splice('{"metadata":{"x":1,"name":"a","x":2,"managedFields":[]}}', { drop }), '{"metadata":{"name":"a"}}');
  t.equal(splice('{"metadata":{"x":1}}', { drop, name: 'a' }), '{"metadata":{"name":"a"}}');
  t.equal(splice('{"metadata":{"x":1 , "x":2 }}', { drop }), '{"metadata":{}}');
});

t.test('the result owns its memory exactly', async (t) => {
  const result = spliceMetadata(Buffer.from('{"metadata":{"name":"a"}}'), { name: 'b' });
  t.equal(result.buffer.byteLength, result.length);
});

t.test('what is no object, or ends too early, is refused', async (t) => {
  const cases = [
    '',
    ' ',
    '[]',
    '"a"',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"metadata":{"name":"a',
    '{"a":[1',
    '{"a" 1}',
    '{a:1}',
    '{"a":}',
    '{"a":1 "b":2}',
    '{"metad\\',
  ];
  for (const json of cases) t.throws(() => splice(json, { name: 'a' }), { code: 'object-unreadable' }, json);
});

t.test('spliced JSON parses to what was parsed, with the same changes made to it', async (t) => {
  const seed = seedOf();
  t.comment(`SEED=${seed}`);
  const random = randomFrom(seed);
  for (let round = 0; round < 3000; round++) {
    const json = randomJson(random);
    const edits = randomEdits(random);
    const expected = JSON.parse(json);
    const isObject =
      typeof expected.metadata === 'object' && expected.metadata !== null && !Array.isArray(expected.metadata);
    if (!isObject) expected.metadata = {};
    const { drop = [], labels, annotations, ...texts } = edits;
    for (const key of drop) delete expected.metadata[key];
    Object.assign(expected.metadata, texts);
    for (const [key, added] of Object.entries({ labels, annotations })) {
      if (added === undefined) continue;
      const before = expected.metadata[key];
      const entries =
        typeof before === 'object' && before !== null && !Array.isArray(before) ? Object.entries(before) : [];
      expected.metadata[key] = Object.fromEntries([...entries, ...Object.entries(added)]);
    }
    const result = splice(json, edits);
    let parsed: unknown;
    try {
      parsed = JSON.parse(result);
    } catch (error) {
      parsed = error;
    }
    // Assertions on each round would take longer than the rounds.
    if (!same(parsed, expected)) {
      t.strictSame(parsed, expected, `${json}\n${JSON.stringify(edits)}\n${result}`);
      return;
    }
  }
  t.pass('3000 rounds');
});

type Random = (below: number) => number;

const keys = [
  'metadata',
  'name',
  'labels',
  'annotations',
  'resourceVersion',
  'x',
  'ä€😀',
  '',
  '__proto__',
  'a"b\\',
  'namespace',
];
const strings = ['', 'a', '"', '\\', '}{][,:', '\n\t', 'ä€😀', '\\"', '\u2028'];

function randomJson(random: Random): string {
  const blank = (): string => ['', '', ' ', '\n', '\t\r '][random(5)] ?? '';
  const text = (value: string): string =>
    random(4) > 0
      ? JSON.stringify(value)
      : `"${Array.from({ length: value.length }, (_, i) => `\\u${value.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`;
  const value = (depth: number): string => {
    const kind = random(depth > 3 ? 5 : 8);
    if (kind < 2) return text(strings[random(strings.length)] ?? '');
    if (kind < 5) return ['null', 'true', '-1.5e+10'][kind - 2] ?? '';
    if (kind === 5)
      return `[${blank()}${Array.from({ length: random(4) }, () => value(depth + 1)).join(`${blank()},`)}${blank()}]`;
    return object(depth);
  };
  const object = (depth: number): string => {
    const members = Array.from({ length: random(5) }, () => {
      // On top mostly metadata, and in it what is edited.
      const key = depth === 0 && random(2) === 0 ? 'metadata' : (keys[random(keys.length)] ?? '');
      const inner = depth < 2 && random(2) === 0 ? object(depth + 1) : value(depth + 1);
      return `${blank()}${text(key)}${blank()}:${blank()}${inner}${blank()}`;
    });
    return `{${blank()}${members.join(',')}${blank()}}`;
  };
  return blank() + object(0) + blank();
}

function randomEdits(random: Random): MetadataEdits {
  const text = (): string => strings[random(strings.length)] ?? '';
  const map = (): Record<string, string> =>
    Object.fromEntries(Array.from({ length: random(3) }, () => [keys[random(keys.length)] ?? '', text()]));
  return {
    ...(random(2) === 0 ? { name: text() } : {}),
    ...(random(2) === 0 ? { resourceVersion: String(random(1000)) } : {}),
    ...(random(3) === 0 ? { labels: map() } : {}),
    ...(random(3) === 0 ? { annotations: map() } : {}),
    ...(random(3) === 0 ? { drop: ['x', 'namespace', '__proto__'].slice(random(3)) } : {}),
  };
}

/** As `JSON.stringify` with sorted keys would say; `__proto__` is a key like any other. */
function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? String(value);
  if (value instanceof Error) return String(value);
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`)
    .sort()
    .join(',')}}`;
}
