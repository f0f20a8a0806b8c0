import { systemClock, type Clock, type Log, type LogFields } from '../base/index.ts';

const QUIET_MS = 1000;

/**
 * Logs what whoever reaches a port can cause: the first of each event in a second at `info`, the others at `debug`, so that nobody fills
 * the log by knocking. The audit counts them all.
 */
export class StrangerLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #loudAt = new Map<string, number>();

  constructor(log: Log, clock: Clock = systemClock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** `who`: those who are known are not hidden behind those who are not. */
  tell(event: string, fields: LogFields, who: 'known' | 'unknown' = 'unknown'): void {
    const now = this.#clock.now();
    const key = `${who} ${event}`;
    if (now - (this.#loudAt.get(key) ?? -Infinity) < QUIET_MS) {
      this.#log.debug(event, fields);
      return;
    }
    this.#loudAt.set(key, now);
    this.#log.info(event, fields);
  }
}
