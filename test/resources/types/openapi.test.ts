import protobuf from 'protobufjs/light.js';
import t from 'tap';
import { ApiDocuments } from '../../../resources/types/api-documents.ts';
import { encodeSwagger } from '../../../resources/types/openapi-proto.ts';
import { openApiV2 } from '../../../resources/types/openapi-v2.ts';
import { openApiV3 } from '../../../resources/types/openapi-v3.ts';
import { embeddedTypes } from '../../../resources/types/kinds/known-types.ts';
import { TypeRegistry } from '../../../resources/types/type-registry.ts';
import { simpleType } from './simple-type.ts';

const title = { title: 'Causeway', version: '1' };

const widgets = {
  ...simpleType('example.com', 'v1', 'widgets', 'Widget'),
  hasStatus: true,
  schema: {
    type: 'object',
    description: 'A widget.',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        properties: {
          colour: { type: 'string', enum: ['red', 'blue'], description: 'Its colour.' },
          port: { 'x-kubernetes-int-or-string': true },
          sizes: { type: 'array', items: { type: 'integer', format: 'int32' } },
          labels: { type: 'object', additionalProperties: { type: 'string' } },
          open: {
            'type': 'object',
            'x-kubernetes-preserve-unknown-fields': true,
            'required': ['a'],
            'properties': { a: { type: 'string' } },
          },
        },
      },
    },
  },
};

t.test('a version 3 document has the schema, by group, version and kind, and what can be done with it', async (t) => {
  const document: unknown = JSON.parse(JSON.stringify(openApiV3([widgets], title)));
  t.match(document, {
    openapi: '3.0.0',
    info: title,
    paths: {
      '/apis/example.com/v1/namespaces/{namespace}/widgets/{name}': {
        patch: {
          'parameters': [
            { name: 'namespace', in: 'path', required: true },
            { name: 'name', in: 'path' },
            { name: 'dryRun', in: 'query' },
            { name: 'fieldManager' },
            { name: 'fieldValidation' },
          ],
          'requestBody': { content: { 'application/merge-patch+json': {} } },
          'x-kubernetes-group-version-kind': { group: 'example.com', version: 'v1', kind: 'Widget' },
        },
      },
      '/apis/example.com/v1/widgets': { get: { 'x-kubernetes-action': 'list' } },
      '/apis/example.com/v1/namespaces/{namespace}/widgets/{name}/status': { put: {}, patch: {}, get: {} },
    },
    components: {
      schemas: {
        'com.example.v1.Widget': {
          'description': 'A widget.',
          'properties': {
            apiVersion: { type: 'string' },
            metadata: { allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }] },
            spec: { properties: { open: { properties: { a: {} } } } },
          },
          'x-kubernetes-group-version-kind': [{ group: 'example.com', version: 'v1', kind: 'Widget' }],
        },
        'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta': { properties: { name: {}, labels: {} } },
      },
    },
  });
});

t.test('only kinds of Kubernetes itself are said to take strategic merge patches', async (t) => {
  const mediaTypes = (type: typeof widgets) =>
    Object.values(openApiV2([type], title).paths).flatMap(({ patch }) => patch?.consumes ?? []);
  t.notOk(mediaTypes(widgets).includes('application/strategic-merge-patch+json'));
  t.ok(mediaTypes({ ...widgets, group: 'apps' }).includes('application/strategic-merge-patch+json'));
  t.ok(mediaTypes({ ...widgets, group: '' }).includes('application/strategic-merge-patch+json'));
});

t.test('a kind says only what its verbs allow', async (t) => {
  const { paths } = openApiV2([{ ...widgets, verbs: ['get', 'list', 'watch'], namespaced: false }], title);
  t.same(
    Object.entries(paths).map(([path, item]) => `${path} ${Object.keys(item).join()}`),
    [
      '/apis/example.com/v1/widgets get',
      '/apis/example.com/v1/widgets/{name} get',
      '/apis/example.com/v1/widgets/{name}/status get',
    ],
  );
});

t.test('a version 2 document has no word that its readers would stumble over', async (t) => {
  const { definitions } = openApiV2([widgets], title);
  t.same(definitions['com.example.v1.Widget']?.properties?.['spec'], {
    type: 'object',
    properties: {
      colour: { type: 'string', enum: ['red', 'blue'], description: 'Its colour.' },
      port: { 'type': 'string', 'format': 'int-or-string', 'x-kubernetes-int-or-string': true },
      sizes: { type: 'array', items: { type: 'integer', format: 'int32' } },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
      // Known fields beside unknown ones: old clients would refuse the unknown ones.
      open: { 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true },
    },
  });
});

