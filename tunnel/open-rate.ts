import type { TunnelLimits } from './limits.ts';

/** How fast the peer of a link opens streams: a token bucket, and a count of what it refused. */
export class OpenRate {
  readonly #limits: TunnelLimits;
  #tokens: number;
  #at: number;
  #refusedSince: number;
  #refused = 0;

  constructor(limits: TunnelLimits, now: number) {
    this.#limits = limits;
    this.#tokens = limits.opensBurst;
    this.#at = now;
    this.#refusedSince = now;
  }

  /** `refuse` when the rate is exceeded, `close` when the peer does not heed refusals. */
  take(now: number): 'admit' | 'refuse' | 'close' {
    const { opensPerSecond, opensBurst, maxRefusedOpensPerSecond } = this.#limits;
    this.#tokens = Math.min(opensBurst, this.#tokens + ((now - this.#at) * opensPerSecond) / 1000);
    this.#at = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return 'admit';
    }
    if (now - this.#refusedSince >= 1000) {
      this.#refusedSince = now;
      this.#refused = 0;
    }
    return ++this.#refused > maxRefusedOpensPerSecond ? 'close' : 'refuse';
  }
}
