import type { TunnelLimits } from './limits.ts';

/** How a stream ended, as its acceptor remembers it. */
export type Outcome =
  | { readonly kind: 'finished'; readonly received: number }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly retryAfterMs: number }
  | { readonly kind: 'reset'; readonly code: string; readonly message: string }
  /** Asked for and not known: nothing was executed, and nothing will be. */
  | { readonly kind: 'gone' };

interface Tombstone {
  readonly outcome: Outcome;
  readonly at: number;
}

/**
 * Ended streams, remembered for a while so that a late OPEN executes nothing twice (docs/protocol.md, section 7).
 * A stream that finished cleanly can only be asked for when its last acknowledgement was lost, so these go first when
 * there are too many; the others are never dropped early, rather are new streams refused.
 */
export class Tombstones {
  readonly #clean = new Map<string, Tombstone>();
  readonly #others = new Map<string, Tombstone>();
  readonly #limits: TunnelLimits;

  constructor(limits: TunnelLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#clean.size + this.#others.size;
  }

  /** No room for one more that may not be dropped. */
  get full(): boolean {
    return this.#others.size >= this.#limits.maxTombstones;
  }

  find(key: string): Outcome | undefined {
    return (this.#clean.get(key) ?? this.#others.get(key))?.outcome;
  }

  remember(key: string, outcome: Outcome, now: number): void {
    const tombstones = outcome.kind === 'finished' ? this.#clean : this.#others;
    tombstones.set(key, { outcome, at: now });
    if (this.#clean.size > this.#limits.maxTombstones) {
      for (const oldest of this.#clean.keys()) {
        this.#clean.delete(oldest);
        break;
      }
    }
  }

  /** Forgets what is old enough. */
  sweep(now: number): void {
    for (const tombstones of [this.#clean, this.#others]) {
      for (const [key, tombstone] of tombstones) {
        if (now - tombstone.at < this.#limits.tombstoneMs) break;
        tombstones.delete(key);
      }
    }
  }
}
