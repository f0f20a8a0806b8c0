import type { Access, AccessAttributes } from '../../resources/index.ts';
import type { StreamTarget } from '../../tunnel/index.ts';
import { attributesOf, pathAttributes } from '../stream-access.ts';
import type { AuditEvent } from './audit-event.ts';

export type AccessOf = (principal: string) => Pick<Access, 'explain'>;

/** What the audit says of a stream, however it ends. */
export interface StreamFacts {
  readonly event: Omit<AuditEvent, 'outcome'>;
  /** It stays open as long as its ends like: its begin is told, and its end. Others are told of at their end. */
  readonly lasts: boolean;
}

const readVerbs = new Set(['get', 'list', 'watch']);

/**
 * A stream as an event of the audit, with the rule that allows it now. Without `accessOf` for one that was refused: no rule
 * did it, and what it asks for may be anything, which policies are not asked about.
 */
export function streamFacts(target: StreamTarget, accessOf: AccessOf | undefined, isUpgrade = false): StreamFacts {
  const { principal, edge, service, path } = target;
  const asked = askedOf(target);
  const lasts = target.kind !== 'http' || isUpgrade;
  const action = lasts && readVerbs.has(asked.verb) ? 'connect' : asked.verb.toLowerCase();
  const rule = accessOf?.(principal).explain?.(asked).rule;
  return { event: { action, principal, edge, service, path, rule }, lasts };
}

/** Whether a stream only reads: then it is told of where it is refused, and nowhere else. */
export function isRead(target: StreamTarget): boolean {
  return target.kind === 'http' && readVerbs.has(askedOf(target).verb);
}

/** Of a target that is refused since nobody can read it, too: who sends one must not get away unseen. */
function askedOf(target: StreamTarget): AccessAttributes {
  try {
    return attributesOf(target);
  } catch {
    return { ...pathAttributes(target.edge, target.service, target.path), verb: 'connect' };
  }
}

/** How a stream ended. */
export function endOf(code: string | undefined, isRefused: boolean): Pick<AuditEvent, 'outcome' | 'code'> {
  if (code === undefined) return { outcome: 'done' };
  return { outcome: isRefused ? 'refused' : 'failed', code };
}
