export type { Audit, AuditEvent } from './audit-event.ts';
