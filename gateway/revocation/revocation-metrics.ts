import type { Metrics } from '../../base/index.ts';
import type { Revocations } from './revocations.ts';

export function registerRevocationMetrics(
  metrics: Metrics,
  revocations: Pick<Revocations, 'size' | 'unreadable'>,
): void {
  metrics.gauge({
    name: 'causeway_revocations',
    help: 'Identities, keys and certificates that are revoked',
    collect: (gauge) => gauge.set(revocations.size),
  });
  metrics.gauge({
    name: 'causeway_revocations_unreadable',
    help: 'Revocation objects whose latest word this replica cannot read: what they said before still counts',
    collect: (gauge) => gauge.set(revocations.unreadable),
  });
}
