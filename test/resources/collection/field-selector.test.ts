import t from 'tap';

import { formatFieldSelector, parseFieldSelector } from '../../../resources/collection/field-selector.ts';
import { matches } from '../../../resources/collection/selector.ts';
import { heldPod, podType } from './sample.ts';

t.test('field selectors are read as Kubernetes reads them, escapes included', async (t) => {
  const cases: Record<string, unknown> = {
    '': [],
    ',,': [],
    'metadata.name=x': [{ path: 'metadata.name', operator: '=', value: 'x' }],
    'metadata.name==x,spec.nodeName!=y': [
      { path: 'metadata.name', operator: '=', value: 'x' },
      { path: 'spec.nodeName', operator: '!=', value: 'y' },
    ],
    'status.phase=': [{ path: 'status.phase', operator: '=', value: '' }],
    [String.raw`metadata.name=a\,b\=c\\`]: [{ path: 'metadata.name', operator: '=', value: 'a,b=c\\' }],
    'metadata.name=a b!': [{ path: 'metadata.name', operator: '=', value: 'a b!' }],
  };
  for (const [text, expected] of Object.entries(cases)) {
    const requirements = parseFieldSelector(text, podType);
    t.strictSame(requirements, expected, text);
    t.strictSame(parseFieldSelector(formatFieldSelector(requirements), podType), expected, `again: ${text}`);
  }
});

t.test('what is no field selector is refused with its place, an unknown field with those that are known', async (t) => {
  const cases: Record<string, RegExp> = {
    'metadata.name': /character 1: "metadata.name" is not of the form/,
    'metadata.name=x,y': /character 17: "y" is not/,
    'metadata.name=a=b': /character 16: an equals sign/,
    [String.raw`metadata.name=\x`]: /character 15: a backslash/,
    'metadata.name=x\\': /character 16: a backslash/,
    'spec.host=x':
      /field label not supported: "spec.host"; supported: metadata.name, metadata.namespace, spec.nodeName, status.phase/,
    ' metadata.name=x': /not supported: " metadata.name"/,
    '=x': /not supported: ""/,
    ['metadata.name=x,'.repeat(2000)]: /32000 characters/,
  };
  for (const [text, message] of Object.entries(cases)) {
    t.throws(
      () => parseFieldSelector(text, podType),
      { code: 'selector-invalid', status: 400, message },
      text.slice(0, 20),
    );
  }
});

t.test('objects match by their fields; a missing one is the default, else empty', async (t) => {
  const object = heldPod('a', 1, { node: 'n1' });
  const cases: Record<string, boolean> = {
    'metadata.name=a': true,
    'metadata.name!=a': false,
    'metadata.namespace=default,spec.nodeName=n1': true,
    'spec.nodeName!=n1': false,
    'spec.nodeName=n2': false,
    'status.phase=': true,
    'status.phase!=Running': true,
    'spec.hostNetwork=false': true,
    'spec.hostNetwork=true': false,
  };
  for (const [text, expected] of Object.entries(cases))
    t.equal(matches({ labels: [], fields: parseFieldSelector(text, podType) }, object), expected, text);
});
