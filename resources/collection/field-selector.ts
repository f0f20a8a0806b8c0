import { resourceError } from '../resource-error.ts';
import type { ResourceType } from '../types/resource-type.ts';
import { maxSelectorLength, type FieldRequirement } from './selector.ts';

/**
 * Reads a field selector as Kubernetes writes it: `metadata.name=x,spec.nodeName!=y`, with `\` before a comma, an equals sign
 * or a backslash of a value; empty means everything. Throws `selector-invalid`: with the place, or, for a field that the type
 * does not select by, with the fields that it does.
 */
export function parseFieldSelector(
  text: string,
  { selectableFields }: Pick<ResourceType, 'selectableFields'>,
): FieldRequirement[] {
  if (text.length > maxSelectorLength)
    throw resourceError('selector-invalid', { detail: `${text.length} characters, at most ${maxSelectorLength}` });
  const supported = ['metadata.name', 'metadata.namespace', ...selectableFields];
  const requirements: FieldRequirement[] = [];
  for (const { term, at } of termsOf(text)) {
    const match = /^([^=!]*)(==|!=|=)/.exec(term);
    const [whole = '', path = '', operator] = match ?? [];
    if (match === null) fail(at, `${quote(term)} is not of the form field=value or field!=value`);
    if (!supported.includes(path))
      throw resourceError('selector-invalid', {
        detail: `field label not supported: ${quote(path)}; supported: ${supported.join(', ')}`,
      });
    const value = unescape(term.slice(whole.length), at + whole.length);
    requirements.push({ path, operator: operator === '!=' ? '!=' : '=', value });
  }
  return requirements;
}

/** The text that `parseFieldSelector` reads as the same. */
export function formatFieldSelector(requirements: readonly FieldRequirement[]): string {
  return requirements
    .map(({ path, operator, value }) => `${path}${operator}${value.replaceAll(/[\\,=]/g, String.raw`\$&`)}`)
    .join(',');
}

/** The parts between commas that are not escaped; empty ones mean nothing. */
function* termsOf(text: string): Generator<{ readonly term: string; readonly at: number }> {
  let at = 0;
  for (let i = 0; i <= text.length; i++) {
    if (text[i] === '\\') i++;
    else if (i === text.length || text[i] === ',') {
      if (i > at) yield { term: text.slice(at, i), at };
      at = i + 1;
    }
  }
  // A backslash at the very end has nothing behind it.
  if (at < text.length && text.endsWith('\\')) yield { term: text.slice(at), at };
}

function unescape(escaped: string, at: number): string {
  let value = '';
  for (let i = 0; i < escaped.length; i++) {
    const character = escaped[i] ?? '';
    if (character === '=') fail(at + i, 'an equals sign in a value is written \\=');
    if (character !== '\\') {
      value += character;
      continue;
    }
    const escapee = escaped[++i] ?? '';
    if (escapee === '' || !'\\,='.includes(escapee))
      fail(at + i - 1, 'a backslash stands before a comma, = or \\ only');
    value += escapee;
  }
  return value;
}

function fail(at: number, problem: string): never {
  throw resourceError('selector-invalid', { detail: `at character ${at + 1}: ${problem}` });
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
