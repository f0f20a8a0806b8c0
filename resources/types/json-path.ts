import { resourceError } from '../resource-error.ts';

/** The values at a path, in document order, at most `maxResults`; none when something on the way is missing. */
export type JsonPath = (value: unknown) => readonly unknown[];

const maxPathCharacters = 1024;
const maxSteps = 64;
/** Values that one step may hand to the next: a path is evaluated for every row of a table. */
const maxResults = 1000;

/**
 * Compiles what CustomResourceDefinitions use of Kubernetes' JSONPath: `.spec.a`, `.metadata.labels.x\.y/z`, `['x.y/z']`,
 * `[0]`, `[-1]`, `[*]`, `[?(@.type=="Ready")]` with `==`, `!=`, `<`, `<=`, `>`, `>=` or none (there is such a field). No recursive
 * descent, no slices. Nothing is evaluated as code. Throws `definition-invalid`.
 */
export function compileJsonPath(text: string): JsonPath {
  const steps = parse(text);
  if (typeof steps === 'string') throw resourceError('definition-invalid', { detail: `path ${text}: ${steps}` });
  return (value) => evaluate(steps, value);
}

/** What is wrong with a path; undefined when it compiles. */
export function jsonPathProblem(text: string): string | undefined {
  const steps = parse(text);
  return typeof steps === 'string' ? steps : undefined;
}

type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'all' }
  | { readonly type: 'filter'; readonly path: readonly Step[]; readonly test: FilterTest | undefined };

interface FilterTest {
  readonly operator: string;
  readonly operand: string | number | boolean;
}

/** A field name: `\.` is a dot that belongs to it. */
const fieldPattern = /^\.((?:\\.|[^\\.[\]\s'"()@?*])+)/;
const quotedPattern = /^\[(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")\]/;
const indexPattern = /^\[(-?\d{1,9})\]/;
const filterPattern =
  /^\[\?\(\s*@((?:\.(?:\\.|[^\\.[\]\s'"()@?*=!<>])+)*)\s*(?:(==|!=|<=|>=|<|>)\s*('[^']*'|"[^"]*"|-?\d+(?:\.\d+)?|true|false)\s*)?\)\]/;

function parse(text: string): readonly Step[] | string {
  if (text.length > maxPathCharacters) return `longer than ${maxPathCharacters} characters`;
  const steps: Step[] = [];
  let rest = text.startsWith('$') ? text.slice(1) : text;
  if (rest === '') return 'it is empty';
  while (rest !== '') {
    const read = readStep(rest);
    if (read === undefined) return `not understood from ${JSON.stringify(rest.slice(0, 40))} on`;
    steps.push(read.step);
    if (steps.length > maxSteps) return `more than ${maxSteps} steps`;
    rest = rest.slice(read.length);
  }
  return steps;
}

function readStep(rest: string): { readonly step: Step; readonly length: number } | undefined {
  for (const wildcard of ['[*]', '.*'])
    if (rest.startsWith(wildcard)) return { step: { type: 'all' }, length: wildcard.length };
  const field = fieldPattern.exec(rest);
  if (field !== null) return { step: { type: 'field', name: unescape(field[1]) }, length: field[0].length };
  const quoted = quotedPattern.exec(rest);
  if (quoted !== null)
    return { step: { type: 'field', name: unescape(quoted[1] ?? quoted[2]) }, length: quoted[0].length };
  const index = indexPattern.exec(rest);
  if (index !== null) return { step: { type: 'index', index: Number(index[1]) }, length: index[0].length };
  const filter = filterPattern.exec(rest);
  if (filter === null) return undefined;
  const [whole, path = '', operator, operand] = filter;
  const steps = path === '' ? [] : parse(path);
  if (typeof steps === 'string') return undefined;
  const test = operator === undefined || operand === undefined ? undefined : { operator, operand: literal(operand) };
  return { step: { type: 'filter', path: steps, test }, length: whole.length };
}

function unescape(name = ''): string {
  return name.replaceAll(/\\(.)/g, '$1');
}

function literal(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^['"]/.test(text) ? text.slice(1, -1) : Number(text);
}

function evaluate(steps: readonly Step[], value: unknown): readonly unknown[] {
  let values: readonly unknown[] = [value];
  for (const step of steps) {
    const next: unknown[] = [];
    for (const from of values) {
      follow(step, from, next);
      if (next.length >= maxResults) break;
    }
    values = next;
  }
  return values;
}

function follow(step: Step, from: unknown, next: unknown[]): void {
  if (typeof from !== 'object' || from === null) return;
  switch (step.type) {
    case 'field':
      if (!Array.isArray(from) && Object.hasOwn(from, step.name)) next.push(Reflect.get(from, step.name));
      return;
    case 'index':
      if (Array.isArray(from) && from.at(step.index) !== undefined) next.push(from.at(step.index));
      return;
    case 'all':
      for (const value of membersOf(from)) next.push(value);
      return;
    case 'filter':
      for (const value of membersOf(from)) if (passes(step, value)) next.push(value);
  }
}

function membersOf(from: object): readonly unknown[] {
  const members: readonly unknown[] = Array.isArray(from) ? from : Object.values(from);
  return members.length > maxResults ? members.slice(0, maxResults) : members;
}

function passes({ path, test }: Extract<Step, { type: 'filter' }>, member: unknown): boolean {
  const [value] = evaluate(path, member);
  if (test === undefined) return value !== undefined;
  const { operator, operand } = test;
  if (typeof value !== typeof operand) return operator === '!=' && value !== undefined;
  if (operator === '==') return value === operand;
  if (operator === '!=') return value !== operand;
  if (!isOrdered(value) || !isOrdered(operand)) return false;
  if (operator === '<') return value < operand;
  if (operator === '<=') return value <= operand;
  return operator === '>' ? value > operand : value >= operand;
}

function isOrdered(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}
