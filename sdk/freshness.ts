import type { AnswerHeaders } from '../resources/index.ts';

/** How far an answer is the present. */
export interface Freshness {
  /** It came from a replica's cache. */
  readonly fromCache: boolean;
  /** Seconds since it was known to be the edge's state; of a fleet's list: of its oldest part. 0: live. */
  readonly age: number;
  /** It may be behind: the edge, or one of them, is not in contact. */
  readonly isStale: boolean;
  /** What the replica says about it, in words. */
  readonly warnings: readonly string[];
  /** Edges that a partial answer leaves out. */
  readonly missingEdges: readonly string[];
  /** Edges whose part is as old as it was when they were last in contact. */
  readonly staleEdges: readonly string[];
}

/** How old an answer from a cache may be: `'5s'`, `'2m'`, milliseconds, or however old it is. */
export type MaxStale = number | 'any' | `${number}${'ms' | 's' | 'm' | 'h'}`;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads what an answer's head says of itself (RFC 9111, RFC 9211). */
export function freshnessOf(headers: AnswerHeaders): Freshness {
  const status = linesOf(headers['cache-status']).join(', ');
  const warnings = linesOf(headers['warning']);
  const age = Number(linesOf(headers['age'])[0] ?? 0);
  return {
    fromCache: /;\s*hit\b/iu.test(status),
    age: Number.isFinite(age) && age >= 0 ? age : 0,
    isStale: warnings.some((line) => /^11[01]\b/u.test(line)),
    // 299 is the one that is written for people.
    warnings: warnings.flatMap((line) => /^299 \S+ "(.*?)"/u.exec(line)?.[1] ?? []),
    missingEdges: edgesIn(headers['causeway-missing-edges']),
    staleEdges: edgesIn(headers['causeway-stale-edges']),
  };
}

/** The request header that asks for it. Throws a `TypeError` for what is no duration. */
export function cacheControlOf(maxStale: MaxStale | undefined): Readonly<Record<string, string>> {
  if (maxStale === undefined) return {};
  if (maxStale === 'any') return { 'cache-control': 'max-stale' };
  // HTTP counts whole seconds, and less is what was asked for.
  return { 'cache-control': `max-stale=${Math.floor(durationMs(maxStale) / 1000)}` };
}

function durationMs(duration: number | string): number {
  if (typeof duration === 'number' && duration >= 0 && Number.isFinite(duration)) return duration;
  const [, value, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/u.exec(String(duration)) ?? [];
  const ms = Number(value) * (UNIT_MS[unit] ?? Number.NaN);
  if (!Number.isFinite(ms))
    throw new TypeError(`maxStale is 'any' or a time such as '5s', not ${JSON.stringify(duration)}`);
  return ms;
}

function linesOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  // Node joins what came in several lines; a comma inside quotes is none between them.
  const lines = typeof value === 'string' ? [value] : value;
  return lines.flatMap((line) => line.match(/(?:[^,"]|"(?:\\.|[^"\\])*")+/gu) ?? []).map((line) => line.trim());
}

function edgesIn(value: string | readonly string[] | undefined): readonly string[] {
  return linesOf(value).map((entry) => entry.split(';')[0] ?? '');
}
