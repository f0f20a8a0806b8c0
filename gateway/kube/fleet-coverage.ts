import { secondsOf, wholeSeconds, type AnswerHeaders } from './cache-headers.ts';
import type { FleetView } from './fleet-view.ts';

/** An edge that belongs to the fleet: on the whitelist, and once registered. */
export interface FleetEdge {
  readonly name: string;
  readonly isOnline: boolean;
  /** Milliseconds since 1970. */
  readonly lastContact: number | undefined;
  /** Whether it has a Kubernetes API at all; undefined: not known. */
  readonly hasKube: boolean | undefined;
  /** Whether its agent is told to feed this kind; undefined: not known. */
  readonly feeds: boolean | undefined;
}

/** How much of the fleet a view shows. */
export interface FleetCoverage {
  /** The oldest part, ms. */
  readonly ageMs: number;
  /** Part of the view, by a copy that may be behind. */
  readonly stale: readonly (FleetEdge & { readonly ageMs: number })[];
  /** Not part of the view, though it should be. */
  readonly missing: readonly FleetEdge[];
  /** Not part of the view, as its agent was not told to feed this kind, or its API has no such kind. */
  readonly notFed: readonly FleetEdge[];
}

/** Names are cut off behind this many: a head has its limits. */
const MAX_NAMES = 50;
const MAX_WARNINGS = 5;

export function coverageOf(view: FleetView, edges: Iterable<FleetEdge>): FleetCoverage {
  let ageMs = 0;
  const stale: (FleetEdge & { readonly ageMs: number })[] = [];
  const missing: FleetEdge[] = [];
  const notFed: FleetEdge[] = [];
  for (const edge of edges) {
    const kind = view.partOf(edge.name);
    if (kind !== undefined) {
      const { freshness } = kind;
      ageMs = Math.max(ageMs, freshness.ageMs);
      if (!freshness.isConnected || freshness.problem !== undefined) stale.push({ ...edge, ageMs: freshness.ageMs });
    } else if (edge.hasKube === false) continue;
    else if (edge.feeds === false) notFed.push(edge);
    else missing.push(edge);
  }
  return { ageMs, stale, missing, notFed };
}

/** What an answer from the view says of itself. */
export function coverageHeaders({ ageMs, stale, missing, notFed }: FleetCoverage): AnswerHeaders {
  const ageSeconds = secondsOf(ageMs);
  const detail = missing.length > 0 ? 'partial' : stale.length > 0 ? 'stale' : 'synced';
  const headers: AnswerHeaders = {
    'Age': String(ageSeconds),
    'Cache-Status': `causeway; hit; ttl=${-ageSeconds}; detail=${detail}`,
    'Cache-Control': 'private, no-cache',
    'Vary': 'Accept',
  };
  if (stale.length > 0) headers['Causeway-Stale-Edges'] = namesOf(stale);
  if (missing.length > 0) headers['Causeway-Missing-Edges'] = namesOf(missing);
  if (notFed.length > 0) headers['Causeway-Not-Fed-Edges'] = namesOf(notFed);
  const warnings = [
    ...(stale.length > 0 ? ['110 causeway "Response is Stale"'] : []),
    ...stale
      .slice(0, MAX_WARNINGS)
      .map((edge) => `299 causeway "edge ${contactOf(edge)}: this is its state ${secondsOf(edge.ageMs)} s ago"`),
    ...missing.slice(0, MAX_WARNINGS).map((edge) => `299 causeway "edge ${contactOf(edge)} is missing here"`),
  ];
  if (warnings.length > 0) headers['Warning'] = warnings;
  return headers;
}

/** `edge-2;last-contact=2026-01-02T03:04:05Z, edge-7`, and how many more there are. */
export function namesOf(edges: readonly FleetEdge[]): string {
  const names = edges
    .slice(0, MAX_NAMES)
    .map(({ name, isOnline, lastContact }) =>
      isOnline || lastContact === undefined ? name : `${name};last-contact=${wholeSeconds(lastContact)}`,
    );
  if (edges.length > MAX_NAMES) names.push(`...;more=${edges.length - MAX_NAMES}`);
  return names.join(', ');
}

function contactOf({ name, isOnline, lastContact }: FleetEdge): string {
  if (isOnline) return name;
  return lastContact === undefined ? `${name} (offline)` : `${name} (offline since ${wholeSeconds(lastContact)})`;
}
