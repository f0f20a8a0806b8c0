import { metadataSchema } from './metadata-schema.ts';
import {
  definitionName,
  kindReference,
  metadataDefinition,
  operationsOf,
  patchMediaTypes,
  type ApiOperation,
} from './openapi-paths.ts';
import type { ApiTitle } from './openapi-v3.ts';
import type { ObjectSchema, ResourceType } from './resource-type.ts';
import { isRecord, recordAt } from './schema-node.ts';
import { kindSchema } from './schema-parts.ts';

/** The parts of Swagger 2.0 that Kubernetes' clients read. */
export interface SwaggerDocument {
  readonly swagger: '2.0';
  readonly info: ApiTitle;
  readonly paths: Readonly<Record<string, Readonly<Record<string, SwaggerOperation>>>>;
  readonly definitions: Readonly<Record<string, SwaggerSchema>>;
}

export interface SwaggerOperation {
  readonly 'consumes'?: readonly string[];
  readonly 'produces': readonly string[];
  readonly 'parameters': readonly SwaggerParameter[];
  readonly 'responses': Readonly<Record<string, { readonly description: string; readonly schema?: SwaggerSchema }>>;
  readonly 'x-kubernetes-action': string;
  readonly 'x-kubernetes-group-version-kind': object;
}

export interface SwaggerParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'body';
  readonly required?: boolean;
  readonly description?: string;
  readonly type?: string;
  readonly uniqueItems?: boolean;
  readonly schema?: SwaggerSchema;
}

export interface SwaggerSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, SwaggerSchema>>;
  readonly items?: SwaggerSchema;
  readonly additionalProperties?: SwaggerSchema;
  readonly [extension: `x-${string}`]: unknown;
}

/** `/openapi/v2`: everything about all types, in one document. */
export function openApiV2(types: readonly ResourceType[], { title, version }: ApiTitle): SwaggerDocument {
  const paths: Record<string, Record<string, SwaggerOperation>> = {};
  for (const operation of types.flatMap(operationsOf)) {
    (paths[operation.path] ??= {})[operation.method] = operationOf(operation);
  }
  return {
    swagger: '2.0',
    info: { title, version },
    paths,
    definitions: {
      ...Object.fromEntries(types.map((type) => [definitionName(type), definitionOf(type)])),
      [metadataDefinition]: swaggerSchema(metadataSchema),
    },
  };
}

function definitionOf(type: ResourceType): SwaggerSchema {
  const own = kindSchema('', {}).properties;
  const envelope = isRecord(own) ? own : {};
  const { properties, ...rest } = swaggerSchema(type.schema);
  return {
    ...rest,
    // Without properties it is open: whatever is in an object passes a client's validation.
    ...(properties === undefined
      ? {}
      : {
          properties: {
            apiVersion: swaggerSchema(recordAt(envelope, 'apiVersion') ?? {}),
            kind: swaggerSchema(recordAt(envelope, 'kind') ?? {}),
            ...properties,
            metadata: { $ref: `#/definitions/${metadataDefinition}` },
          },
        }),
    'x-kubernetes-group-version-kind': [kindReference(type)],
  };
}

/**
 * A structural schema in the words of Swagger 2.0. Clients that read it know no `nullable`, no alternatives, and no unknown fields
 * beside known ones: an open part loses its properties here, as in Kubernetes' own documents, or they would refuse what is valid.
 */
function swaggerSchema(schema: ObjectSchema): SwaggerSchema {
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true;
  const properties = isOpen ? undefined : recordAt(schema, 'properties');
  const items = recordAt(schema, 'items');
  const values = recordAt(schema, 'additionalProperties');
  const { type, format, description, required, enum: choices } = schema;
  return {
    ...(isIntOrString ? { type: 'string', format: 'int-or-string' } : {}),
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof format === 'string' ? { format } : {}),
    ...(typeof description === 'string' && description !== '' ? { description } : {}),
    ...(Array.isArray(choices) ? { enum: choices } : {}),
    ...(Array.isArray(required) && properties !== undefined ? { required: required.map(String) } : {}),
    ...(properties === undefined ? {} : { properties: swaggerProperties(properties) }),
    ...(items === undefined ? {} : { items: swaggerSchema(items) }),
    ...(values === undefined ? {} : { additionalProperties: swaggerSchema(values) }),
    ...Object.fromEntries(Object.entries(schema).filter(([key]) => key.startsWith('x-kubernetes-'))),
  };
}

function swaggerProperties(properties: Readonly<Record<string, unknown>>): Record<string, SwaggerSchema> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, part]) => (isRecord(part) ? [[name, swaggerSchema(part)]] : [])),
  );
}

function operationOf({ action, method, type, pathParameters, queryParameters }: ApiOperation): SwaggerOperation {
  const schema: SwaggerSchema = { $ref: `#/definitions/${definitionName(type)}` };
  const body: SwaggerParameter = {
    name: 'body',
    in: 'body',
    required: true,
    schema: method === 'patch' ? { type: 'object' } : schema,
  };
  return {
    ...(method === 'patch' ? { consumes: patchMediaTypes(type) } : {}),
    'produces': ['application/json', 'application/yaml'],
    'parameters': [
      ...pathParameters.map((name) => ({
        name,
        in: 'path' as const,
        required: true,
        type: 'string',
        uniqueItems: true,
      })),
      ...(method === 'get' || method === 'delete' ? [] : [body]),
      ...queryParameters.map((parameter) => ({ ...parameter, in: 'query' as const, uniqueItems: true })),
    ],
    'responses': {
      '200': { description: 'OK', ...(action === 'list' || method === 'delete' ? {} : { schema }) },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kindReference(type),
  };
}
