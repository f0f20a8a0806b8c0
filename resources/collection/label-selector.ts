import { resourceError } from '../resource-error.ts';
import { maxSelectorLength, type LabelRequirement } from './selector.ts';

/**
 * Reads a label selector as Kubernetes writes it: `a=b,c==d,e!=f,g in (h,i),j notin (k),l,!m`, blanks between the parts
 * allowed; empty means everything. Throws `selector-invalid`, which names the place and what is wrong there.
 */
export function parseLabelSelector(text: string): LabelRequirement[] {
  if (text.length > maxSelectorLength)
    throw resourceError('selector-invalid', { detail: `${text.length} characters, at most ${maxSelectorLength}` });
  const reader = new TokenReader(text);
  const requirements: LabelRequirement[] = [];
  if (reader.peek().text === '') return requirements;
  for (;;) {
    requirements.push(parseRequirement(reader));
    const token = reader.next();
    if (token.text === '') return requirements;
    if (token.text !== ',') reader.fail(token, 'a comma or the end is expected');
  }
}

/** The text that `parseLabelSelector` reads as the same. */
export function formatLabelSelector(requirements: readonly LabelRequirement[]): string {
  return requirements
    .map((requirement) => {
      const { key, operator } = requirement;
      switch (operator) {
        case 'Exists':
          return key;
        case 'DoesNotExist':
          return `!${key}`;
        case 'In':
        case 'NotIn': {
          const { values } = requirement;
          if (values.length === 1) return `${key}${operator === 'In' ? '=' : '!='}${values[0]}`;
          return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
        }
      }
    })
    .join(',');
}

function parseRequirement(reader: TokenReader): LabelRequirement {
  const isNegated = reader.peek().text === '!';
  if (isNegated) reader.next();
  const keyToken = reader.next();
  const key = keyToken.text;
  if (!isWord(key)) reader.fail(keyToken, 'a label key is expected');
  const problem = labelKeyProblem(key);
  if (problem !== undefined) reader.fail(keyToken, problem);
  if (isNegated) return { key, operator: 'DoesNotExist' };

  const operator = reader.peek();
  switch (operator.text) {
    case '=':
    case '==':
    case '!=':
      reader.next();
      return { key, operator: operator.text === '!=' ? 'NotIn' : 'In', values: [parseValue(reader)] };
    case 'in':
    case 'notin':
      reader.next();
      return { key, operator: operator.text === 'in' ? 'In' : 'NotIn', values: parseValues(reader) };
    default:
      if (operator.text !== '' && operator.text !== ',')
        reader.fail(operator, 'one of =, ==, !=, in, notin, a comma or the end is expected');
      return { key, operator: 'Exists' };
  }
}

function parseValues(reader: TokenReader): readonly string[] {
  const open = reader.next();
  if (open.text !== '(') reader.fail(open, 'an opening parenthesis is expected');
  if (reader.peek().text === ')') reader.fail(reader.peek(), 'at least one value is expected');
  const values = new Set<string>();
  for (;;) {
    values.add(parseValue(reader));
    const token = reader.next();
    if (token.text === ')') return [...values];
    if (token.text !== ',') reader.fail(token, 'a comma or a closing parenthesis is expected');
  }
}

/** A value may be empty: `a=`, `a in (,b)`. */
function parseValue(reader: TokenReader): string {
  const token = reader.peek();
  if (!isWord(token.text)) return '';
  reader.next();
  const problem = labelValueProblem(token.text);
  if (problem !== undefined) reader.fail(token, problem);
  return token.text;
}

/** What is wrong with the key of a label: `[dns-subdomain/]name`, as Kubernetes takes it. */
export function labelKeyProblem(key: string): string | undefined {
  const slash = key.indexOf('/');
  const prefix = slash === -1 ? undefined : key.slice(0, slash);
  if (
    prefix !== undefined &&
    (prefix.length > 253 || !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(prefix))
  )
    return 'the part of a label key before the slash is a lower-case DNS name of at most 253 characters';
  const name = key.slice(slash + 1);
  if (name === '' || labelValueProblem(name) !== undefined)
    return 'the name of a label key is 1 to 63 letters, digits, "-", "_" or ".", with a letter or digit at both ends';
  return undefined;
}

/** What is wrong with the value of a label, as Kubernetes takes it. */
export function labelValueProblem(value: string): string | undefined {
  if (value === '' || (value.length <= 63 && /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(value)))
    return undefined;
  return 'a label value is at most 63 letters, digits, "-", "_" or ".", with a letter or digit at both ends';
}

interface Token {
  /** Empty: the end. */
  readonly text: string;
  readonly at: number;
}

const separators = ['==', '!=', '=', '!', ',', '(', ')'];

function isWord(token: string): boolean {
  return token !== '' && !separators.includes(token);
}

class TokenReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  peek(): Token {
    while (/^\s$/.test(this.#text[this.#at] ?? '')) this.#at++;
    const at = this.#at;
    const separator = separators.find((text) => this.#text.startsWith(text, at));
    if (separator !== undefined) return { text: separator, at };
    let end = at;
    while (end < this.#text.length && !/[\s=!,()]/.test(this.#text[end] ?? '')) end++;
    return { text: this.#text.slice(at, end), at };
  }

  next(): Token {
    const token = this.peek();
    this.#at = token.at + token.text.length;
    return token;
  }

  fail(token: Token, problem: string): never {
    const found = token.text === '' ? 'the end' : JSON.stringify(token.text.slice(0, 80));
    throw resourceError('selector-invalid', { detail: `${found} at character ${token.at + 1}: ${problem}` });
  }
}
