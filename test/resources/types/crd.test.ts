import t from 'tap';
import { checkDefinition } from '../../../resources/types/crd-check.ts';
import { loadDefinitions, typesOfDefinition } from '../../../resources/types/crd.ts';

const text = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd], categories: [all]}
  versions:
  - name: v1beta1
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object}}
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    selectableFields: [{jsonPath: .spec.colour}]
    additionalPrinterColumns:
    - {name: Colour, type: string, jsonPath: .spec.colour, description: Its colour.}
    - {name: Old, type: date, jsonPath: .metadata.creationTimestamp, priority: 1}
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {colour: {type: string}}}}
  - name: v1alpha1
    served: false
    storage: false
    schema: {openAPIV3Schema: {type: object}}
`;

const gadgets = text.replaceAll('widgets', 'gadgets').replaceAll('Widget', 'Gadget');

/** A valid definition as an object, changed at one place. */
function definition(change: (spec: Record<string, unknown>, version: Record<string, unknown>) => void = () => {}) {
  const version: Record<string, unknown> = {
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: 'object' } },
  };
  const spec: Record<string, unknown> = {
    group: 'example.com',
    scope: 'Cluster',
    names: { plural: 'widgets', kind: 'Widget' },
    versions: [version],
  };
  change(spec, version);
  return { kind: 'CustomResourceDefinition', metadata: { name: 'widgets.example.com' }, spec };
}

t.test('a definition becomes a type for each served version, the preferred first', async (t) => {
  const types = loadDefinitions(text, 'crds.yaml');
  t.same(
    types.map(({ version, hasStatus, storageVersion }) => ({ version, hasStatus, storageVersion })),
    [
      { version: 'v1', hasStatus: true, storageVersion: 'v1' },
      { version: 'v1beta1', hasStatus: false, storageVersion: 'v1' },
    ],
  );
  t.match(types[0], {
    group: 'example.com',
    resource: 'widgets',
    singular: 'widget',
    kind: 'Widget',
    listKind: 'WidgetList',
    shortNames: ['wd'],
    categories: ['all'],
    namespaced: true,
    selectableFields: ['spec.colour'],
    columns: [
      { name: 'Colour', type: 'string', priority: 0, value: '.spec.colour', description: 'Its colour.' },
      { name: 'Old', type: 'date', priority: 1, value: '.metadata.creationTimestamp' },
    ],
  });
});

t.test('a file may hold several definitions, and empty documents', async (t) => {
  const types = loadDefinitions(`${text}\n---\n# nothing\n---\n${gadgets}`, 'crds.yaml');
  t.same(
    types.map(({ resource, version }) => `${resource} ${version}`),
    ['widgets v1', 'widgets v1beta1', 'gadgets v1', 'gadgets v1beta1'],
  );
});

t.test('what is wrong in a file is told with the file, the line and the field', async (t) => {
  const fails = (yaml: string, message: RegExp) =>
    t.throws(() => loadDefinitions(yaml, 'crds.yaml'), { code: 'definition-invalid', message });
  fails(
    text.replace('scope: Namespaced', 'scope: Galaxy'),
    /crds\.yaml:7: widgets\.example\.com: spec\.scope: .*"Galaxy"/,
  );
  fails(
    `${text}---\n${gadgets.replace('type: date', 'type: epoch')}`,
    /crds\.yaml:51: .*additionalPrinterColumns\[1\]\.type/,
  );
  fails('a: [', /crds\.yaml:1: /);
  fails('kind: Pod', /crds\.yaml:1: kind: must be CustomResourceDefinition/);
  fails(`${text}---${text}`, /widgets\.example\.com\/v1 is defined twice/);
});

