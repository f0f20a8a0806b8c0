import { codeOf, messageOf, type Clock, type CodedError } from '../../base/index.ts';
import type { Peer } from '../peer.ts';
import type { Audit, AuditEvent } from './audit-event.ts';

/** Which links came, which were refused, and how long they stayed. */
export class LinkAudit {
  readonly #audit: Audit;
  readonly #clock: Clock;

  constructor(audit: Audit, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** `peer` is undefined where the handshake, or its certificate, proved nobody. */
  refused(peer: Peer | undefined, remote: string | undefined, error: unknown): void {
    const why = { code: codeOf(error), reason: messageOf(error) };
    this.#audit.record({ ...whose(peer), outcome: 'refused', ...why, remote });
  }

  /** Returns what is to be called when the link has ended. */
  opened(peer: Peer, remote: string | undefined): (reason: CodedError) => void {
    const from = this.#clock.now();
    this.#audit.record({ ...whose(peer), outcome: 'allowed', remote });
    return ({ code, message: reason }) => {
      const durationMs = this.#clock.now() - from;
      this.#audit.record({ ...whose(peer), outcome: 'done', code, reason, durationMs, remote });
    };
  }
}

function whose(peer: Peer | undefined): Pick<AuditEvent, 'action' | 'principal' | 'edge'> {
  if (peer === undefined) return { action: 'link', principal: '' };
  const { identity, principal } = peer;
  return { action: 'link', principal, ...(identity.kind === 'edge' ? { edge: identity.id } : {}) };
}
