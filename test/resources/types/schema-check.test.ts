import t from 'tap';
import type { ObjectSchema } from '../../../resources/types/resource-type.ts';
import { schemaCheckOf, unknownFieldMessage } from '../../../resources/types/schema-check.ts';

/** The check of a schema with this spec. */
function checkOf(spec: ObjectSchema) {
  return schemaCheckOf({ schema: { type: 'object', properties: { spec } } });
}

function errorsOf(spec: ObjectSchema, value: unknown): string[] {
  const check = checkOf(spec);
  const { object } = check.shape({ apiVersion: 'v1', kind: 'X', metadata: { name: 'x' }, spec: value });
  return check.validate(object).map(({ field, reason, message }) => `${field} ${reason} ${message}`);
}

const object = (properties: Record<string, unknown>, rules = {}) => ({ type: 'object', properties, ...rules });

t.test('what is wrong is told with the field, the reason and the value', async (t) => {
  const spec = object(
    {
      cores: { type: 'integer', format: 'int32', minimum: 1 },
      mode: { type: 'string', enum: ['fast', 'slow'] },
      name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
      list: { type: 'array', maxItems: 2, items: object({ port: { type: 'integer' } }, { required: ['port'] }) },
      map: { type: 'object', additionalProperties: { type: 'string' } },
      at: { type: 'string', format: 'date-time' },
      even: { type: 'integer', multipleOf: 2, maximum: 10, exclusiveMaximum: true },
    },
    { required: ['cores'] },
  );
  const rows: [unknown, string[]][] = [
    [{ cores: 1 }, []],
    [{}, ['spec.cores FieldValueRequired Required value']],
    ['x', ['spec FieldValueTypeInvalid Invalid value: "x": must be of type object, not string']],
    [{ cores: '4' }, ['spec.cores FieldValueTypeInvalid Invalid value: "4": must be of type integer, not string']],
    [{ cores: 1.5 }, ['spec.cores FieldValueTypeInvalid Invalid value: 1.5: must be of type integer, not number']],
    [{ cores: 0 }, ['spec.cores FieldValueInvalid Invalid value: 0: must be >= 1']],
    [{ cores: 2 ** 31 }, ['spec.cores FieldValueInvalid Invalid value: 2147483648: must be of format int32']],
    [
      { cores: 1, mode: 'warp' },
      ['spec.mode FieldValueNotSupported Unsupported value: "warp": supported values: "fast", "slow"'],
    ],
    [{ cores: 1, name: 'A' }, ['spec.name FieldValueInvalid Invalid value: "A": must match ^[a-z]+$']],
    [{ cores: 1, name: 'abcdef' }, ['spec.name FieldValueTooLong Too long: may not be more than 5 characters']],
    [{ cores: 1, list: [{ port: 1 }, {}] }, ['spec.list[1].port FieldValueRequired Required value']],
    [
      { cores: 1, list: [{ port: 1 }, { port: 2 }, { port: 3 }] },
      ['spec.list FieldValueTooMany Too many: 3: must have at most 2 items'],
    ],
    [
      { cores: 1, map: { 'a.b/c': 7 } },
      ['spec.map[a.b/c] FieldValueTypeInvalid Invalid value: 7: must be of type string, not number'],
    ],
    [
      { cores: 1, at: 'noon' },
      ['spec.at FieldValueInvalid Invalid value: "noon": must be a time as in 2006-01-02T15:04:05Z (RFC 3339)'],
    ],
    [{ cores: 1, even: 3 }, ['spec.even FieldValueInvalid Invalid value: 3: must be a multiple of 2']],
    [{ cores: 1, even: 10 }, ['spec.even FieldValueInvalid Invalid value: 10: must be < 10']],
  ];
  for (const [value, errors] of rows) t.same(errorsOf(spec, value), errors, JSON.stringify(value));
});

t.test('all errors of an object are told, not only the first', async (t) => {
  const spec = object({ a: { type: 'string' }, b: { type: 'integer' } });
  t.equal(errorsOf(spec, { a: 1, b: 'x' }).length, 2);
});

