export const auditPath = '/v1/audit';

/** What was decided or done, and for whom: one line of the audit log. It never holds a secret, a body or a stream's id. */
export interface AuditEvent {
  /** What was asked for, in kebab case: `link`, `enrol`, `renew`, `revoke`, or the verb of a request: `connect`, `delete`. */
  readonly action: string;
  /** `allowed`: it may, and began. `refused`: it may not. `done` and `failed`: it was allowed, and this is how it ended. */
  readonly outcome: AuditOutcome;
  /** `operator/alice`, `edge/edge-1`; empty for the unauthenticated. */
  readonly principal: string;
  readonly edge?: string | undefined;
  readonly service?: string | undefined;
  /** Path at the service, without its query, or the resource that was written. */
  readonly path?: string | undefined;
  /** Code of the error that refused it, or that it failed with. */
  readonly code?: string | undefined;
  /** Why, for people. */
  readonly reason?: string | undefined;
  /** The rule of the policy that decided, as `POLICY#INDEX`, or the role. */
  readonly rule?: string | undefined;
  /** Address of the peer. */
  readonly remote?: string | undefined;
  /** Both directions together. */
  readonly bytes?: number | undefined;
  readonly durationMs?: number | undefined;
  /** So many events like this one, which stands for them. Missing: 1. */
  readonly count?: number | undefined;
}

/** An event as it stands in the log: when it happened, and which replica saw it. */
export interface AuditRecord extends AuditEvent {
  /** RFC 3339 in UTC, with milliseconds. */
  readonly time: string;
  /** `SITE/NAME`. */
  readonly replica: string;
}

export const auditOutcomes = ['allowed', 'refused', 'done', 'failed'] as const;

export type AuditOutcome = (typeof auditOutcomes)[number];

/**
 * The text fields in the order of a line, and how many characters of each are kept: all that a peer can choose is bounded, and
 * with it the line.
 */
export const auditTextFields = {
  action: 64,
  outcome: 16,
  principal: 320,
  edge: 64,
  service: 64,
  path: 512,
  code: 64,
  reason: 512,
  rule: 128,
  remote: 64,
} as const satisfies Partial<Record<keyof AuditEvent, number>>;

export const auditNumberFields = ['bytes', 'durationMs', 'count'] as const satisfies (keyof AuditEvent)[];

/** A longer line was not written by an audit log: the longest one has every character escaped. */
export const maxAuditLineLength = 16 * 1024;

const textNames = Object.keys(auditTextFields);

/** Reads a line of an audit log, with or without its `\n`; undefined for what is none. */
export function parseAuditRecord(line: string): AuditRecord | undefined {
  if (line.length > maxAuditLineLength || !line.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(line) as Partial<Record<string, unknown>>;
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: Partial<Record<string, unknown>>): value is Partial<Record<string, unknown>> & AuditRecord {
  return (
    ['time', 'replica', 'action', 'principal'].every((name) => typeof value[name] === 'string') &&
    auditOutcomes.some((outcome) => outcome === value['outcome']) &&
    textNames.every((name) => value[name] === undefined || typeof value[name] === 'string') &&
    auditNumberFields.every((name) => value[name] === undefined || typeof value[name] === 'number')
  );
}
