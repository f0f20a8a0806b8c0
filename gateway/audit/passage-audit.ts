import type { CodedError } from '../../base/index.ts';
import type { Passage, StreamTarget } from '../../tunnel/index.ts';
import type { Audit } from './audit-event.ts';
import { isRead, streamFacts, type AccessOf } from './stream-facts.ts';

export interface PassageAuditOptions {
  readonly audit: Audit;
  readonly accessOf: AccessOf;
}

/**
 * What clients with links opened and were refused. A stream that goes on over another link passes anew: each passage has its
 * own end, with the bytes that passed by it.
 */
export class PassageAudit {
  readonly #options: PassageAuditOptions;

  constructor(options: PassageAuditOptions) {
    this.#options = options;
  }

  allowed(target: StreamTarget, remote: string | undefined): void {
    const { audit, accessOf } = this.#options;
    if (isRead(target)) return;
    const { event, lasts } = streamFacts(target, accessOf);
    if (lasts) audit.record({ ...event, outcome: 'allowed', remote });
  }

  refused(target: StreamTarget, remote: string | undefined, { code, message }: CodedError): void {
    const { event } = streamFacts(target, undefined);
    this.#options.audit.record({ ...event, outcome: 'refused', code, reason: message, remote });
  }

  ended({ target, answer, bytesUp, bytesDown, durationMs }: Passage, remote: string | undefined): void {
    const { audit, accessOf } = this.#options;
    if (answer === 'none' || isRead(target)) return;
    const bytes = bytesUp + bytesDown;
    const { event } = streamFacts(target, accessOf);
    audit.record({ ...event, outcome: answer === 'taken' ? 'done' : 'failed', bytes, durationMs, remote });
  }
}