t.test('the index of version 3 names every document with the hash of what it is', async (t) => {
  const registry = new TypeRegistry([widgets, simpleType('', 'v1', 'pods', 'Pod')]);
  const documents = new ApiDocuments(registry, { kubernetes: '1.32', causeway: '1' });
  const index = documents.get('/openapi/v3');
  const widget = documents.get('/openapi/v3/apis/example.com/v1');
  if (typeof index !== 'object' || typeof widget !== 'object') throw new Error('no document');
  const { paths } = JSON.parse(index.body.toString());
  t.same(Object.keys(paths), ['api/v1', 'apis/example.com/v1']);
  t.equal(
    paths['apis/example.com/v1'].serverRelativeURL,
    `/openapi/v3/apis/example.com/v1?hash=${widget.etag.replaceAll('"', '')}`,
  );
});

/** A slow and obvious reader of protobuf: fields of a message by number, each as often as it comes. */
function fieldsOf(message: Uint8Array): Map<number, Uint8Array[]> {
  const reader = protobuf.Reader.create(message);
  const fields = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) === 2) fields.set(tag >>> 3, [...(fields.get(tag >>> 3) ?? []), reader.bytes()]);
    else reader.skipType(tag & 7);
  }
  return fields;
}

function textOf(fields: Map<number, Uint8Array[]>, number: number): string {
  return Buffer.from(fields.get(number)?.[0] ?? []).toString();
}

/** The value of a name in a list of named values. */
function named(list: readonly Uint8Array[], name: string): Map<number, Uint8Array[]> {
  const found = list.map(fieldsOf).find((fields) => textOf(fields, 1) === name);
  return fieldsOf(found?.get(2)?.[0] ?? new Uint8Array());
}

t.test('the protobuf form has the field numbers of gnostic', async (t) => {
  const document = fieldsOf(encodeSwagger(openApiV2([widgets], title)));
  t.equal(textOf(document, 1), '2.0');
  t.equal(textOf(fieldsOf(document.get(2)?.[0] ?? new Uint8Array()), 1), 'Causeway');

  const definitions = fieldsOf(document.get(9)?.[0] ?? new Uint8Array()).get(1) ?? [];
  const widget = named(definitions, 'com.example.v1.Widget');
  t.equal(textOf(widget, 4), 'A widget.', 'description');
  t.equal(textOf(widget, 19), 'spec', 'required');
  t.equal(textOf(fieldsOf(widget.get(22)?.[0] ?? new Uint8Array()), 1), 'object', 'type');
  const kinds = named(widget.get(31) ?? [], 'x-kubernetes-group-version-kind');
  t.same(JSON.parse(textOf(kinds, 2)), [{ group: 'example.com', version: 'v1', kind: 'Widget' }]);
  const spec = named(fieldsOf(widget.get(25)?.[0] ?? new Uint8Array()).get(1) ?? [], 'spec');
  t.ok(spec.has(25), 'properties of properties');

  const paths = fieldsOf(document.get(8)?.[0] ?? new Uint8Array()).get(2) ?? [];
  const item = named(paths, '/apis/example.com/v1/namespaces/{namespace}/widgets/{name}');
  const patch = fieldsOf(item.get(8)?.[0] ?? new Uint8Array());
  const names = (patch.get(8) ?? []).map((parameter) => {
    const nonBody = fieldsOf(fieldsOf(parameter).get(1)?.[0] ?? new Uint8Array()).get(2)?.[0];
    return textOf(fieldsOf(fieldsOf(nonBody ?? new Uint8Array()).get(3)?.[0] ?? new Uint8Array()), 4);
  });
  t.ok(names.includes('dryRun'), 'what kubectl looks for before it offers a dry run at the server');
  const about = named(patch.get(13) ?? [], 'x-kubernetes-group-version-kind');
  t.same(JSON.parse(textOf(about, 2)), { group: 'example.com', version: 'v1', kind: 'Widget' });
});

t.test('version 2 is JSON, or protobuf for who asks for it, under a media type that Go can read', async (t) => {
  const documents = new ApiDocuments(new TypeRegistry(embeddedTypes), { kubernetes: '1.32', causeway: '1' });
  t.match(documents.get('/openapi/v2', 'application/json'), { contentType: 'application/json' });
  t.match(documents.get('/openapi/v2', 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'), {
    contentType: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  });
  t.equal(
    documents.get('/openapi/v3/api/v1', 'application/com.github.proto-openapi.spec.v3@v1.0+protobuf'),
    'unacceptable',
  );
});
