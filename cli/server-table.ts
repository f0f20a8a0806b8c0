import { z, validate } from '../base/index.ts';

/** A `Table` as far as it is shown (meta.k8s.io/v1). */
const schema = z.looseObject({
  kind: z.literal('Table'),
  metadata: z.looseObject({ resourceVersion: z.string().default(''), continue: z.string().optional() }).prefault({}),
  columnDefinitions: z
    .array(z.looseObject({ name: z.string(), priority: z.number().default(0) }))
    .nullish()
    .transform((columns) => columns ?? []),
  rows: z
    .array(
      z.looseObject({
        cells: z.array(z.unknown()),
        object: z
          .looseObject({
            metadata: z
              .looseObject({
                name: z.string().default(''),
                namespace: z.string().default(''),
                resourceVersion: z.string().default(''),
              })
              .prefault({}),
          })
          .nullish(),
      }),
    )
    .nullish()
    .transform((rows) => rows ?? []),
});

export type ServerTable = z.output<typeof schema>;

/** Reads a table that a server made; undefined for what is none. */
export function readServerTable(value: unknown): ServerTable | undefined {
  const result = validate(schema, value);
  return 'value' in result ? result.value : undefined;
}

export interface TableShape {
  /** Columns of a lower priority too. */
  readonly wide: boolean;
  readonly withNamespace: boolean;
}

/** The head of a table as it is shown. */
export function headOf(
  { columnDefinitions }: Pick<ServerTable, 'columnDefinitions'>,
  { wide, withNamespace }: TableShape,
): string[] {
  const names = columnDefinitions
    .filter(({ priority }) => wide || priority === 0)
    .map(({ name }) => name.toUpperCase());
  return withNamespace ? ['NAMESPACE', ...names] : names;
}

/** Its rows. `columns` are those of the table, or of an earlier one: further tables of a watch come without. */
export function rowsOf(
  { rows }: Pick<ServerTable, 'rows'>,
  columns: ServerTable['columnDefinitions'],
  { wide, withNamespace }: TableShape,
): string[][] {
  return rows.map(({ cells, object }) => {
    const shown = cells.filter((_, index) => wide || (columns[index]?.priority ?? 0) === 0).map(cellText);
    return withNamespace ? [object?.metadata.namespace ?? '', ...shown] : shown;
  });
}

/** Control characters of an object must not reach the terminal. */
function cellText(cell: unknown): string {
  const text = cell == null ? '<none>' : typeof cell === 'string' ? cell : JSON.stringify(cell);
  return text.replaceAll(/\p{Cc}/gu, '?');
}
