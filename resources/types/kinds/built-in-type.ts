import { allVerbs } from '../crd.ts';
import type { ComputedCell, ObjectSchema, PrinterColumn, ResourceType } from '../resource-type.ts';
import { kindSchema } from '../schema-parts.ts';
import { ageColumn } from '../table-columns.ts';

type Needed = Pick<ResourceType, 'version' | 'resource' | 'kind' | 'namespaced'>;

/** What a built-in kind says of itself; the rest follows from its name. */
export interface BuiltInType extends Needed, Partial<Omit<ResourceType, keyof Needed | 'schema'>> {
  readonly description: string;
  /** The fields beside `apiVersion`, `kind` and `metadata`. */
  readonly fields: Readonly<Record<string, ObjectSchema>>;
  readonly required?: readonly string[];
}

/** A type that is written in code: of the core group, with all verbs, without a status of its own, unless it says otherwise. */
export function builtInType({ description, fields, required, ...type }: BuiltInType): ResourceType {
  return {
    group: '',
    singular: type.kind.toLowerCase(),
    listKind: `${type.kind}List`,
    shortNames: [],
    categories: [],
    verbs: allVerbs,
    hasStatus: false,
    columns: [ageColumn],
    selectableFields: [],
    ...type,
    schema: kindSchema(description, fields, required === undefined ? {} : { required }),
  };
}

/** A column of text, always shown; `wideColumn` only with `-o wide`. */
export function column(name: string, description: string, value: string | ComputedCell): PrinterColumn {
  return { name, type: 'string', description, priority: 0, value };
}

export function wideColumn(name: string, description: string, value: string | ComputedCell): PrinterColumn {
  return { ...column(name, description, value), priority: 1 };
}

export function countColumn(name: string, description: string, value: string | ComputedCell): PrinterColumn {
  return { ...column(name, description, value), type: 'integer' };
}
