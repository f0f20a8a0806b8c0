/** A comparison of one label, as Kubernetes' `matchExpressions` has it. */
export interface LabelExpression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  /** For `In` and `NotIn`. */
  readonly values: readonly string[];
}

/** At which edges: named ones (a name, a beginning with `*`), or those with certain labels. */
export type EdgeSelection =
  | { readonly names: readonly string[] }
  | { readonly labels: Readonly<Record<string, string>>; readonly expressions: readonly LabelExpression[] };

export type Labels = Readonly<Record<string, string>>;

/** Whether a name is the pattern's: the same, or, behind a `*`, anything that begins as the pattern does. */
export function matchesName(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/** Whether an edge is among those selected; one whose labels are not known (undefined) is found by its name only. */
export function selectsEdge(selection: EdgeSelection, edge: string, labels: Labels | undefined): boolean {
  if ('names' in selection) return selection.names.some((pattern) => matchesName(pattern, edge));
  const { labels: wanted, expressions } = selection;
  const pairs = Object.entries(wanted);
  // A selector that asks for nothing is no way to say "all".
  if (labels === undefined || pairs.length + expressions.length === 0) return false;
  return (
    pairs.every(([key, value]) => labelOf(labels, key) === value) &&
    expressions.every((expression) => holds(expression, labelOf(labels, expression.key)))
  );
}

/** As in Kubernetes `NotIn` also holds where there is no such label. */
function holds({ operator, values }: LabelExpression, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** A label may be called `constructor`. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