t.test('the words that Kubernetes adds to schemas are understood', async (t) => {
  const port = { 'x-kubernetes-int-or-string': true };
  t.same(errorsOf(object({ port }), { port: 80 }), []);
  t.same(errorsOf(object({ port }), { port: 'http' }), []);
  t.match(errorsOf(object({ port }), { port: true }), [
    /^spec.port .* must be of type integer or string, not boolean$/,
  ]);
  const since = { type: 'string', format: 'date-time', nullable: true, enum: ['2006-01-02T15:04:05Z'] };
  t.same(errorsOf(object({ since }), { since: null }), [], 'a null that is allowed stays and is valid');
  const either = object(
    { a: { type: 'string' }, b: { type: 'string' } },
    { oneOf: [{ required: ['a'] }, { required: ['b'] }] },
  );
  t.same(errorsOf(either, { a: 'x' }), []);
  t.match(errorsOf(either, { a: 'x', b: 'y' }), [/^spec FieldValueInvalid .*exactly one of the alternatives$/]);
  t.match(errorsOf(object({ a: { type: 'string', not: { enum: ['x'] } } }), { a: 'x' }), [/^spec.a .*rules out$/]);
  t.match(errorsOf(object({ not: { type: 'string' }, anyOf: { type: 'string' } }), { not: 1, anyOf: 2 }), [
    /^spec.not /,
    /^spec.anyOf /,
  ]);
});

t.test('formats of strings are checked, and unknown ones are not', async (t) => {
  const good: [string, string][] = [
    ['quantity', '500m'],
    ['quantity', '2Gi'],
    ['quantity', '1e3'],
    ['byte', 'aGk='],
    ['ipv4', '10.0.0.1'],
    ['ipv6', '::1'],
    ['cidr', '10.0.0.0/8'],
    ['mac', '52:54:00:12:34:56'],
    ['uuid', 'b7f1c2a0-1111-2222-3333-444455556666'],
    ['duration', '1h30m'],
    ['made-up', 'anything'],
  ];
  for (const [format, text] of good) t.same(errorsOf({ type: 'string', format }, text), [], `${format} ${text}`);
  const bad: [string, string][] = [
    ['quantity', '5 GB'],
    ['byte', 'hi!'],
    ['ipv4', '10.0.0.256'],
    ['cidr', '10.0.0.0/33'],
    ['mac', '52:54-00:12:34:56'],
    ['uuid', 'b7f1'],
    ['duration', 'soon'],
  ];
  for (const [format, text] of bad) t.equal(errorsOf({ type: 'string', format }, text).length, 1, `${format} ${text}`);
  t.same(errorsOf({ type: 'string', format: 'quantity' }, 0.5), [], 'a quantity may be a plain number');
});

t.test('items that come twice in a set or in a map are told', async (t) => {
  const byName = {
    'type': 'array',
    'items': object({ name: { type: 'string' }, n: { type: 'integer' } }),
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
  };
  t.same(errorsOf(object({ byName }), { byName: [{ name: 'a' }, { name: 'b' }] }), []);
  t.match(errorsOf(object({ byName }), { byName: [{ name: 'a' }, { name: 'a', n: 1 }] }), [
    /^spec.byName\[1\] FieldValueDuplicate/,
  ]);
  const set = { 'type': 'array', 'items': { type: 'string' }, 'x-kubernetes-list-type': 'set' };
  t.match(errorsOf(object({ set }), { set: ['a', 'b', 'a'] }), [/^spec.set\[2\] .*Duplicate value: "a"$/]);
});

t.test('metadata is checked for every kind, whatever its schema says', async (t) => {
  const check = checkOf({ type: 'object' });
  const object = { apiVersion: 'v1', kind: 'X', metadata: { name: 'x', labels: { a: 1 }, colour: 'red' } };
  const shaped = check.shape(object);
  t.same(shaped.unknown, ['metadata.colour']);
  t.match(check.validate(shaped.object), [{ field: 'metadata.labels.a', reason: 'FieldValueTypeInvalid' }]);
  const narrow = schemaCheckOf({
    schema: { type: 'object', properties: { metadata: { properties: { name: { type: 'string', maxLength: 3 } } } } },
  });
  t.match(narrow.validate({ metadata: { name: 'long' } }), [{ field: 'metadata.name', reason: 'FieldValueTooLong' }]);
});

t.test('unknown fields are taken out and told, and the object that was given is not changed', async (t) => {
  const spec = object({
    known: { type: 'string' },
    list: { type: 'array', items: object({ a: { type: 'string' } }) },
    map: { type: 'object', additionalProperties: object({ a: { type: 'string' } }) },
    bare: { type: 'object' },
    open: { 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true, 'properties': { in: object({}) } },
  });
  const given = {
    kind: 'X',
    spec: {
      'known': 'k',
      'foo': 1,
      'list': [{ a: 'x' }, { a: 'x', b: 1 }],
      'map': { k: { b: 1 } },
      'bare': { gone: 1 },
      'open': { any: { thing: 1 }, in: { gone: 1 } },
      '$x y': 1,
    },
    extra: {},
  };
  const before = structuredClone(given);
  const { object: shaped, unknown } = checkOf(spec).shape(given);
  t.same(given, before);
  t.same(shaped, {
    kind: 'X',
    spec: { known: 'k', list: [{ a: 'x' }, { a: 'x' }], map: { k: {} }, bare: {}, open: { any: { thing: 1 }, in: {} } },
  });
  t.same(unknown, [
    'spec.foo',
    'spec.list[1].b',
    'spec.map.k.b',
    'spec.bare.gone',
    'spec.open.in.gone',
    'spec[$x y]',
    'extra',
  ]);
  t.equal(unknownFieldMessage('spec.foo'), 'unknown field "spec.foo"');
});

