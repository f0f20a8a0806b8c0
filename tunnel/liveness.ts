import type { TunnelLimits } from './limits.ts';

/** What the link is to do now. */
export type LivenessStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'probe'; readonly nonce: number }
  | { readonly kind: 'dead' };

const WAIT: LivenessStep = { kind: 'wait' };
const DEAD: LivenessStep = { kind: 'dead' };

/**
 * Whether the peer lives (docs/protocol.md, section 8). A link that has been silent is probed, sooner when an answer is
 * outstanding or someone asks; a probe is satisfied by its own PONG only, so that a link that is dead in one direction is
 * found out from either end. Pure: times are passed in, in milliseconds.
 */
export class Liveness {
  readonly #limits: TunnelLimits;
  #heardAt: number;
  /** Something was sent after the peer was last heard. */
  #awaiting = false;
  #asked = false;
  #nonce = 0;
  #probe: { readonly nonce: number; readonly sentAt: number; deadline: number; readonly tries: number } | undefined;
  #rttMs: number | undefined;

  constructor(limits: TunnelLimits, now: number) {
    this.#limits = limits;
    this.#heardAt = now;
  }

  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  heard(now: number): void {
    this.#heardAt = now;
    this.#awaiting = false;
  }

  sent(): void {
    this.#awaiting = true;
  }

  /** Someone waits for the peer: probe at the next step. */
  ask(): void {
    this.#asked = true;
  }

  /** The round trip, when the nonce is the outstanding probe's. */
  pong(nonce: number, now: number): number | undefined {
    const probe = this.#probe;
    if (probe === undefined || nonce !== probe.nonce) return undefined;
    this.#probe = undefined;
    this.#rttMs = now - probe.sentAt;
    return this.#rttMs;
  }

  /** `lagMs`: how much later than asked for this process came to run; its own slowness is not the peer's silence. */
  step(now: number, lagMs: number): LivenessStep {
    const probe = this.#probe;
    if (probe !== undefined) {
      probe.deadline += lagMs;
      if (now < probe.deadline) return WAIT;
      return probe.tries >= this.#limits.probeTries ? DEAD : this.#send(now, probe.tries + 1);
    }
    const silentMs = now - this.#heardAt - lagMs;
    const patienceMs = this.#awaiting ? this.#limits.busyProbeMs : this.#limits.idleProbeMs;
    return this.#asked || silentMs >= patienceMs ? this.#send(now, 1) : WAIT;
  }

  #send(now: number, tries: number): LivenessStep {
    this.#asked = false;
    this.#nonce++;
    const timeoutMs = Math.max(this.#limits.probeTimeoutMs, 4 * (this.#rttMs ?? 0));
    this.#probe = { nonce: this.#nonce, sentAt: now, deadline: now + timeoutMs, tries };
    return { kind: 'probe', nonce: this.#nonce };
  }
}
