import { createHash } from 'node:crypto';

import { metadataSchema } from './metadata-schema.ts';
import {
  definitionName,
  kindReference,
  metadataDefinition,
  operationsOf,
  patchMediaTypes,
  type ApiOperation,
} from './openapi-paths.ts';
import type { ObjectSchema, ResourceType } from './resource-type.ts';
import { isRecord, recordAt } from './schema-node.ts';
import { kindSchema } from './schema-parts.ts';

/** What the documents say of the whole API. */
export interface ApiTitle {
  readonly title: string;
  readonly version: string;
}

/** `/openapi/v3/api/v1`, `/openapi/v3/apis/{group}/{version}`: everything about the types of one group and version. */
export function openApiV3(types: readonly ResourceType[], { title, version }: ApiTitle): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of types.flatMap(operationsOf)) {
    (paths[operation.path] ??= {})[operation.method] = operationOf(operation);
  }
  return {
    openapi: '3.0.0',
    info: { title, version },
    paths,
    components: {
      schemas: {
        ...Object.fromEntries(types.map((type) => [definitionName(type), schemaOf(type)])),
        [metadataDefinition]: metadataSchema,
      },
    },
  };
}

/** `/openapi/v3`: where the documents are, and a hash of each, by which clients keep what they have. */
export function openApiV3Index(documents: ReadonlyMap<string, Buffer>): object {
  return {
    paths: Object.fromEntries(
      [...documents].map(([name, body]) => [
        name,
        {
          serverRelativeURL: `/openapi/v3/${name}?hash=${createHash('sha256').update(body).digest('hex').slice(0, 32)}`,
        },
      ]),
    ),
  };
}

/** The schema as it is published: with the group, version and kind, and the metadata by reference. */
function schemaOf(type: ResourceType): ObjectSchema {
  const own = kindSchema('', recordsOf(recordAt(type.schema, 'properties') ?? {}));
  const metadata = {
    description: 'What every object has.',
    allOf: [{ $ref: `#/components/schemas/${metadataDefinition}` }],
  };
  return {
    ...type.schema,
    'properties': { ...recordAt(own, 'properties'), metadata },
    'x-kubernetes-group-version-kind': [kindReference(type)],
  };
}

function recordsOf(properties: Readonly<Record<string, unknown>>): Record<string, ObjectSchema> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, part]) => (isRecord(part) ? [[name, part]] : [])),
  );
}

function operationOf({ action, type, method, pathParameters, queryParameters }: ApiOperation): object {
  const schema = { $ref: `#/components/schemas/${definitionName(type)}` };
  return {
    'parameters': [
      ...pathParameters.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...queryParameters.map((parameter) => ({
        name: parameter.name,
        in: 'query',
        description: parameter.description,
        schema: { type: parameter.type, uniqueItems: true },
      })),
    ],
    ...(method === 'post' || method === 'put' ? { requestBody: { content: { '*/*': { schema } } } } : {}),
    ...(method === 'patch'
      ? {
          requestBody: {
            content: Object.fromEntries(patchMediaTypes(type).map((media) => [media, { schema: openPart }])),
          },
        }
      : {}),
    'responses': {
      '200': {
        description: 'OK',
        ...(action === 'list' || method === 'delete' ? {} : { content: { 'application/json': { schema } } }),
      },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kindReference(type),
  };
}

const openPart: ObjectSchema = { type: 'object' };
