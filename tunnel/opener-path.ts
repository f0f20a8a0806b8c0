import type { CodedError } from '../base/index.ts';
import type { TunnelLimits } from './limits.ts';
import { isTunnelCode, tunnelCodes, tunnelError, tunnelErrorFromWire, type TunnelCode } from './tunnel-error.ts';

/**
 * How the opener of a stream finds and keeps a path (docs/protocol.md, section 6). Pure: events in, the next state out.
 *
 * ```
 *            offered                 answered
 *  waiting ──────────► offered ────────────────► attached
 *     ▲ ▲                 │ refused, retryable       │
 *     │ └─────────────────┤                          │ lost
 *     │                   │ refused for good         │
 *     │                   ▼                          │
 *     │  deadline ─────► failed                      │
 *     └──────────────────────────────────────────────┘
 * ```
 */
export type OpenerPath =
  | (Common & { readonly phase: 'waiting'; readonly since: number; readonly retryAt: number })
  | (Common & {
      readonly phase: 'offered';
      readonly since: number;
      readonly offeredAt: number;
      readonly namesInstance: boolean;
    })
  | (Common & { readonly phase: 'attached' })
  | (Common & { readonly phase: 'failed'; readonly error: CodedError });

interface Common {
  /** Rises with each OPEN or RESUME. */
  readonly attempt: number;
  /** ACCEPT was seen: from now on RESUME, not OPEN. */
  readonly accepted: boolean;
  /** An earlier OPEN may have reached the instance that it names: nobody can say that nothing was executed. */
  readonly doubt: boolean;
  /** How often another instance answered. */
  readonly instanceChanges: number;
}

export type OpenerEvent =
  | { readonly kind: 'offered'; readonly namesInstance: boolean }
  | { readonly kind: 'answered' }
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly message: string;
      readonly byEndpoint: boolean;
      readonly retryAfterMs: number;
    }
  | { readonly kind: 'lost'; readonly code: string }
  | { readonly kind: 'tick' };

const RETRY_MS = 200;
const OVER_BUDGET_RETRY_MS = 500;
const MAX_INSTANCE_CHANGES = 5;

export function openerPath(now: number): OpenerPath {
  return { phase: 'waiting', attempt: 0, accepted: false, doubt: false, instanceChanges: 0, since: now, retryAt: now };
}

export function stepOpener(path: OpenerPath, event: OpenerEvent, now: number, limits: TunnelLimits): OpenerPath {
  if (path.phase === 'failed') return path;
  switch (event.kind) {
    case 'offered':
      if (path.phase !== 'waiting') return path;
      return {
        ...common(path),
        phase: 'offered',
        attempt: path.attempt + 1,
        since: path.since,
        offeredAt: now,
        namesInstance: event.namesInstance,
      };
    case 'answered':
      return path.phase === 'offered' ? { ...common(path), phase: 'attached', accepted: true, doubt: false } : path;
    case 'refused':
      return path.phase === 'offered' ? refused(path, event, now, limits) : path;
    case 'lost': {
      const pause = event.code === 'over-budget' ? OVER_BUDGET_RETRY_MS : 0;
      if (path.phase === 'waiting') return path;
      const doubt = path.doubt || (path.phase === 'offered' && !path.accepted && path.namesInstance);
      // Whoever took an OPEN may take its time to accept: only the time without a path counts.
      const since = path.phase === 'offered' ? path.since + (now - path.offeredAt) : now;
      return { ...common(path), phase: 'waiting', doubt, since, retryAt: now + pause };
    }
    case 'tick':
      return path.phase === 'waiting' && now >= deadlineOf(path, limits) ? expired(path) : path;
  }
}

/** When a waiting stream gives up. */
export function deadlineOf(path: OpenerPath & { readonly phase: 'waiting' | 'offered' }, limits: TunnelLimits): number {
  return path.since + (path.accepted || path.doubt ? limits.resumeWithinMs : limits.openWithinMs);
}

function refused(
  path: OpenerPath & { phase: 'offered' },
  event: OpenerEvent & { kind: 'refused' },
  now: number,
  limits: TunnelLimits,
): OpenerPath {
  const code: TunnelCode = isTunnelCode(event.code) ? event.code : 'denied';
  const again = (delayMs: number): OpenerPath => {
    const waiting: OpenerPath = { ...common(path), phase: 'waiting', since: path.since, retryAt: now + delayMs };
    return now >= deadlineOf(path, limits) ? expired(waiting) : waiting;
  };
  const retryMs = Math.max(RETRY_MS, event.retryAfterMs);
  const said = tunnelErrorFromWire(code, event.message, event.retryAfterMs === 0 ? undefined : event.retryAfterMs);
  if (path.accepted) {
    if (event.byEndpoint) return failed(path, code === 'other-instance' ? tunnelError('gone') : said);
    return tunnelCodes[code].retryable ? again(retryMs) : failed(path, said);
  }
  if (code === 'other-instance') {
    // The instance that an earlier OPEN may have reached is no more, and took its knowledge with it.
    if (path.doubt) return failed(path, tunnelError('outcome-unknown', { detail: 'the agent restarted meanwhile' }));
    if (path.instanceChanges >= MAX_INSTANCE_CHANGES)
      return failed(path, tunnelError('not-opened', { detail: 'the edge keeps restarting' }));
    const waiting = again(0);
    return waiting.phase === 'waiting' ? { ...waiting, instanceChanges: path.instanceChanges + 1 } : waiting;
  }
  // The acceptor's own word covers every earlier attempt, a switch's word only this one.
  if (event.byEndpoint) return failed(path, code === 'gone' ? tunnelError('outcome-unknown') : said);
  if (path.doubt) {
    return tunnelCodes[code].retryable
      ? again(retryMs)
      : failed(path, tunnelError('outcome-unknown', { detail: event.message }));
  }
  if (code === 'not-here' || code === 'link-lost' || code === 'moved') return again(retryMs);
  return failed(path, said);
}

function expired(path: OpenerPath): OpenerPath {
  if (path.accepted) return failed(path, tunnelError('stream-lost'));
  return failed(path, tunnelError(path.doubt ? 'outcome-unknown' : 'not-opened'));
}

function failed(path: OpenerPath, error: CodedError): OpenerPath {
  return { ...common(path), phase: 'failed', error };
}

function common({ attempt, accepted, doubt, instanceChanges }: OpenerPath): Common {
  return { attempt, accepted, doubt, instanceChanges };
}
