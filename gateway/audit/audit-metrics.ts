import { auditOutcomes } from '../../api/index.ts';
import type { Metrics } from '../../base/index.ts';
import type { AuditLog } from './audit-log.ts';

/** What an audit log counts, read where it is kept. */
export function registerAuditMetrics(metrics: Metrics, audit: AuditLog): void {
  metrics.gauge({
    name: 'causeway_audit_events',
    help: 'Events since the start, by outcome, those that were counted together too',
    labels: ['outcome'],
    collect: (gauge) => {
      for (const outcome of auditOutcomes) gauge.set(audit.counts[outcome], { outcome });
    },
  });
  metrics.gauge({
    name: 'causeway_audit_lost_events',
    help: 'Events since the start that could not be written',
    collect: (gauge) => gauge.set(audit.lost),
  });
  metrics.gauge({
    name: 'causeway_audit_waiting_bytes',
    help: 'Bytes of events that are not written yet',
    collect: (gauge) => gauge.set(audit.waitingBytes),
  });
}
