import t from 'tap';
import { parseYamlDocuments } from '../../base/index.ts';

t.test('several documents of one text are read, each with its lines; empty ones are left out', async (t) => {
  const documents = parseYamlDocuments('a: 1\n---\n---\n# nothing\n---\nb:\n  c: 2\n');
  if ('problems' in documents) throw new Error('problems');
  t.same(
    documents.map(({ value }) => value),
    [{ a: 1 }, { b: { c: 2 } }],
  );
  t.equal(documents[1]?.lineOf(['b', 'c']), 7);
  t.same(parseYamlDocuments(''), []);
});

t.test('what is wrong in any of them is told with its line', async (t) => {
  t.match(parseYamlDocuments('a: 1\n---\nb: 1\nb: 2\n'), { problems: [{ line: 4 }] });
  t.match(parseYamlDocuments('a: 1\n---\nb: [\n'), { problems: [{ message: String }] });
  const laughs = [
    'a: &a [x, x, x, x, x, x, x, x, x]',
    'b: &b [*a, *a, *a, *a, *a, *a, *a, *a]',
    'c: [*b, *b, *b, *b, *b, *b]',
  ];
  t.match(parseYamlDocuments(laughs.join('\n')), { problems: [{ line: 1 }] });
});
