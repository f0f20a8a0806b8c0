import { repeat, z, type Clock, type Log, type Timer } from '../../base/index.ts';
import { everything, fullAccess, type HeldObject, type ResourceApi } from '../../resources/index.ts';

export interface EventExpiryOptions {
  readonly events: ResourceApi;
  readonly clock: Clock;
  readonly wallClock: () => number;
  readonly log: Log;
}

/** As kube-apiserver keeps them. */
const KEEP_MS = 60 * 60_000;
const SWEEP_MS = 5 * 60_000;
const AGENT = fullAccess('agent');

/** Deletes Events that have not been seen again for an hour. */
export class EventExpiry {
  readonly #options: EventExpiryOptions;
  readonly #timer: Timer;

  constructor(options: EventExpiryOptions) {
    this.#options = options;
    this.#timer = repeat(
      options.clock,
      SWEEP_MS,
      () => this.sweep(),
      (error) => options.log.warn('event-expiry-failed', { error }),
    );
  }

  /** Looks through all events once. */
  async sweep(): Promise<void> {
    const { events, wallClock } = this.#options;
    const { objects } = await events.collection.list({ selector: everything, at: { match: 'any' } });
    const oldest = wallClock() - KEEP_MS;
    for (const event of objects) {
      if (lastSeen(event) < oldest) await events.delete(AGENT, event.namespace, event.name);
    }
  }

  close(): void {
    this.#timer.cancel();
  }
}

/** Milliseconds since 1970; an event without any time is as old as can be. */
function lastSeen({ json }: HeldObject): number {
  const event: unknown = JSON.parse(json.toString('utf8'));
  const { lastTimestamp, eventTime, firstTimestamp, metadata } = eventTimes.parse(event);
  const times = [lastTimestamp, eventTime, firstTimestamp, metadata.creationTimestamp];
  const known = times.flatMap((time) => (typeof time === 'string' ? Date.parse(time) : []));
  return Math.max(0, ...known.filter((time) => !Number.isNaN(time)));
}

const eventTimes = z.object({
  lastTimestamp: z.unknown().optional(),
  eventTime: z.unknown().optional(),
  firstTimestamp: z.unknown().optional(),
  metadata: z.object({ creationTimestamp: z.unknown().optional() }),
});
