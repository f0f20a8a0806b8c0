import type { AuditEvent } from '../../api/index.ts';

export type { AuditEvent } from '../../api/index.ts';

/** Takes what happened; the time is the moment of the call. Never throws, never waits. */
export interface Audit {
  record(event: AuditEvent): void;
}

/** An audit that keeps nothing: for parts that are used on their own. */
export const noAudit: Audit = { record: () => undefined };
