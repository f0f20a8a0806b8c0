import { validate, z } from '../../base/index.ts';
import type { PagePosition } from '../collection/collection.ts';
import { invalidParameter } from './query-reader.ts';

/** The form of the token below; one of another form is none of ours. */
const form = 1;
/** Names and a namespace of full length, in base64. */
const maxTokenLength = 2048;

const content = z.strictObject({
  v: z.literal(form),
  /** The version of the list. */
  rv: z.number().int().positive(),
  /** Namespace and name of the last object. */
  ns: z.string().max(253),
  n: z.string().min(1).max(512),
});

/** Where the next page begins, for `metadata.continue`. It is no secret, and what it says is asked of the caller's policy like any other. */
export function formatContinueToken({ version, namespace, name }: PagePosition): string {
  return Buffer.from(JSON.stringify({ v: form, rv: version, ns: namespace, n: name })).toString('base64url');
}

/** Throws `request-invalid`, naming `continue`, for what `formatContinueToken` did not make. */
export function parseContinueToken(token: string): PagePosition {
  const value = token.length <= maxTokenLength && /^[\w-]+$/.test(token) ? decode(token) : undefined;
  const result = validate(content, value);
  if ('problems' in result) throw invalidParameter('continue', token, 'this is no token of this API');
  const { rv, ns, n } = result.value;
  return { version: rv, namespace: ns, name: n };
}

function decode(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
}