t.test('an object with nothing to take out or put in comes back as the same reference', async (t) => {
  const check = checkOf(object({ a: { type: 'string', default: 'x' }, list: { type: 'array', items: object({}) } }));
  const given = { metadata: { name: 'x' }, spec: { a: 'y', list: [{}] } };
  t.equal(check.shape(given).object, given);
});

t.test('defaults are put in, also below defaults, and never shared', async (t) => {
  const spec = object({
    mode: { type: 'string', default: 'fast' },
    limits: { ...object({ cores: { type: 'integer', default: 2 } }), default: {} },
    optional: object({ never: { type: 'string', default: 'seen' } }),
  });
  const check = checkOf(spec);
  const first = check.shape({ spec: {} }).object;
  t.same(first, { spec: { mode: 'fast', limits: { cores: 2 } } });
  t.same(check.shape({ spec: { optional: {} } }).object, {
    spec: { optional: { never: 'seen' }, mode: 'fast', limits: { cores: 2 } },
  });
  t.not(
    Reflect.get(first['spec'] ?? {}, 'limits'),
    Reflect.get(check.shape({ spec: {} }).object['spec'] ?? {}, 'limits'),
  );
});

t.test('a null that the schema does not know means that the field is not set', async (t) => {
  const spec = object({
    a: { type: 'string' },
    b: { type: 'string', default: 'x' },
    c: { type: 'string', nullable: true },
  });
  t.same(checkOf(spec).shape({ spec: { a: null, b: null, c: null } }), {
    object: { spec: { b: 'x', c: null } },
    unknown: [],
  });
});

t.test('names of the language are plain names', async (t) => {
  const check = checkOf(object({ a: { type: 'string' } }, { required: ['a'] }));
  const hostile: Record<string, unknown> = JSON.parse(
    '{"spec":{"a":"x","__proto__":{"b":1},"constructor":1,"toString":1}}',
  );
  const { object: shaped, unknown } = check.shape(hostile);
  t.same(unknown, ['spec.__proto__', 'spec.constructor', 'spec.toString']);
  t.same(Object.keys(shaped['spec'] ?? {}), ['a']);
  const needs = checkOf(object({}, { required: ['constructor'] }));
  t.match(needs.validate({ spec: {} }), [{ field: 'spec.constructor', reason: 'FieldValueRequired' }]);
});

t.test('patterns run in linear time', async (t) => {
  const check = checkOf({ type: 'string', pattern: '^(a+)+$' });
  t.equal(check.validate({ spec: `${'a'.repeat(5000)}!` }).length, 1, 'a backtracking engine would never come back');
});

t.test('hostile objects cost little: too deep, or wrong in every place', async (t) => {
  const check = checkOf({ 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true });
  const deep: unknown = JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`);
  t.match(check.validate({ spec: deep }), [{ message: /deeper than 200 levels/ }]);
  const numbers = checkOf({ type: 'array', items: { type: 'integer' } });
  t.equal(numbers.validate({ spec: Array.from({ length: 500 }, () => 'x') }).length, 50, 'no more than anybody reads');
  t.equal(numbers.validate({ spec: Array.from({ length: 50_000 }, () => 'x') }).length, 1, 'of a large one the first');
  const { unknown } = checkOf(object({})).shape({
    spec: Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x${index}`, 1])),
  });
  t.equal(unknown.length, 100);
});

t.test('a schema that cannot be compiled says so when it is first needed', async (t) => {
  const tooDeep = JSON.parse(`${'{"type":"array","items":'.repeat(100)}{"type":"string"}${'}'.repeat(100)}`);
  t.throws(() => checkOf(tooDeep).validate({}), { code: 'definition-invalid', message: /60 levels/ });
  t.throws(() => checkOf({ type: 'string', pattern: '(' }).prepare(), { code: 'definition-invalid' });
});

t.test('a schema is compiled once', async (t) => {
  const type = { schema: { type: 'object' } };
  t.equal(schemaCheckOf(type), schemaCheckOf({ ...type }));
});
