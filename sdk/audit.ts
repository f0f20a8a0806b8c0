import { auditPath, errorOfStatus, maxAuditLineLength, parseAuditRecord, type AuditRecord } from '../api/index.ts';
import { systemClock } from '../base/index.ts';
import { exchange, readAll, resourceError } from '../resources/index.ts';
import { tunnelError } from '../tunnel/index.ts';
import type { Api } from './api-client.ts';

/** Which events are wanted; all of it holds together. */
export interface AuditSelection {
  /** Exact, or with `*` at its end a beginning. */
  readonly principal?: string | undefined;
  readonly edge?: string | undefined;
  /** Any of these. */
  readonly actions?: readonly string[];
  /** Any of `allowed`, `refused`, `done`, `failed`. */
  readonly outcomes?: readonly string[];
  /** RFC 3339, or how long ago: `15m`, `1h`, `7d`. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** The newest so many of what is there; 0: all. Default 1000. */
  readonly limit?: number | undefined;
  /** Goes on with what comes. */
  readonly follow?: boolean;
}

/** A replica sends an empty line every 15 s. */
const SILENCE_MS = 45_000;
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * The audit log of one replica (each has its own): what was there, in order, then `caught-up`, and with `follow` what comes, until
 * the replica ends it or `signal` says so. Errors: those that the replica answers (`access-denied`, `request-invalid`, `overloaded`),
 * `link-refused`, `answer-missing`.
 */
export async function* readAudit(
  { transport }: Pick<Api, 'transport'>,
  selection: AuditSelection,
  signal?: AbortSignal,
): AsyncGenerator<AuditRecord | 'caught-up', void, undefined> {
  const path = `${auditPath}?${queryOf(selection).toString()}`;
  const request = { method: 'GET', path, headers: { accept: 'application/x-ndjson' } };
  const answer = await exchange(transport, request, { clock: systemClock, silenceMs: SILENCE_MS, signal });
  try {
    if (answer.status !== 200) throw refusalOf(answer.status, await readAll(answer.body, MAX_ERROR_BYTES));
    let isCaughtUp = false;
    for await (const line of linesOf(answer.body)) {
      const record = line === '' ? undefined : parseAuditRecord(line);
      if (record !== undefined) yield record;
      // The first empty line says that what was there has been told; further ones, that the replica is alive.
      if (line !== '' || isCaughtUp) continue;
      isCaughtUp = true;
      yield 'caught-up';
    }
  } finally {
    answer.close();
  }
}

function queryOf({ actions = [], outcomes = [], limit, follow = false, ...texts }: AuditSelection): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(texts)) if (value !== undefined) query.set(name, value);
  if (actions.length > 0) query.set('action', actions.join(','));
  if (outcomes.length > 0) query.set('outcome', outcomes.join(','));
  if (limit !== undefined) query.set('limit', String(limit));
  if (follow) query.set('follow', '1');
  return query;
}

/** A last line that is not ended is not given: nobody knows how it would have gone on. */
async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxAuditLineLength)
      throw resourceError('answer-too-large', { detail: `a line of more than ${maxAuditLineLength} characters` });
    yield* lines;
  }
}

function refusalOf(status: number, body: Buffer): Error {
  try {
    const error = errorOfStatus(JSON.parse(body.toString('utf8')));
    if (error !== undefined) return error;
  } catch {
    // What answers with anything else is no replica.
  }
  return tunnelError('link-refused', { detail: `HTTP ${status} without a Status` });
}
