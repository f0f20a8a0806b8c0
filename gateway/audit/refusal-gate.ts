import { BoundedMap, type Clock, type Timer } from '../../base/index.ts';
import type { AuditEvent } from './audit-event.ts';

export interface RefusalGateOptions {
  readonly clock: Clock;
  /** Given what stands for the refusals that did not pass. */
  readonly emit: (summary: AuditEvent) => void;
}

/** One who is refused is told of in full this many times at once, and then once a second. */
const SINGLE = { burst: 30, perSecond: 1 };
/** All the unauthenticated together: whoever has many addresses has no more. */
const UNKNOWN = { burst: 200, perSecond: 10 };
const SUMMARY_MS = 10_000;
/** Kinds of refusals that are counted apart; further ones are counted together. */
const MAX_SUMMARIES = 256;
const MAX_BUCKETS = 10_000;

interface Summary {
  readonly event: AuditEvent;
  /** Undefined when there were several. */
  remote: string | undefined;
  count: number;
}

/**
 * Keeps refusals from flooding the log: they are what a stranger can cause. Those beyond a rate are counted by action, principal and code
 * and told of together every 10 s, so that none is missing from the sum.
 */
export class RefusalGate {
  readonly #options: RefusalGateOptions;
  readonly #single = new BoundedMap<string, Bucket>(MAX_BUCKETS);
  readonly #unknown: Bucket;
  readonly #summaries = new Map<string, Summary>();
  #timer: Timer | undefined;

  constructor(options: RefusalGateOptions) {
    this.#options = options;
    this.#unknown = new Bucket(UNKNOWN, options.clock.now());
  }

  /** Whether an event is to be recorded as it is. */
  passes(event: AuditEvent): boolean {
    if (event.outcome !== 'refused' || this.#take(event)) return true;
    this.#count(event);
    return false;
  }

  /** Emits what was counted so far. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const summaries = [...this.#summaries.values()];
    this.#summaries.clear();
    for (const { event, remote, count } of summaries)
      this.#options.emit({ ...event, count, ...(remote === undefined ? {} : { remote }) });
  }

  #take({ principal, remote = '' }: AuditEvent): boolean {
    const now = this.#options.clock.now();
    const key = principal === '' ? `@${remote}` : principal;
    const bucket = this.#single.get(key) ?? new Bucket(SINGLE, now);
    this.#single.set(key, bucket);
    return bucket.take(now) && (principal !== '' || this.#unknown.take(now));
  }

  #count({ action, principal, code, remote }: AuditEvent): void {
    const key = JSON.stringify([action, principal, code]);
    const found = this.#summaries.get(key) ?? this.#begin(key, { action, principal, code, remote });
    found.count++;
    if (found.remote !== remote) found.remote = undefined;
    this.#timer ??= this.#options.clock.after(SUMMARY_MS, () => this.flush());
  }

  #begin(
    wanted: string,
    {
      action,
      principal,
      code,
      remote,
    }: Pick<AuditEvent, 'action' | 'principal'> & {
      readonly code: string | undefined;
      readonly remote: string | undefined;
    },
  ): Summary {
    const isFull = this.#summaries.size >= MAX_SUMMARIES;
    const key = isFull ? '' : wanted;
    const reason = 'further refusals like these before, counted';
    const event: AuditEvent = isFull
      ? { action: 'other', outcome: 'refused', principal: '', reason }
      : { action, outcome: 'refused', principal, reason, ...(code === undefined ? {} : { code }) };
    const summary = this.#summaries.get(key) ?? { event, remote: isFull ? undefined : remote, count: 0 };
    this.#summaries.set(key, summary);
    return summary;
  }
}

class Bucket {
  readonly #rate: { readonly burst: number; readonly perSecond: number };
  #left: number;
  #at: number;

  constructor(rate: { readonly burst: number; readonly perSecond: number }, now: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#at = now;
  }

  take(now: number): boolean {
    const { burst, perSecond } = this.#rate;
    this.#left = Math.min(burst, this.#left + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
