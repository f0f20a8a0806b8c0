import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BoundedMap } from '../../base/index.ts';
import type { ResourcePath, WatchCache } from '../../resources/index.ts';
import type { AnswerHeaders } from './cache-headers.ts';

/** The tag of an object's or a list's state. A table's ages change while the state does not: it has none. */
export async function entityTagOf(
  request: IncomingMessage,
  collection: WatchCache,
  { namespace, name }: ResourcePath,
): Promise<string | undefined> {
  const accept = request.headers.accept ?? '';
  if (/as=Table/i.test(accept)) return undefined;
  const version = name === '' ? collection.version : (await collection.get(namespace, name, { match: 'any' }))?.version;
  if (version === undefined) return undefined;
  return entityTag(version, accept);
}

/** Of a version, in the form that an `Accept` gets. */
export function entityTag(version: number, accept: string = ''): string {
  let form = forms.get(accept);
  if (form === undefined) {
    form = createHash('sha256').update(accept).digest('base64url').slice(0, 8);
    if (accept.length < 256) forms.set(accept, form);
  }
  return `"${version}-${form}"`;
}

const forms = new BoundedMap<string, string>(256);

/** Whether the caller has this state already (RFC 9110, 13.1.2). */
export function hasState({ headers }: IncomingMessage, etag: string): boolean {
  const known = headers['if-none-match']?.split(',').map((part) => part.trim().replace(/^W\//u, '')) ?? [];
  return known.includes(etag) || known.includes('*');
}

export function answerNotModified(response: ServerResponse, headers: AnswerHeaders): void {
  for (const [name, value] of Object.entries(headers))
    response.setHeader(name, typeof value === 'string' ? value : [...value]);
  response.writeHead(304).end();
}
