export { AuditEndpoint } from './audit-endpoint.ts';
export { noAudit, type Audit, type AuditEvent } from './audit-event.ts';
export { AuditLog, type AuditLogOptions } from './audit-log.ts';
export { registerAuditMetrics } from './audit-metrics.ts';
export { LinkAudit } from './link-audit.ts';
export { PassageAudit } from './passage-audit.ts';
export { RequestAudit } from './request-audit.ts';
