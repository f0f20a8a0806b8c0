import { isIPv6 } from 'node:net';
import { BoundedMap, type Clock } from '../../base/index.ts';
import { enrolmentError } from './enrolment-error.ts';

/** A budget that fills up again with time. */
interface Rate {
  /** Attempts that may be made at once. */
  readonly burst: number;
  /** Milliseconds until one more may be made. */
  readonly everyMs: number;
}

export interface AttemptRates {
  /** Of one address; of an IPv6 one: of its /64, which one machine has to itself. Default 20, then one every 3 s. */
  readonly address?: Rate;
  /** Of everybody together. Default 400, then 40 a second. */
  readonly everybody?: Rate;
  /** Attempts that are under way at a time. Default 100. */
  readonly maxUnderWay?: number;
  /** Addresses that are remembered; the one used least recently is forgotten. Default 10,000. */
  readonly maxAddresses?: number;
}

/** An attempt that is under way. */
export interface Attempt {
  /** Whether it turned out to be a good one: those cost nothing. */
  end(wasGood: boolean): void;
}

/**
 * How often somebody without a certificate may try. An attempt is paid for before anything is looked at; one that turns out well is given
 * back, so that a rack of edges behind one address enrols at once, and who guesses waits.
 */
export class AttemptLimits {
  readonly #clock: Clock;
  readonly #rates: Required<AttemptRates>;
  readonly #everybody: Bucket;
  readonly #addresses: BoundedMap<string, Bucket>;
  #underWay = 0;

  constructor(clock: Clock, rates: AttemptRates = {}) {
    this.#clock = clock;
    this.#rates = {
      address: { burst: 20, everyMs: 3000 },
      everybody: { burst: 400, everyMs: 25 },
      maxUnderWay: 100,
      maxAddresses: 10_000,
      ...rates,
    };
    this.#everybody = new Bucket(this.#rates.everybody, clock.now());
    this.#addresses = new BoundedMap(this.#rates.maxAddresses);
  }

  /** Throws `too-many-attempts`, which says when to come back. */
  begin(remote: string): Attempt {
    const now = this.#clock.now();
    const address = this.#addressBucket(remote, now);
    const waitMs = Math.max(address.waitMs(now), this.#everybody.waitMs(now), this.#isFull ? 1000 : 0);
    if (waitMs > 0) throw enrolmentError('too-many-attempts', { retryAfterMs: waitMs });
    address.take();
    this.#everybody.take();
    this.#underWay += 1;
    let isOver = false;
    return {
      end: (wasGood) => {
        if (isOver) return;
        isOver = true;
        this.#underWay -= 1;
        if (!wasGood) return;
        address.giveBack();
        this.#everybody.giveBack();
      },
    };
  }

  get #isFull(): boolean {
    return this.#underWay >= this.#rates.maxUnderWay;
  }

  #addressBucket(remote: string, now: number): Bucket {
    const key = networkOf(remote);
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    const bucket = new Bucket(this.#rates.address, now);
    this.#addresses.set(key, bucket);
    return bucket;
  }
}

class Bucket {
  readonly #rate: Rate;
  #left: number;
  #at: number;

  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#at = now;
  }

  /** How long until there is one to take; 0: there is. */
  waitMs(now: number): number {
    const { burst, everyMs } = this.#rate;
    this.#left = Math.min(burst, this.#left + (now - this.#at) / everyMs);
    this.#at = now;
    return this.#left >= 1 ? 0 : Math.ceil((1 - this.#left) * everyMs);
  }

  take(): void {
    this.#left -= 1;
  }

  giveBack(): void {
    this.#left = Math.min(this.#rate.burst, this.#left + 1);
  }
}

/** An IPv4 address, also one written as IPv6, or the first half of an IPv6 one. */
export function networkOf(remote: string): string {
  const plain = remote.replace(/^::ffff:(?=\d+\.)/iu, '').replace(/%.*$/u, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::', 2);
  const parts = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - parts.length - rest.length);
  const whole = [...parts, ...Array.from({ length: zeros }, () => '0'), ...rest];
  return `${whole
    .slice(0, 4)
    .map((part) => part.toLowerCase().replace(/^0+(?=.)/u, ''))
    .join(':')}/64`;
}
