import type { SwaggerDocument, SwaggerOperation, SwaggerParameter, SwaggerSchema } from './openapi-v2.ts';
import { ProtoMessages, type MessageFields } from './proto-messages.ts';

/*
 * The messages of gnostic's `openapiv2/OpenAPIv2.proto` and the fields of them that are filled: names and numbers as there.
 * What is left out is not read by Kubernetes' clients.
 */
const messages: Readonly<Record<string, MessageFields>> = {
  Document: { swagger: ['string', 1], info: ['Info', 2], paths: ['Paths', 8], definitions: ['Definitions', 9] },
  Info: { title: ['string', 1], version: ['string', 2] },
  Paths: { path: ['NamedPathItem', 2, 'repeated'] },
  NamedPathItem: { name: ['string', 1], value: ['PathItem', 2] },
  PathItem: {
    get: ['Operation', 2],
    put: ['Operation', 3],
    post: ['Operation', 4],
    delete: ['Operation', 5],
    patch: ['Operation', 8],
  },
  Operation: {
    produces: ['string', 6, 'repeated'],
    consumes: ['string', 7, 'repeated'],
    parameters: ['ParametersItem', 8, 'repeated'],
    responses: ['Responses', 9],
    vendorExtension: ['NamedAny', 13, 'repeated'],
  },
  ParametersItem: { parameter: ['Parameter', 1] },
  Parameter: { bodyParameter: ['BodyParameter', 1], nonBodyParameter: ['NonBodyParameter', 2] },
  BodyParameter: { name: ['string', 2], in: ['string', 3], required: ['bool', 4], schema: ['Schema', 5] },
  NonBodyParameter: {
    queryParameterSubSchema: ['QueryParameterSubSchema', 3],
    pathParameterSubSchema: ['PathParameterSubSchema', 4],
  },
  QueryParameterSubSchema: {
    required: ['bool', 1],
    in: ['string', 2],
    description: ['string', 3],
    name: ['string', 4],
    type: ['string', 6],
    uniqueItems: ['bool', 20],
  },
  PathParameterSubSchema: {
    required: ['bool', 1],
    in: ['string', 2],
    description: ['string', 3],
    name: ['string', 4],
    type: ['string', 5],
    uniqueItems: ['bool', 19],
  },
  Responses: { responseCode: ['NamedResponseValue', 1, 'repeated'] },
  NamedResponseValue: { name: ['string', 1], value: ['ResponseValue', 2] },
  ResponseValue: { response: ['Response', 1] },
  Response: { description: ['string', 1], schema: ['SchemaItem', 2] },
  SchemaItem: { schema: ['Schema', 1] },
  Definitions: { additionalProperties: ['NamedSchema', 1, 'repeated'] },
  NamedSchema: { name: ['string', 1], value: ['Schema', 2] },
  Properties: { additionalProperties: ['NamedSchema', 1, 'repeated'] },
  Schema: {
    ref: ['string', 1],
    format: ['string', 2],
    description: ['string', 4],
    required: ['string', 19, 'repeated'],
    enum: ['Any', 20, 'repeated'],
    additionalProperties: ['AdditionalPropertiesItem', 21],
    type: ['TypeItem', 22],
    items: ['ItemsItem', 23],
    properties: ['Properties', 25],
    vendorExtension: ['NamedAny', 31, 'repeated'],
  },
  AdditionalPropertiesItem: { schema: ['Schema', 1] },
  TypeItem: { value: ['string', 1, 'repeated'] },
  ItemsItem: { schema: ['Schema', 1, 'repeated'] },
  NamedAny: { name: ['string', 1], value: ['Any', 2] },
  Any: { yaml: ['string', 2] },
};

const swaggerMessages = new ProtoMessages(messages);

/** What it is sent as. */
export const swaggerMediaType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** What clients ask for. The first is no media type at all, since an @ may not stand in one: Go's parser refuses it as a Content-Type. */
export const swaggerProtobufTypes: readonly string[] = [
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
  swaggerMediaType,
];

/** `/openapi/v2` as the protobuf message `Document`. */
export function encodeSwagger({ swagger, info, paths, definitions }: SwaggerDocument): Buffer {
  return swaggerMessages.encode('Document', {
    swagger,
    info,
    paths: {
      path: Object.entries(paths).map(([name, item]) => ({
        name,
        value: Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, operationOf(operation)])),
      })),
    },
    definitions: { additionalProperties: namedSchemas(definitions) },
  });
}

function operationOf(operation: SwaggerOperation): object {
  return {
    produces: operation.produces,
    consumes: operation.consumes ?? [],
    parameters: operation.parameters.map((parameter) => ({ parameter: parameterOf(parameter) })),
    responses: {
      responseCode: Object.entries(operation.responses).map(([name, { description, schema }]) => ({
        name,
        value: { response: { description, ...(schema === undefined ? {} : { schema: { schema: schemaOf(schema) } }) } },
      })),
    },
    vendorExtension: extensionsOf(operation),
  };
}

function parameterOf({ schema, ...parameter }: SwaggerParameter): object {
  if (schema !== undefined) return { bodyParameter: { ...parameter, schema: schemaOf(schema) } };
  return parameter.in === 'path'
    ? { nonBodyParameter: { pathParameterSubSchema: parameter } }
    : { nonBodyParameter: { queryParameterSubSchema: parameter } };
}

function schemaOf(schema: SwaggerSchema): object {
  const { $ref, format, description, required, type, properties, items, additionalProperties } = schema;
  return {
    ...($ref === undefined ? {} : { ref: $ref }),
    ...(format === undefined ? {} : { format }),
    ...(description === undefined ? {} : { description }),
    ...(required === undefined ? {} : { required }),
    ...(schema.enum === undefined ? {} : { enum: schema.enum.map(yamlOf) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: { schema: schemaOf(additionalProperties) } }),
    ...(type === undefined ? {} : { type: { value: [type] } }),
    ...(items === undefined ? {} : { items: { schema: [schemaOf(items)] } }),
    ...(properties === undefined ? {} : { properties: { additionalProperties: namedSchemas(properties) } }),
    vendorExtension: extensionsOf(schema),
  };
}

function namedSchemas(schemas: Readonly<Record<string, SwaggerSchema>>): object[] {
  return Object.entries(schemas).map(([name, schema]) => ({ name, value: schemaOf(schema) }));
}

function extensionsOf(part: object): object[] {
  return Object.entries(part)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, value]) => ({ name, value: yamlOf(value) }));
}

/** JSON is YAML too. */
function yamlOf(value: unknown): object {
  return { yaml: `${JSON.stringify(value)}\n` };
}
