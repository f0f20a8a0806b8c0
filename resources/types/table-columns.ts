import { ageOf } from './age.ts';
import { compileJsonPath, type JsonPath } from './json-path.ts';
import type { PrinterColumn, ResourceType } from './resource-type.ts';

/** meta/v1 `TableColumnDefinition`. */
export interface ColumnDefinition {
  readonly name: string;
  readonly type: string;
  /** `name` for the column with the object's name, else empty. */
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

export type Cell = string | number | boolean | null;

/** How a type is shown as a table: the name, then its columns, or the age when it has none. */
export interface TableColumns {
  readonly definitions: readonly ColumnDefinition[];
  /** The cells of one object, one for each definition. `nowMs`: milliseconds since 1970, for ages. Never throws. */
  cells(object: Readonly<Record<string, unknown>>, nowMs: number): Cell[];
}

const nameColumn: PrinterColumn = {
  name: 'Name',
  type: 'string',
  description: 'Name of the object, unique within its namespace.',
  priority: 0,
  value: '.metadata.name',
};

/** The column that nearly every kind ends with. */
export const ageColumn: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'Time since the object was created.',
  priority: 0,
  value: '.metadata.creationTimestamp',
};

const compiled = new WeakMap<readonly PrinterColumn[], TableColumns>();

/** The columns of a type, compiled once. */
export function tableColumnsOf({ columns }: Pick<ResourceType, 'columns'>): TableColumns {
  let table = compiled.get(columns);
  if (table === undefined) {
    table = compileColumns(columns);
    compiled.set(columns, table);
  }
  return table;
}

function compileColumns(own: readonly PrinterColumn[]): TableColumns {
  const shown = own.length === 0 ? [ageColumn] : own;
  const columns = shown.some(({ name }) => name === nameColumn.name) ? shown : [nameColumn, ...shown];
  const cells = columns.map(cellOf);
  return {
    definitions: columns.map(({ name, type, description, priority }) => ({
      name,
      type,
      format: name === nameColumn.name ? 'name' : '',
      description: description ?? '',
      priority,
    })),
    cells: (object, nowMs) => cells.map((cell) => cell(object, nowMs)),
  };
}

type CellFunction = (object: Readonly<Record<string, unknown>>, nowMs: number) => Cell;

function cellOf({ value, type }: PrinterColumn): CellFunction {
  if (typeof value === 'string') {
    const path = compileJsonPath(value);
    return (object, nowMs) => cellOfFound(path, type, object, nowMs);
  }
  return (object, nowMs) => {
    try {
      return value(object, nowMs);
    } catch {
      // An object from elsewhere may have any shape; a table shows what it can.
      return '<unknown>';
    }
  };
}

/** The first value at the path, as Kubernetes prints it for custom resources. */
function cellOfFound(
  path: JsonPath,
  type: PrinterColumn['type'],
  object: Readonly<Record<string, unknown>>,
  nowMs: number,
): Cell {
  const [first] = path(object);
  if (first === undefined || first === null) return null;
  switch (type) {
    case 'date':
      return ageOf(first, nowMs);
    case 'integer':
      return typeof first === 'number' ? Math.trunc(first) : null;
    case 'number':
      return typeof first === 'number' ? first : null;
    case 'boolean':
      return typeof first === 'boolean' ? first : null;
    case 'string':
      return typeof first === 'string' ? first : JSON.stringify(first);
  }
}