t.test('every field that is wrong is named', async (t) => {
  const rows: [Parameters<typeof definition>[0], string][] = [
    [(spec) => delete spec['group'], 'spec.group FieldValueRequired'],
    [(spec) => (spec['group'] = 'nodot'), 'spec.group FieldValueInvalid'],
    [(spec) => delete spec['names'], 'spec.names FieldValueRequired'],
    [(spec) => (spec['names'] = { plural: 'widgets' }), 'spec.names.kind FieldValueRequired'],
    [(spec) => (spec['names'] = { plural: 'Wid gets', kind: 'Widget' }), 'spec.names.plural FieldValueInvalid'],
    [(spec) => (spec['names'] = { plural: 'gadgets', kind: 'Widget' }), 'metadata.name FieldValueInvalid'],
    [(spec) => (spec['conversion'] = { strategy: 'Webhook' }), 'spec.conversion.strategy FieldValueNotSupported'],
    [(spec) => (spec['versions'] = []), 'spec.versions FieldValueRequired'],
    [(spec) => (spec['versions'] = ['v1']), 'spec.versions[0] FieldValueTypeInvalid'],
    [(_, version) => (version['storage'] = false), 'spec.versions FieldValueInvalid'],
    [(_, version) => delete version['served'], 'spec.versions[0].served FieldValueRequired'],
    [(_, version) => delete version['schema'], 'spec.versions[0].schema.openAPIV3Schema FieldValueRequired'],
    [
      (_, version) => (version['subresources'] = { status: true }),
      'spec.versions[0].subresources.status FieldValueTypeInvalid',
    ],
    [
      (_, version) => (version['additionalPrinterColumns'] = [{ name: 'A', type: 'string', jsonPath: '.a..b' }]),
      'spec.versions[0].additionalPrinterColumns[0].jsonPath FieldValueInvalid',
    ],
    [
      (_, version) => (version['selectableFields'] = [{ jsonPath: '.spec.none' }]),
      'spec.versions[0].selectableFields[0].jsonPath FieldValueInvalid',
    ],
  ];
  t.same(checkDefinition(definition()), []);
  for (const [change, expected] of rows) {
    const errors = checkDefinition(definition(change)).map(({ field, reason }) => `${field} ${reason}`);
    t.ok(errors.includes(expected), `${expected}, of ${errors.join(', ')}`);
  }
  t.same(
    checkDefinition({ kind: 'CustomResourceDefinition' }).map(({ field }) => field),
    ['spec'],
  );
});

t.test('a schema has to be structural and bounded', async (t) => {
  const of = (schema: object): string[] =>
    checkDefinition(definition((_, version) => (version['schema'] = { openAPIV3Schema: schema }))).map(
      ({ field, reason }) => `${field.replace('spec.versions[0].schema.openAPIV3Schema', '')} ${reason}`,
    );
  const inSpec = (part: object): string[] => of({ type: 'object', properties: { a: part } });
  t.same(inSpec({ type: 'string' }), []);
  t.same(inSpec({ 'x-kubernetes-int-or-string': true, 'anyOf': [{ type: 'integer' }, { type: 'string' }] }), []);
  t.same(of({ type: 'array' })[0], '.type FieldValueNotSupported');
  t.same(inSpec({}), ['.properties.a.type FieldValueRequired']);
  t.same(inSpec({ type: 'text' }), ['.properties.a.type FieldValueNotSupported']);
  t.same(inSpec({ type: 'array' }), ['.properties.a.items FieldValueRequired']);
  t.same(inSpec({ type: 'string', $ref: '#/x' }), ['.properties.a.$ref FieldValueForbidden']);
  t.same(inSpec({ type: 'object', properties: {}, additionalProperties: { type: 'string' } }), [
    '.properties.a.additionalProperties FieldValueForbidden',
  ]);
  t.same(inSpec({ type: 'string', pattern: '(' }), ['.properties.a.pattern FieldValueInvalid']);
  t.same(inSpec({ type: 'string', pattern: 'a'.repeat(3000) }), ['.properties.a.pattern FieldValueInvalid']);
  t.same(inSpec({ type: 'string', maxLength: -1 }), ['.properties.a.maxLength FieldValueInvalid']);
  t.same(inSpec({ type: 'string', anyOf: [{ pattern: '(' }] }), ['.properties.a.anyOf[0].pattern FieldValueInvalid']);
  t.same(inSpec({ type: 'integer', minimum: '1' }), ['.properties.a.minimum FieldValueTypeInvalid']);
  const deep: object = JSON.parse(`${'{"type":"array","items":'.repeat(90)}{"type":"string"}${'}'.repeat(90)}`);
  t.equal(inSpec(deep).length, 1, 'told once');
  t.match(inSpec(deep)[0], /FieldValueForbidden/);
});

t.test('a definition that is not valid makes no types and says why, field by field', async (t) => {
  const bad = definition((spec) => (spec['scope'] = 'Galaxy'));
  t.throws(() => typesOfDefinition(bad), {
    code: 'definition-invalid',
    status: 422,
    causes: [{ field: 'spec.scope', reason: 'FieldValueNotSupported' }],
  });
});
