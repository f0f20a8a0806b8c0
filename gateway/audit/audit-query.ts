import { auditOutcomes, type AuditOutcome, type AuditRecord } from '../../api/index.ts';
import { resourceError } from '../../resources/index.ts';

/** What is asked of an audit log. */
export interface AuditQuery {
  /** Exact, or with `*` at its end a prefix. Undefined: all. */
  readonly principal: string | undefined;
  readonly edge: string | undefined;
  /** Any of these; empty: all. */
  readonly actions: readonly string[];
  readonly outcomes: readonly AuditOutcome[];
  /** As `Date.now()`; from `since` on, before `until`. */
  readonly since: number | undefined;
  readonly until: number | undefined;
  /** The newest so many of what is there; 0: all. */
  readonly limit: number;
  /** Goes on with what comes. */
  readonly follow: boolean;
}

const names = ['principal', 'edge', 'action', 'outcome', 'since', 'until', 'limit', 'follow'];
const MAX_LIMIT = 10_000;
const DEFAULT_LIMIT = 1000;
const MAX_TEXT = 320;
const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads the query of a request for the audit log. Throws `request-invalid` for a parameter that is not understood. */
export function parseAuditQuery(query: URLSearchParams, now: number): AuditQuery {
  for (const name of query.keys()) {
    if (!names.includes(name)) throw invalid(`unknown parameter ${JSON.stringify(name.slice(0, 40))}`);
    if (query.getAll(name).length > 1) throw invalid(`${name} is given twice`);
  }
  const outcomes = listOf(query, 'outcome').map((text) => {
    const outcome = auditOutcomes.find((one) => one === text);
    if (outcome === undefined) throw invalid(`outcome is one of ${auditOutcomes.join(', ')}`);
    return outcome;
  });
  return {
    principal: textOf(query, 'principal'),
    edge: textOf(query, 'edge'),
    actions: listOf(query, 'action'),
    outcomes,
    since: timeOf(query, 'since', now),
    until: timeOf(query, 'until', now),
    limit: limitOf(query.get('limit')),
    follow: flagOf(query.get('follow')),
  };
}

/** Whether a record is what was asked for. */
export function matches(query: AuditQuery, record: AuditRecord): boolean {
  const { principal, edge, actions, outcomes, since, until } = query;
  if (edge !== undefined && record.edge !== edge) return false;
  if (principal !== undefined && !isNamed(principal, record.principal)) return false;
  if (actions.length > 0 && !actions.includes(record.action)) return false;
  if (outcomes.length > 0 && !outcomes.includes(record.outcome)) return false;
  if (since === undefined && until === undefined) return true;
  const time = Date.parse(record.time);
  return (since === undefined || time >= since) && (until === undefined || time < until);
}

function isNamed(wanted: string, principal: string): boolean {
  return wanted.endsWith('*') ? principal.startsWith(wanted.slice(0, -1)) : principal === wanted;
}

function textOf(query: URLSearchParams, name: string): string | undefined {
  const text = query.get(name) ?? undefined;
  if (text !== undefined && text.length > MAX_TEXT) throw invalid(`${name} is longer than ${MAX_TEXT} characters`);
  return text;
}

function listOf(query: URLSearchParams, name: string): readonly string[] {
  return (
    textOf(query, name)
      ?.split(',')
      .filter((text) => text !== '') ?? []
  );
}

/** A moment (RFC 3339), or how long ago: `90s`, `15m`, `1h`, `7d`. */
function timeOf(query: URLSearchParams, name: string, now: number): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const [, amount, unit = ''] = /^(\d{1,9})([smhd])$/u.exec(text) ?? [];
  if (amount !== undefined) return now - Number(amount) * (unitMs[unit] ?? 0);
  const time = /^\d{4}-\d\d-\d\dT[\d:.]{5,16}(?:Z|[+-]\d\d:\d\d)$/u.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw invalid(`${name} is a time such as 2030-01-31T12:00:00Z, or how long ago: 15m, 1h, 7d`);
}

function limitOf(text: string | null): number {
  if (text === null) return DEFAULT_LIMIT;
  if (/^\d{1,6}$/u.test(text) && Number(text) <= MAX_LIMIT) return Number(text);
  throw invalid(`limit is a whole number up to ${MAX_LIMIT}; 0 gives all`);
}

function flagOf(text: string | null): boolean {
  if (text === null || text === '0' || text === 'false') return false;
  if (text === '1' || text === 'true' || text === '') return true;
  throw invalid('follow is 1 or 0');
}

function invalid(detail: string): Error {
  return resourceError('request-invalid', { detail });
}
