import { isDnsLabel, isDnsName } from '../../base/index.ts';
import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldOfOtherType,
  fieldRequired,
  fieldTooMany,
  fieldUnder,
  type FieldError,
} from './field-error.ts';
import { jsonPathProblem } from './json-path.ts';
import type { ObjectSchema } from './resource-type.ts';
import { isRecord, recordAt } from './schema-node.ts';
import { checkStructure } from './structural-schema.ts';

type Fields = Readonly<Record<string, unknown>>;

const maxVersions = 32;
const maxColumns = 64;
const maxSelectableFields = 8;
const scopes = ['Namespaced', 'Cluster'];
const columnTypes = ['string', 'integer', 'number', 'boolean', 'date'];

const nameRules = [
  { key: 'plural', isNeeded: true, isKind: false },
  { key: 'singular', isNeeded: false, isKind: false },
  { key: 'kind', isNeeded: true, isKind: true },
  { key: 'listKind', isNeeded: false, isKind: true },
];

/** What is wrong with a CustomResourceDefinition, field by field; nothing: `typesOfDefinition` takes it. */
export function checkDefinition(definition: Fields): readonly FieldError[] {
  const spec = definition['spec'];
  if (!isRecord(spec)) return [spec === undefined ? fieldRequired('spec') : fieldOfOtherType('spec', spec, 'object')];
  const errors = [
    ...checkGroup(spec),
    ...checkNames(spec),
    ...checkMetadataName(definition, spec),
    ...(scopes.includes(String(spec['scope'])) ? [] : [fieldNotSupported('spec.scope', spec['scope'], scopes)]),
    ...checkConversion(spec),
  ];
  const versions: unknown = spec['versions'];
  if (!Array.isArray(versions) || versions.length === 0) return [...errors, fieldRequired('spec.versions')];
  if (versions.length > maxVersions) return [...errors, fieldTooMany('spec.versions', versions.length, maxVersions)];
  const storing = versions.filter((version) => isRecord(version) && version['storage'] === true).length;
  if (storing !== 1)
    errors.push(fieldInvalid('spec.versions', storing, 'exactly one version must be marked as the storage version'));
  const names = new Set<unknown>();
  for (const [index, version] of versions.entries()) {
    const field = fieldUnder('spec.versions', index);
    if (!isRecord(version)) {
      errors.push(fieldOfOtherType(field, version, 'object'));
      continue;
    }
    if (names.has(version['name'])) errors.push(fieldDuplicate(`${field}.name`, version['name']));
    names.add(version['name']);
    errors.push(...checkVersion(version, field));
  }
  return errors;
}

function checkGroup(spec: Fields): FieldError[] {
  const group = spec['group'];
  if (group === undefined || group === '') return [fieldRequired('spec.group')];
  return typeof group === 'string' && isDnsName(group) && group.includes('.')
    ? []
    : [fieldInvalid('spec.group', group, 'must be a DNS name with a dot, such as example.com')];
}

function checkNames(spec: Fields): FieldError[] {
  const names = recordAt(spec, 'names');
  if (names === undefined) return [fieldRequired('spec.names')];
  const errors: FieldError[] = [];
  for (const { key, isNeeded, isKind } of nameRules) {
    const value = names[key];
    const field = `spec.names.${key}`;
    if (value === undefined || value === '') {
      if (isNeeded) errors.push(fieldRequired(field));
    } else if (typeof value !== 'string' || !isDnsLabel(isKind ? value.toLowerCase() : value)) {
      errors.push(fieldInvalid(field, value, 'must be a DNS label: letters, digits and dashes, at most 63'));
    }
  }
  for (const key of ['shortNames', 'categories']) {
    const list: unknown = names[key] ?? [];
    if (!Array.isArray(list)) errors.push(fieldOfOtherType(`spec.names.${key}`, list, 'array'));
    else
      for (const [index, name] of list.entries())
        if (typeof name !== 'string' || !isDnsLabel(name))
          errors.push(fieldInvalid(`spec.names.${key}[${index}]`, name, 'must be a DNS label'));
  }
  return errors;
}

function checkMetadataName(definition: Fields, spec: Fields): FieldError[] {
  const name = recordAt(definition, 'metadata')?.['name'];
  if (name === undefined || name === '') return [fieldRequired('metadata.name')];
  const expected = `${String(recordAt(spec, 'names')?.['plural'])}.${String(spec['group'])}`;
  return name === expected ? [] : [fieldInvalid('metadata.name', name, `must be spec.names.plural+"."+spec.group`)];
}

