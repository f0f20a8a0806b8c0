import t from 'tap';

import { formatLabelSelector, parseLabelSelector } from '../../../resources/collection/label-selector.ts';
import { matches } from '../../../resources/collection/selector.ts';

t.test('label selectors are read as Kubernetes reads them', async (t) => {
  const cases: Record<string, unknown> = {
    '': [],
    '  ': [],
    'a=b': [{ key: 'a', operator: 'In', values: ['b'] }],
    'a == b': [{ key: 'a', operator: 'In', values: ['b'] }],
    'a!=b': [{ key: 'a', operator: 'NotIn', values: ['b'] }],
    'a=': [{ key: 'a', operator: 'In', values: [''] }],
    'a=,b': [
      { key: 'a', operator: 'In', values: [''] },
      { key: 'b', operator: 'Exists' },
    ],
    ' a in ( x , y ,x) ': [{ key: 'a', operator: 'In', values: ['x', 'y'] }],
    'a notin(x)': [{ key: 'a', operator: 'NotIn', values: ['x'] }],
    'a in (,x)': [{ key: 'a', operator: 'In', values: ['', 'x'] }],
    'in in (in,notin)': [{ key: 'in', operator: 'In', values: ['in', 'notin'] }],
    'notin': [{ key: 'notin', operator: 'Exists' }],
    '!a, b': [
      { key: 'a', operator: 'DoesNotExist' },
      { key: 'b', operator: 'Exists' },
    ],
    'app.kubernetes.io/name=x_y.z-1': [{ key: 'app.kubernetes.io/name', operator: 'In', values: ['x_y.z-1'] }],
  };
  for (const [text, expected] of Object.entries(cases)) {
    const requirements = parseLabelSelector(text);
    t.strictSame(requirements, expected, text);
    t.strictSame(parseLabelSelector(formatLabelSelector(requirements)), expected, `again: ${text}`);
  }
});

t.test('what is no label selector is refused with its place', async (t) => {
  const cases: Record<string, RegExp> = {
    ',': /"," at character 1: a label key/,
    'a,': /the end at character 3: a label key/,
    'a b': /"b" at character 3: one of =, ==/,
    'a=b=c': /"=" at character 4: a comma or the end/,
    'a=b c': /"c" at character 5/,
    'a in x': /"x" at character 6: an opening parenthesis/,
    'a in ()': /"\)" at character 7: at least one value/,
    'a in (x': /the end at character 8: a comma or a closing/,
    'a in (x y)': /"y" at character 9/,
    '!': /the end at character 2: a label key/,
    '!a=b': /"=" at character 3/,
    '-a=b': /"-a" at character 1: the name of a label key/,
    'a=-b': /"-b" at character 3: a label value/,
    'A/b=c': /the part of a label key before the slash/,
    'a/b/c': /the name of a label key/,
    '/a': /before the slash/,
    'a/': /the name of a label key/,
    'a>1': /"a>1" at character 1/,
    ['k'.repeat(64)]: /1 to 63/,
    [`k=${'v'.repeat(64)}`]: /at most 63/,
    ['a,'.repeat(10_000)]: /20000 characters, at most 16384/,
  };
  for (const [text, message] of Object.entries(cases)) {
    t.throws(() => parseLabelSelector(text), { code: 'selector-invalid', status: 400, message }, text.slice(0, 20));
  }
});

t.test('objects match by their labels; `!=` and `notin` hold for what has no such label', async (t) => {
  const labels = { app: 'web', tier: '', ['constructor']: 'x' };
  const cases: Record<string, boolean> = {
    '': true,
    'app=web': true,
    'app=api': false,
    'app in (api,web)': true,
    'app notin (api)': true,
    'app notin (web)': false,
    'app!=web': false,
    'zone!=a': true,
    'zone notin (a)': true,
    'zone in (a)': false,
    'zone=': false,
    'tier=': true,
    'tier': true,
    '!tier': false,
    'zone': false,
    '!zone': true,
    'app=web,!zone': true,
    'app=web,zone': false,
    'constructor=x': true,
    'toString': false,
  };
  for (const [text, expected] of Object.entries(cases)) {
    const selector = { labels: parseLabelSelector(text), fields: [] };
    t.equal(matches(selector, { namespace: '', name: 'a', labels, fields: {} }), expected, text);
  }
});
