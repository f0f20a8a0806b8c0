import { applyPatch, type Operation } from 'rfc6902';
import { validate, z } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';
import { isRecord } from './json-record.ts';
import { objectMalformed } from './object-error.ts';

/** As many operations as Kubernetes takes. */
const maxOperations = 10_000;
/** What `copy` may add in all, in characters of JSON: a document that is copied into itself doubles with every step. */
const maxCopiedLength = 3 * 1024 * 1024;

const pointer = z.string().regex(/^(?:\/.*)?$/s, 'expected a JSON pointer: empty, or with "/" in front');
// JSON has no `undefined`: that is what a missing value reads as.
const value = z.unknown().refine((given) => given !== undefined, 'expected a value');

const operations = z
  .array(
    z.discriminatedUnion('op', [
      z.object({ op: z.enum(['add', 'replace', 'test']), path: pointer, value }),
      z.object({ op: z.literal('remove'), path: pointer }),
      z.object({ op: z.enum(['move', 'copy']), from: pointer, path: pointer }),
    ]),
  )
  .max(maxOperations);

/**
 * A JSON patch (RFC 6902): all of its operations, or none. Changes neither of the two. Throws `object-malformed` for what is no
 * such patch, `patch-inapplicable` for an operation that fails, naming it. The one file that knows `rfc6902`.
 */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  let root = structuredClone(target);
  let copied = 0;
  for (const [index, operation] of readOperations(patch).entries()) {
    checkPaths(root, operation, index);
    if (operation.op === 'copy') {
      copied += JSON.stringify(valueAt(root, tokensOf(operation.from))).length;
      if (copied > maxCopiedLength) throw inapplicable(index, 'it copies too much');
    }
    root = applied(root, operation, index);
  }
  return root;
}

function readOperations(patch: unknown): readonly Operation[] {
  const result = validate(operations, patch);
  if ('value' in result) return result.value;
  const [first] = result.problems;
  const [index, ...keys] = first?.path ?? [];
  const field = index === undefined ? '' : [`[${index}]`, ...keys].join('.');
  throw objectMalformed(field, `no JSON patch: ${first?.message ?? 'not valid'}`);
}

function applied(root: unknown, operation: Operation, index: number): unknown {
  // The library changes members only: the whole document gets a holder, to be one.
  const holder: Record<string, unknown> = { root };
  const inHolder = { ...operation, path: `/root${operation.path}` };
  if ('from' in inHolder) inHolder.from = `/root${inHolder.from}`;
  try {
    const [failure] = applyPatch(holder, [inHolder]);
    if (failure !== null && failure !== undefined) throw failure;
    return holder['root'];
  } catch (error) {
    const isTest = error instanceof Error && error.name === 'TestError';
    throw inapplicable(index, isTest ? 'the test fails' : 'it cannot be done here', error);
  }
}

/**
 * The library reaches through prototypes and takes `length` of an array for a member, so that everything on a path has to be
 * the document's own before it sees it.
 */
function checkPaths(root: unknown, operation: Operation, index: number): void {
  switch (operation.op) {
    case 'remove':
    case 'replace':
    case 'test':
      return checkExisting(root, operation.path, index);
    case 'add':
      return checkPlace(root, operation.path, index);
    case 'move':
    case 'copy':
      checkExisting(root, operation.from, index);
      return checkPlace(root, operation.path, index);
  }
}

function checkExisting(root: unknown, path: string, index: number): void {
  if (valueAt(root, tokensOf(path, index)) === undefined)
    throw inapplicable(index, `there is nothing at ${shown(path)}`);
}

function checkPlace(root: unknown, path: string, index: number): void {
  const tokens = tokensOf(path, index);
  const last = tokens.at(-1);
  if (last === undefined) return;
  const parent = valueAt(root, tokens.slice(0, -1));
  const fits = Array.isArray(parent)
    ? last === '-' || (isIndex(last) && Number(last) <= parent.length)
    : isRecord(parent);
  if (!fits) throw inapplicable(index, `nothing can stand at ${shown(path)}`);
}

function valueAt(root: unknown, tokens: readonly string[]): unknown {
  return tokens.reduce((parent, token) => {
    if (Array.isArray(parent)) return isIndex(token) ? (parent[Number(token)] as unknown) : undefined;
    return isRecord(parent) && Object.hasOwn(parent, token) ? parent[token] : undefined;
  }, root);
}

function isIndex(token: string): boolean {
  return /^(?:0|[1-9]\d{0,8})$/.test(token);
}

function tokensOf(path: string, index = 0): readonly string[] {
  const tokens = path
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  const bad = tokens.find((token) => token === '__proto__' || token === 'constructor' || token === 'prototype');
  if (bad !== undefined) throw inapplicable(index, `a path with ${shown(bad)} is not taken`);
  return tokens;
}

function inapplicable(index: number, why: string, cause?: unknown): Error {
  return resourceError('patch-inapplicable', {
    detail: `operation ${index}: ${why}`,
    causes: [{ field: `[${index}]`, reason: 'FieldValueInvalid', message: why }],
    ...(cause === undefined ? {} : { cause }),
  });
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 120));
}