function checkConversion(spec: Fields): FieldError[] {
  const strategy = recordAt(spec, 'conversion')?.['strategy'] ?? 'None';
  return strategy === 'None' ? [] : [fieldNotSupported('spec.conversion.strategy', strategy, ['None'])];
}

function checkVersion(version: Fields, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const name = version['name'];
  if (name === undefined || name === '') errors.push(fieldRequired(`${field}.name`));
  else if (typeof name !== 'string' || !isDnsLabel(name))
    errors.push(fieldInvalid(`${field}.name`, name, 'must be a DNS label such as v1'));
  for (const flag of ['served', 'storage'])
    if (typeof version[flag] !== 'boolean') errors.push(fieldRequired(`${field}.${flag}`, 'true or false'));
  const schemaField = `${field}.schema.openAPIV3Schema`;
  const schema = recordAt(recordAt(version, 'schema') ?? {}, 'openAPIV3Schema');
  if (schema === undefined) errors.push(fieldRequired(schemaField));
  else {
    if (schema['type'] !== 'object') errors.push(fieldNotSupported(`${schemaField}.type`, schema['type'], ['object']));
    errors.push(...checkStructure(schema, schemaField));
  }
  const subresources = version['subresources'] ?? {};
  if (!isRecord(subresources)) errors.push(fieldOfOtherType(`${field}.subresources`, subresources, 'object'));
  else if (subresources['status'] !== undefined && !isRecord(subresources['status']))
    errors.push(fieldOfOtherType(`${field}.subresources.status`, subresources['status'], 'object'));
  return [...errors, ...checkColumns(version, field), ...checkSelectableFields(version, field, schema ?? {})];
}

function checkColumns(version: Fields, field: string): FieldError[] {
  return eachOf(version, 'additionalPrinterColumns', field, maxColumns, (column, at) => {
    const errors: FieldError[] = [];
    if (typeof column['name'] !== 'string' || column['name'] === '') errors.push(fieldRequired(`${at}.name`));
    if (!columnTypes.includes(String(column['type'])))
      errors.push(fieldNotSupported(`${at}.type`, column['type'], columnTypes));
    const path = column['jsonPath'];
    if (typeof path !== 'string' || path === '') errors.push(fieldRequired(`${at}.jsonPath`));
    else if (jsonPathProblem(path) !== undefined)
      errors.push(fieldInvalid(`${at}.jsonPath`, path, jsonPathProblem(path) ?? ''));
    return errors;
  });
}

function checkSelectableFields(version: Fields, field: string, schema: ObjectSchema): FieldError[] {
  return eachOf(version, 'selectableFields', field, maxSelectableFields, (selectable, at) => {
    const path = selectable['jsonPath'];
    if (typeof path !== 'string' || path === '') return [fieldRequired(`${at}.jsonPath`)];
    if (!/^(?:\.[A-Za-z_][\w-]*)+$/.test(path) || path.startsWith('.metadata.'))
      return [fieldInvalid(`${at}.jsonPath`, path, 'must be a plain path such as .spec.color, not into metadata')];
    let part: ObjectSchema | undefined = schema;
    for (const name of path.slice(1).split('.')) part = recordAt(recordAt(part ?? {}, 'properties') ?? {}, name);
    return ['string', 'integer', 'boolean'].includes(String(part?.['type']))
      ? []
      : [fieldInvalid(`${at}.jsonPath`, path, 'must be a field of type string, integer or boolean in the schema')];
  });
}

function eachOf(
  holder: Fields,
  key: string,
  field: string,
  maximum: number,
  check: (item: Fields, at: string) => FieldError[],
): FieldError[] {
  const list: unknown = holder[key] ?? [];
  const at = `${field}.${key}`;
  if (!Array.isArray(list)) return [fieldOfOtherType(at, list, 'array')];
  if (list.length > maximum) return [fieldTooMany(at, list.length, maximum)];
  return list.flatMap((item: unknown, index) =>
    isRecord(item) ? check(item, `${at}[${index}]`) : [fieldOfOtherType(`${at}[${index}]`, item, 'object')],
  );
}
