/** How an answer's state of an edge came about, and how far it can be trusted. */
export interface CachedState {
  readonly edge: string;
  /** How long ago the copy was last known to be what the edge has, ms. */
  readonly ageMs: number;
  /** The feed from the edge is open: what changes there comes here. */
  readonly isConnected: boolean;
  /** Whether any link reaches the edge. */
  readonly isOnline: boolean;
  /** Milliseconds since 1970; undefined: not known. */
  readonly lastContact: number | undefined;
  /** What the edge's agent says of its API. */
  readonly problem?: { readonly reason: string; readonly message: string } | undefined;
  /** The edge was asked and did not answer. */
  readonly hasFailed?: boolean;
}

/** What `Age` says of a copy that was never known to be the edge's (RFC 9111, 1.2.2). */
const NEVER_SECONDS = 2_147_483_648;

export type AnswerHeaders = Record<string, string | readonly string[]>;

/**
 * What an answer from the cache says of itself: `Age`, `Cache-Status` (RFC 9211), the edge's state, and `Warning` when
 * the copy may be behind. 110 and 111 are HTTP's words; 299 is the one that kubectl shows.
 */
export function cachedHeaders(state: CachedState): AnswerHeaders {
  const { edge, ageMs, isConnected, hasFailed = false, problem } = state;
  const ageSeconds = secondsOf(ageMs);
  const detail = isConnected && problem === undefined ? 'synced' : 'stale';
  const headers: AnswerHeaders = {
    'Age': String(ageSeconds),
    // It is never fresh by itself: `max-stale` counts from the moment at which it was the edge's.
    'Cache-Status': `causeway; hit; ttl=${-ageSeconds}; detail=${detail}`,
    'Causeway-Edge-State': edgeStateOf(state),
    // Who reads an older one back from a cache of its own is told nothing of the edge.
    'Cache-Control': 'private, no-cache',
    'Vary': 'Accept',
  };
  const warnings: string[] = [];
  if (detail === 'stale') {
    const why = problem === undefined ? 'is not in contact' : `does not tell its changes (${problem.reason})`;
    warnings.push(
      '110 causeway "Response is Stale"',
      `299 causeway "${quotable(`edge ${edge} ${why}: this is its state ${ageSeconds} s ago`)}"`,
    );
  }
  if (hasFailed) warnings.push('111 causeway "Revalidation Failed"');
  if (warnings.length > 0) headers['Warning'] = warnings;
  return headers;
}

/** `online`, or `offline` with when the edge was last heard of: `offline; last-contact=2026-01-02T03:04:05Z`. */
export function edgeStateOf({ isOnline, lastContact }: Pick<CachedState, 'isOnline' | 'lastContact'>): string {
  if (isOnline) return 'online';
  return lastContact === undefined ? 'offline' : `offline; last-contact=${wholeSeconds(lastContact)}`;
}

/** The `Cache-Status` of an answer that came from the edge, with why it was asked. */
export function forwardedStatus(reason: 'bypass' | 'method' | 'request' | 'miss' | 'stale' | 'uri-miss'): string {
  return `causeway; fwd=${reason}`;
}

export function secondsOf(ageMs: number): number {
  return Math.min(NEVER_SECONDS, Math.floor(ageMs / 1000));
}

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export function wholeSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/u, 'Z');
}

/** What may stand in a quoted string of a header. */
function quotable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]|["\\]/gu, '?').slice(0, 256);
}
