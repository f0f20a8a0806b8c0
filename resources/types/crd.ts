import { parseYamlDocuments } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';
import { checkDefinition } from './crd-check.ts';
import type { FieldError } from './field-error.ts';
import type { ObjectSchema, PrinterColumn, ResourceType, Verb } from './resource-type.ts';
import { isRecord, recordAt, stringsAt } from './schema-node.ts';
import { compareVersions } from './type-registry.ts';

export const allVerbs: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

/**
 * What a CustomResourceDefinition of `apiextensions.k8s.io/v1` defines: a type for each version that it serves, the preferred first.
 * Throws `definition-invalid`, with a cause for each field that is wrong.
 */
export function typesOfDefinition(definition: Readonly<Record<string, unknown>>): readonly ResourceType[] {
  const errors = checkDefinition(definition);
  if (errors.length > 0) throw invalidDefinition(definition, errors);
  const spec = recordAt(definition, 'spec') ?? {};
  const names = recordAt(spec, 'names') ?? {};
  const versions = versionsOf(spec);
  const storageVersion = textAt(versions.find((version) => version['storage'] === true) ?? {}, 'name');
  const kind = textAt(names, 'kind');
  return versions
    .filter((version) => version['served'] === true)
    .map((version) => ({
      group: textAt(spec, 'group'),
      version: textAt(version, 'name'),
      resource: textAt(names, 'plural'),
      singular: textAt(names, 'singular') || kind.toLowerCase(),
      kind,
      listKind: textAt(names, 'listKind') || `${kind}List`,
      shortNames: stringsAt(names, 'shortNames'),
      categories: stringsAt(names, 'categories'),
      namespaced: spec['scope'] === 'Namespaced',
      verbs: allVerbs,
      hasStatus: recordAt(recordAt(version, 'subresources') ?? {}, 'status') !== undefined,
      schema: schemaOf(version),
      columns: recordsAt(version, 'additionalPrinterColumns').map(columnOf),
      selectableFields: recordsAt(version, 'selectableFields').map((field) =>
        textAt(field, 'jsonPath').replace(/^\./, ''),
      ),
      storageVersion,
    }))
    .sort((a, b) => compareVersions(a.version, b.version));
}

/**
 * The types of all CustomResourceDefinitions in a YAML or JSON text with any number of documents. Throws `definition-invalid`; the
 * message names `file`, the line and the field. Other kinds are an error too: whoever puts them there expects something of it.
 */
export function loadDefinitions(text: string, file: string): readonly ResourceType[] {
  const documents = parseYamlDocuments(text);
  if ('problems' in documents) {
    const [problem] = documents.problems;
    throw resourceError('definition-invalid', { detail: `${file}:${problem?.line ?? 1}: ${problem?.message ?? ''}` });
  }
  const types = documents.flatMap((document) => {
    const { value } = document;
    const where = (field: string) => `${file}:${document.lineOf(pathOf(field))}`;
    if (!isRecord(value) || value['kind'] !== 'CustomResourceDefinition')
      throw resourceError('definition-invalid', { detail: `${where('kind')}: kind: must be CustomResourceDefinition` });
    const errors = checkDefinition(value);
    const [first] = errors;
    if (first === undefined) return typesOfDefinition(value);
    throw invalidDefinition(value, errors, `${where(first.field)}: `);
  });
  const seen = new Set<string>();
  for (const { group, version, resource } of types) {
    const name = `${resource}.${group}/${version}`;
    if (seen.has(name)) throw resourceError('definition-invalid', { detail: `${file}: ${name} is defined twice` });
    seen.add(name);
  }
  return types;
}

function invalidDefinition(
  definition: Readonly<Record<string, unknown>>,
  errors: readonly FieldError[],
  where = '',
): Error {
  const name = textAt(recordAt(definition, 'metadata') ?? {}, 'name');
  const text = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return resourceError('definition-invalid', {
    detail: `${where}${name === '' ? '' : `${name}: `}${text}`,
    causes: errors,
  });
}

function versionsOf(spec: Readonly<Record<string, unknown>>): readonly Readonly<Record<string, unknown>>[] {
  return recordsAt(spec, 'versions');
}

function schemaOf(version: Readonly<Record<string, unknown>>): ObjectSchema {
  return recordAt(recordAt(version, 'schema') ?? {}, 'openAPIV3Schema') ?? {};
}

function columnOf(column: Readonly<Record<string, unknown>>): PrinterColumn {
  const value = textAt(column, 'jsonPath');
  return {
    name: textAt(column, 'name'),
    type: columnTypeOf(column['type']),
    description: textAt(column, 'description') || `The value at ${value}.`,
    priority: typeof column['priority'] === 'number' ? column['priority'] : 0,
    value,
  };
}

function columnTypeOf(type: unknown): PrinterColumn['type'] {
  return type === 'integer' || type === 'number' || type === 'boolean' || type === 'date' ? type : 'string';
}

function recordsAt(
  value: Readonly<Record<string, unknown>>,
  key: string,
): readonly Readonly<Record<string, unknown>>[] {
  const list = value[key];
  return Array.isArray(list) ? list.filter(isRecord) : [];
}

function textAt(value: Readonly<Record<string, unknown>>, key: string): string {
  const text = value[key];
  return typeof text === 'string' ? text : '';
}

/** `spec.versions[0].name` as keys; what stands in brackets may also be a key with dots. */
function pathOf(field: string): readonly (string | number)[] {
  return [...field.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, bracketed, plain]) =>
    bracketed !== undefined && /^\d+$/.test(bracketed) ? Number(bracketed) : (bracketed ?? plain ?? ''),
  );
}
